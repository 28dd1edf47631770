"""Bounds on what the emulator is given: the one place that says what a number, a text or a JSON value may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

CENTURY = 100 * 365.25 * 86_400.0
"""Longest time, in seconds. The service's calendar ends long after it, see :mod:`.clock`."""
MOST = 700_000
"""Most tiles or features of a job: what the service allows."""
REAL_SECONDS = 86_400.0
"""Longest time that an answer takes, in real seconds."""
LARGEST = 1e12
"""Largest number without a unit, such as processing units."""
LONGEST_BODY = 32 * 1024 * 1024
"""Longest body of a request, in bytes: four times the largest requests of real users, with large geometries."""
DEEPEST = 100
"""Deepest JSON in a user's request. A multipolygon within a request has about 12 levels."""
DEEPEST_SCRIPTED = 800
"""Deepest JSON that a test may have the service send: Python writes about 900 levels."""

_SHOWN = 100


def number(name: str, value: object, least: float = 0.0, most: float = LARGEST) -> float:
    """Return a finite number in these bounds, or raise ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}, but was {brief(value)}")
    return float(value)


def seconds(name: str, value: object, least: float = 0.0) -> float:
    """Return seconds that the service's calendar can hold, or raise ``ValueError``."""
    return number(name, value, least, CENTURY)


def whole(name: str, value: object, least: int = 0, most: int = MOST) -> int:
    """Return a whole number in these bounds, or raise ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, but was {brief(value)}")
    return value


def flag(name: str, value: object) -> bool:
    """Return true or false, or raise ``ValueError``."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, but was {brief(value)}")
    return value


def text(name: str, value: object) -> str:
    """Return a text of any characters, as tests have the service send it, or raise ``ValueError``."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text, but was {brief(value)}")
    return value


def header(name: str, value: object) -> str:
    """Return a text that an HTTP header can hold, or raise ``ValueError``."""
    if not text(name, value).isascii() or not str(value).isprintable():
        raise ValueError(f"{name} must be printable ASCII, as it is sent in a header, but was {brief(value)}")
    return str(value)


def encodable(name: str, value: object) -> str:
    """Return a text that UTF-8 can hold, or raise ``ValueError``."""
    try:
        text(name, value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half a surrogate pair: {brief(value)}") from None
    return str(value)


def status(name: str, value: object, least: int = 200) -> int:
    """Return an HTTP status that ends a request, or raise ``ValueError``."""
    return whole(name, value, least, 599)


def check_depth(value: object, deepest: int) -> None:
    """Raise ``ValueError`` if lists and objects are nested more deeply than that."""
    _walk(value, deepest, strict=False)


def check_json(value: object) -> None:
    """
    Check what a user sends to the service.

    :raises ValueError: if it is nested too deeply, has a number that is not finite or (a whole one) has more than
        64 bits, or a text with half a surrogate pair. None of that could be stored, or sent again, as JSON.
    """
    _walk(value, DEEPEST, strict=True)


def brief(value: object) -> str:
    """Return a value for an error message: not longer than a line, whatever it is."""
    try:
        written = repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, a list of a thousand levels
        return f"a {type(value).__name__}"
    return written if len(written) <= _SHOWN else written[:_SHOWN] + "…"


def _walk(value: object, deepest: int, *, strict: bool) -> None:
    """Look at every part without recursion, which deep JSON would exhaust."""
    level: list[Any] = [value]
    for _ in range(deepest + 1):
        below: list[Any] = []
        for each in level:
            if isinstance(each, Mapping):
                below += each.values()
                if strict:
                    for name in each:
                        _check_scalar(name)
            elif isinstance(each, list | tuple):
                below += each
            elif strict:
                _check_scalar(each)
        if not below:
            return
        level = below
    raise ValueError(f"it is nested more than {deepest} levels deep")


def _check_scalar(value: object) -> None:
    match value:
        case str():
            if not value.isascii():
                encodable("a text", value)
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{brief(value)} is not a finite number")
        case int():
            if not -(2**63) <= value < 2**63:
                raise ValueError(f"{brief(value)} has more than 64 bits")
