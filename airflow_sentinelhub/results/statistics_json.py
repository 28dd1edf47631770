"""The JSON of a result file of Batch Statistical, decoded without what is not needed of it."""

from __future__ import annotations

import json
import threading
from typing import Any

MOST_VALUES = 3_000_000
"""
Values in one file at most, as counted by commas and opening brackets.

Decoded JSON needs up to 30 times the bytes of its text (``[[],[],...]``), so the number of bytes alone does not
say how much memory a file takes.
So many values are less than 300 MB at their worst; a file of the largest size that is read has about as many, if
it is full of histograms.
"""

_KEPT = frozenset(
    {"id", "identifier", "error", "response", "status", "data", "interval", "from", "to", "type", "message"}
)
_NOTHING: dict[str, Any] = {}
_one_at_a_time = threading.Lock()


class NotDecodable(Exception):
    """A file is not decoded, and why."""


def decode(content: bytes) -> object:
    """
    Decode a file, and keep only what tells failures; the statistics themselves are dropped while it is read.

    :param content: the file. One at a time is decoded in this process, which costs nothing, as Python's decoder
        never runs in two threads at once.
    :raises NotDecodable: it has too many values.
    :raises ValueError: it is no JSON.
    :raises RecursionError: it is nested too deep.
    """
    values = sum(map(content.count, (b",", b"[", b"{")))
    if values > MOST_VALUES:
        raise NotDecodable(f"it has about {values:,} values, and {MOST_VALUES:,} at most are read of one file")
    with _one_at_a_time:
        # NaN is no JSON, and PostgreSQL refuses it in an XCom.
        return json.loads(content, object_hook=_kept, parse_constant=lambda _: None)


def _kept(value: dict[str, Any]) -> dict[str, Any]:
    names = _KEPT & value.keys()
    return {name: value[name] for name in names} if names else _NOTHING
