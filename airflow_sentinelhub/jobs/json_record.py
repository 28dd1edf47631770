"""Small records that survive a restart as plain JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self


class JsonRecord:
    """
    Base of dataclasses of plain values, and of numbers by name, that are kept between two polls of a job.

    Another version of this provider may have written what is read: fields that are unknown, missing or of
    another type are forgotten rather than an error.
    """

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls, stored: object) -> Self:
        """Read what :meth:`to_json` wrote."""
        if not isinstance(stored, Mapping):
            return cls()
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        return cls(
            **{
                field.name: stored[field.name]
                for field in fields
                if field.name in stored and _fits(stored[field.name], field.default)
            },
            **{
                field.name: {str(key): number for key, number in stored[field.name].items() if _is_number(number)}
                for field in fields
                if field.default_factory is dict and isinstance(stored.get(field.name), Mapping)
            },
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fits(value: object, default: object) -> bool:
    match default:
        case bool():
            return isinstance(value, bool)
        case str():
            return isinstance(value, str)
        case dataclasses.MISSING:
            return False
        case _:  # a number, or none where none is the default
            return _is_number(value) or (value is None and default is None)
