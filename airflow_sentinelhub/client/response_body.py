"""The body of an answer: read in pieces and unpacked within a bound."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

_PIECE = 64 * 1024
_MOST_ARCHIVES = 100

LARGEST_ANSWER = 16 * 1024 * 1024
"""
Bytes of the body of an answer, unpacked; over it, it is no usable answer.

The largest answer is a page of the list: most likely 100 jobs (the page limit of the service's other APIs), each
with its request, which is an evalscript of at most 32 kB and a geometry. That leaves 130 kB for each geometry, or
5,000 points; a single job of 8 MB, with the geometry of a country, still fits among 99 ordinary ones. Where a list
is too large, each job is asked for by itself. Objects take up to 25 times the memory of their JSON, so that more
would not be harmless.
"""

LARGEST_REFUSAL = 64 * 1024
"""Bytes that are read of an answer that is no success. Its status counts, and of its words 1,000 characters."""

ACCEPTED_ENCODING = "gzip"
"""The only compression that is asked for, as its output can be bounded on every platform."""


class UnreadableBody(Exception):
    """The body cannot be unpacked, or was not whole; "the answer" and its text are a sentence."""


class RawAnswer(Protocol):
    """The part of an answer of urllib3 that is read."""

    headers: Any

    def stream(self, amt: int, decode_content: bool) -> Iterator[bytes]:
        """Return the body in pieces."""


def read_body(raw: RawAnswer, largest: int) -> tuple[bytes, bool]:
    """
    Read a body, and no more of it than is allowed, packed or unpacked.

    :param raw: the answer, of which only the head was read.
    :param largest: bytes.
    :return: what was read, and whether that is all.
    :raises UnreadableBody: it is packed in another way than was asked for, or broken.
    """
    pieces = _unpacked(raw)
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > largest:
            return bytes(body[:largest]), False
    return bytes(body), True


def _unpacked(raw: RawAnswer) -> Iterator[bytes]:
    encoding = str(raw.headers.get("Content-Encoding", "")).strip().lower()
    pieces = raw.stream(_PIECE, decode_content=False)
    if encoding in ("", "identity"):
        return pieces
    if encoding not in (ACCEPTED_ENCODING, "x-gzip"):
        raise UnreadableBody("is packed in a way that was not asked for")
    return _gunzipped(pieces)


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack; one piece may hold thousands of times its size, so each step is bounded, too."""
    archive, archives = _archive(), 1
    begun = False
    try:
        for piece in pieces:
            begun = True
            more = False
            while piece or more:
                if archive.eof:  # one may follow another
                    archive, archives = _archive(), archives + 1
                    if archives > _MOST_ARCHIVES:
                        raise UnreadableBody("is packed in a way that was not asked for")
                unpacked = archive.decompress(piece, _PIECE)
                if unpacked:
                    yield unpacked
                # What was taken in may still give more than fitted into this step.
                more = len(unpacked) == _PIECE and not archive.eof
                piece = archive.unused_data if archive.eof else archive.unconsumed_tail
    except zlib.error:
        raise UnreadableBody("broke off") from None
    if begun and not archive.eof:
        raise UnreadableBody("broke off")


def _archive() -> Any:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)
