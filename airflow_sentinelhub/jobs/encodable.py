"""What may leave this process: a check for payloads, and the text of a log line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DEEPEST = 100
"""Levels of nesting that are handed over at most. A job of the service has fewer than ten."""

LONGEST_LINE = 4000
"""Characters of a log line at most."""

_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


def why_not_encodable(value: object) -> str | None:
    """
    Return why a value cannot be handed to Airflow; ``None`` if it can.

    Airflow encodes what a trigger fires with msgpack and stores it as JSON in a database. What either of them
    refuses raises outside of the trigger and ends the triggerer's process.

    :param value: what is to be plain JSON.
    """
    left: list[tuple[Any, int]] = [(value, 0)]
    while left:
        item, depth = left.pop()
        if depth > DEEPEST:
            return f"it is nested more than {DEEPEST} deep"
        match item:
            case None | bool():
                continue
            case str():
                if reason := _why_not_text(item):
                    return reason
            case int():
                if not _SMALLEST <= item <= _LARGEST:
                    return "it holds an integer beyond 64 bits"
            case float():
                if not math.isfinite(item):
                    return "it holds a number that is not finite"
            case Mapping():
                for key, inner in item.items():
                    if not isinstance(key, str):
                        return f"it holds a key of type {type(key).__name__}"
                    left += [(key, depth + 1), (inner, depth + 1)]
            case list() | tuple():
                left += [(inner, depth + 1) for inner in item]
            case _:
                return f"it holds a value of type {type(item).__name__}"
    return None


def printable(text: str, longest: int = LONGEST_LINE) -> str:
    """
    Return a text that every log can take: without half characters and NUL, and not too long.

    :param text: anything.
    :param longest: characters that are kept at most.
    """
    if len(text) > longest:
        text = f"{text[: longest - 3]}..."
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def _why_not_text(text: str) -> str | None:
    if "\0" in text:
        return "it holds a NUL character"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "it holds half of a surrogate pair"
    return None
