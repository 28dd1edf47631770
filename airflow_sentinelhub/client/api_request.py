"""One call of a batch API: what is asked, and which answer is usable."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, assert_never

from airflow_sentinelhub.client.errors import ErrorContext
from airflow_sentinelhub.client.http_response import HttpResponse
from airflow_sentinelhub.jobs.redaction import REDACT, Redactor
from airflow_sentinelhub.jobs.untrusted_json import DOCUMENT, InvalidJson, clean, parse_json


class ResponseKind(Enum):
    """Content of a successful answer."""

    OBJECT = auto()
    PAGE = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """
    One call.

    :param subject: what it is about, for messages.
    :param scrub: knows the secrets that are sent.
    :param params: query.
    :param body: JSON to send; not part of the ``repr``, as it may hold the keys of a bucket.
    :param idempotent: whether asking twice is as good as once. If not, it is asked again only when the service
        surely did not get it or refused it.
    """

    subject: ErrorContext
    method: str
    url: str
    expects: ResponseKind
    scrub: Redactor
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    idempotent: bool = True

    def asking(self, params: Mapping[str, str]) -> ApiRequest:
        """Return the same call with another query."""
        return replace(self, params=params)


MOST_MARKS = 2_500_000
"""
Commas and opening brackets in an answer at most. Each value in JSON has one of them, and costs up to 100 bytes of
memory. 16 MB of coordinates, the densest that the service sends, have about 2,200,000.
"""

_MARKS = (b",", b"[", b"{")
_LARGE = 1024 * 1024
_ONE_LARGE_ANSWER = threading.Lock()
"""Held while a large answer is decoded, which takes several times its bytes for a moment."""


@dataclass(frozen=True, slots=True)
class InvalidBody:
    """
    A success that says nothing usable, and why.

    :param unreadable: it may be an answer about what was asked for, but cannot be read.
    """

    reason: str
    unreadable: bool = False


def parse_body(
    answer: HttpResponse, expects: ResponseKind, scrub: Redactor = REDACT
) -> dict[str, Any] | InvalidBody:
    """
    Read the body of a success.

    A proxy or a login page in between may well answer 200, so the body decides whether the service has spoken.
    What it says is data from outside: see :func:`~airflow_sentinelhub.jobs.untrusted_json.clean`.

    :param scrub: takes secrets out of it.
    :return: the object; an empty one where nothing is expected.
    """
    if answer.is_html:
        return InvalidBody(f"a page of HTML ({answer.status}), which comes from a proxy or gateway in between")
    match expects:
        case ResponseKind.NOTHING:
            return {}
        case ResponseKind.OBJECT | ResponseKind.PAGE:
            pass
        case _:
            assert_never(expects)
    if not answer.body.strip():
        return InvalidBody(f"an empty answer ({answer.status})")
    if sum(map(answer.body.count, _MARKS)) > MOST_MARKS:
        return InvalidBody(f"JSON of more values than any real answer has ({answer.status})", unreadable=True)
    with _ONE_LARGE_ANSWER if len(answer.body) > _LARGE else nullcontext():
        return _read(answer, expects, scrub)


def _read(answer: HttpResponse, expects: ResponseKind, scrub: Redactor) -> dict[str, Any] | InvalidBody:
    try:
        payload = parse_json(answer.body)
    except InvalidJson:
        return InvalidBody(f"truncated or broken JSON ({answer.status})", unreadable=True)
    if not isinstance(payload, dict):
        return InvalidBody(f"JSON that is no object ({answer.status})", unreadable=True)
    if expects is ResponseKind.PAGE and not (isinstance(payload.get("data"), list) or _is_empty_page(payload)):
        return InvalidBody(f"JSON that is no page of a list ({answer.status})", unreadable=True)
    # How to go on in a list is never shown, and a cursor may look like a token.
    links = payload.pop("links", None) if expects is ResponseKind.PAGE else None
    usable: dict[str, Any] = clean(payload, redact=scrub, limits=DOCUMENT)
    return usable if links is None else {**usable, "links": clean(links, redact=None, limits=DOCUMENT)}


def _is_empty_page(payload: dict[str, Any]) -> bool:
    # By the schema every part of a page may be missing.
    return payload.get("data") is None and payload.keys() <= {"data", "links"}
