"""Holding secrets where error trackers, which show the variables of each frame, do not see them."""

from __future__ import annotations

from typing import Generic, TypeVar

Value = TypeVar("Value", covariant=True)


class Secret(Generic[Value]):
    """
    Holds a value that no ``repr`` shows.

    It is neither a text nor a mapping on purpose: error trackers write those out instead of asking for their
    ``repr``.

    :param value: a secret, or what contains one.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "<hidden>"

    def reveal(self) -> Value:
        """Return the value. Use it within an expression: a variable would show it."""
        return self._value
