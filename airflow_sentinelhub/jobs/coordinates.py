"""Lists of numbers, which are most of a large request: a geometry has hundreds of thousands."""

from __future__ import annotations

from itertools import chain
from typing import Any

_NUMBERS = {int, float}
_LISTS = {list, tuple}


def is_coordinates(value: list[Any] | tuple[Any, ...]) -> bool:
    """
    Return whether a list holds only numbers, or only points (lists of numbers).

    There is nothing to hide, to find or to replace in such a list, so it need not be walked through; and this
    looks at it without a loop of Python's.

    :param value: a list of JSON.
    """
    kinds = set(map(type, value))
    if kinds and kinds <= _LISTS:
        kinds = set(map(type, chain.from_iterable(value)))
    return kinds <= _NUMBERS
