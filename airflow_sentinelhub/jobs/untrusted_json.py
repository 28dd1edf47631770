"""
The one entrance for JSON from outside: read, cleaned, bounded, without secrets.

A service, a bucket and a user's files are not believed. What comes out of here can be written by every encoder
that it meets on its way (JSON, MessagePack, UTF-8, a column of PostgreSQL), and is plain: dictionaries with texts
as keys, lists, texts, numbers of 64 bit, truth values and ``None``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from math import isfinite
from typing import Any

from airflow_sentinelhub.jobs.plain_text import cut, encodable
from airflow_sentinelhub.jobs.redaction import LONGEST_SECRET, MASK, REDACT, Redactor, is_secret_name

REQUEST_FIELDS = frozenset({"request", "processRequest"})
"""Fields in which the service shows what its user sent: an evalscript is code, and is given back as it is."""

TOO_DEEP = "(nested too deep)"
"""What stands for what is nested too deep."""

_LONGEST_KEY = 200
_LONGEST_NUMBER = 100
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_UNLIMITED = 2**62
_FLOATS, _LISTS = {float}, {list}


class InvalidJson(ValueError):
    """It is no JSON."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Limits of a value that is kept. What is beyond is left out; a text that was cut ends with dots.

    :param depth: of nested objects and lists.
    :param text: characters of one text.
    :param items: of one object or list.
    :param total: characters of all keys and texts, where every other value counts as eight.
    """

    depth: int = 64
    text: int = _UNLIMITED
    items: int = _UNLIMITED
    total: int = _UNLIMITED


DOCUMENT = Limits()
"""For a whole answer or file, whose bytes are bounded where they are read."""

RECORD = Limits(depth=32, text=4000, items=10_000, total=1_000_000)
"""For what goes to a log, an event or XCom: a job, a tile, a feature."""


def read_json(body: bytes | str, *, redact: Redactor = REDACT, limits: Limits = DOCUMENT) -> Any:
    """
    Read JSON from outside.

    Bytes that are no UTF-8, control characters in texts, numbers of any length and any depth harm no more than the
    value that they are in.

    :param body: the text.
    :param redact: takes secrets out of texts.
    :param limits: how much is kept.
    :return: the value, see :func:`clean`.
    :raises InvalidJson: it is no JSON.
    """
    return clean(parse_json(body), redact=redact, limits=limits)


def parse_json(body: bytes | str) -> Any:
    """
    Read JSON from outside for :func:`clean`, which has to follow.

    :param body: the text.
    :raises InvalidJson: it is no JSON.
    """
    text = body if isinstance(body, str) else body.decode("utf-8-sig", "replace")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        text = _without_deep_parts(text)
    except ValueError:
        text = ""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        pass
    # Outside, as the error of the decoder holds the whole text.
    raise InvalidJson("it is no JSON")


def clean(value: object, *, redact: Redactor | None = REDACT, limits: Limits = RECORD) -> Any:
    """
    Copy a value from outside as what can be stored, shown and sent.

    * Lone surrogates and control characters other than tab and newline become U+FFFD, in keys, too.
    * Integers beyond 64 bit and numbers that are not finite become texts.
    * What is nested too deep becomes a short text; long texts and collections are cut.
    * The values of fields that are named like secrets become ``*****``, and so do secrets in texts. In
      :data:`REQUEST_FIELDS` only the former.

    :param value: decoded JSON, or anything else.
    :param redact: takes secrets out of texts; ``None``: they are left.
    :param limits: how much is kept.
    """
    return _Cleaner(redact, limits).copy(value, limits.depth)


class _Cleaner:
    __slots__ = ("_items", "_left", "_masks", "_redact", "_text")

    def __init__(self, redact: Redactor | None, limits: Limits) -> None:
        self._redact = redact
        self._masks = redact is not None
        self._text = limits.text
        self._items = limits.items
        self._left = limits.total

    def copy(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._copy_text(value)
        if kind is dict:
            return self._copy_object(value, depth)
        if kind is list:
            return self._copy_list(value, depth)
        self._left -= 8
        if kind is float:
            return value if isfinite(value) else _name_of(value)
        if value is None or kind is bool:
            return value
        return self._copy_other(value, depth)

    def _copy_text(self, text: str) -> str:
        room = max(1, min(self._text, self._left))
        if self._redact is None:
            text = cut(encodable(text[: room + 1]), room)
        elif len(text) > room:
            text = self._redact.excerpt(encodable(text[: room + 3 * LONGEST_SECRET]), room)
        else:
            text = cut(self._redact(encodable(text)), room)
        self._left -= len(text)
        return text

    def _copy_object(self, value: Mapping[Any, Any], depth: int) -> Any:
        if depth <= 0:
            return TOO_DEEP
        copied: dict[str, Any] = {}
        redact = self._redact
        for key, each in value.items():
            if len(copied) >= self._items or self._left <= 0:
                break
            name, names_secret = _key(key if type(key) is str and len(key) <= _LONGEST_KEY else _cut_key(key))
            self._left -= len(name)
            if names_secret and self._masks and each and each is not True:
                copied[name] = MASK
                continue
            if name in REQUEST_FIELDS:
                self._redact = None
            copied[name] = self.copy(each, depth - 1)
            self._redact = redact
        return copied

    def _copy_list(self, value: list[Any] | tuple[Any, ...], depth: int) -> Any:
        if depth <= 0:
            return TOO_DEEP
        numbers = _coordinates(value) if depth > 1 else 0
        if 0 < numbers <= min(self._items, self._left // 8):
            self._left -= 8 * numbers
            return value
        copied: list[Any] = []
        for each in value:
            if len(copied) >= self._items or self._left <= 0:
                break
            copied.append(self.copy(each, depth - 1))
        return copied

    def _copy_other(self, value: Any, depth: int) -> Any:
        if isinstance(value, int):
            return int(value) if _SMALLEST <= value <= _LARGEST else _text_of_integer(value)
        if isinstance(value, Mapping):
            return self._copy_object(value, depth)
        if isinstance(value, tuple):
            return self._copy_list(value, depth)
        if isinstance(value, float):
            return self.copy(float(value), depth)
        if isinstance(value, bytes):
            return self._copy_text(value.decode("utf-8", "replace"))
        return self._copy_text(str.__str__(value) if isinstance(value, str) else f"({type(value).__name__})")


def _coordinates(value: list[Any] | tuple[Any, ...]) -> int:
    """
    Count the numbers in a list of finite ones, or of points; 0: it is another list.

    Geometries are most of a page of jobs, so they are looked at without a loop.
    """
    kinds = set(map(type, value))
    numbers = list(chain.from_iterable(value)) if kinds == _LISTS else value
    # The sum is finite only if all of them are.
    plain = kinds in (_FLOATS, _LISTS) and set(map(type, numbers)) == _FLOATS and isfinite(sum(numbers))
    return len(numbers) if plain else 0


@lru_cache(maxsize=4096)
def _key(name: str) -> tuple[str, bool]:
    return encodable(name), is_secret_name(name)


def _cut_key(key: object) -> str:
    return cut(key if isinstance(key, str) else str(clean(key, redact=None)), _LONGEST_KEY)


def _name_of(number: float) -> str:
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def _text_of_integer(number: int) -> str:
    # Python refuses to write numbers of thousands of digits, as that takes long.
    return (
        str(number) if number.bit_length() < 3 * _LONGEST_NUMBER else f"(an integer of {number.bit_length()} bits)"
    )


def _integer(digits: str) -> int | str:
    if len(digits) <= 20:
        number = int(digits)
        if _SMALLEST <= number <= _LARGEST:
            return number
    return cut(digits, _LONGEST_NUMBER)


_DECODER = json.JSONDecoder(strict=False, parse_int=_integer, parse_constant=str)
_MARK = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


def _without_deep_parts(text: str) -> str:
    """Put a short text in place of what is nested too deep, which the decoder cannot read."""
    parts: list[str] = []
    depth = done = 0
    in_text = False
    for found in _MARK.finditer(text):
        mark = found[0]
        if mark == '"':
            in_text = not in_text
        elif in_text or len(mark) > 1:
            continue
        elif mark in "[{":
            depth += 1
            if depth == DOCUMENT.depth + 1:
                parts += text[done : found.start()], f'"{TOO_DEEP}"'
        else:
            if depth == DOCUMENT.depth + 1:
                done = found.end()
            depth -= 1
    return "".join([*parts, text[done:]])
