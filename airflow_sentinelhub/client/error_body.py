"""The service's own words: what the body of a refusal says, in any of its forms."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import Any

from airflow_sentinelhub.client.http_response import HttpResponse
from airflow_sentinelhub.jobs.plain_text import LONGEST_LINE, encodable
from airflow_sentinelhub.jobs.redaction import LONGEST_SECRET, Redactor
from airflow_sentinelhub.jobs.untrusted_json import RECORD, InvalidJson, clean, parse_json

LONGEST_CODE = 100
"""Characters of an error code."""

_LARGEST_JSON = 1_000_000
"""Bytes of a body that is read as JSON; a refusal has a few hundred."""

_READ = 16_384
"""Characters of a page that are looked at: its heading comes early."""

_TAG = re.compile(r"<[^<>]{0,300}>")
# html.unescape() would make a number of it, however long it is.
_NO_CHARACTER = re.compile(rf"&#[0-9]{{8,{2 * _READ}}}+;?")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """
    Texts of an error body.

    :param message: the message, without secrets, at most 1,000 characters.
    :param code: error code, such as ``COMMON_BAD_PAYLOAD`` or ``invalid_client``.
    """

    message: str | None = None
    code: str | None = None

    def __str__(self) -> str:
        quoted = f'"{self.message}"' if self.message else None
        return ": ".join(word for word in (self.code, quoted) if word)


def parse_error_body(answer: HttpResponse, scrub: Redactor) -> ErrorBody:
    """
    Read the body of an answer that is no success.

    Four forms are known: ``{"error": {"message", "code", "errors"}}`` of the APIs, the same without its wrapper
    (429), ``{"error", "error_description"}`` of the token endpoint, and the pages of proxies.

    :param scrub: takes out secrets before the text is cut, as half a secret is not recognised.
    """
    if answer.is_html:
        return ErrorBody(_line(_heading(_text(answer.body, scrub)), scrub))
    try:
        payload = _json(answer.body, scrub)
    except InvalidJson:
        return ErrorBody(_line(_text(answer.body, scrub), scrub))
    if not isinstance(payload, dict):
        return ErrorBody(_line(payload if isinstance(payload, str) else None, scrub))
    inner = payload.get("error")
    if not isinstance(inner, dict):
        described = payload.get("error_description") or payload.get("message")
        return ErrorBody(_line(described, scrub), _line(payload.get("code") or inner, scrub, LONGEST_CODE))
    message = inner.get("message") or inner.get("reason")
    if inner.get("errors"):
        # What exactly was wrong with a request: without it "Bad Request" is all there is.
        message = f"{message or ''} {json.dumps(inner['errors'], ensure_ascii=False)}"
    return ErrorBody(_line(message, scrub), _line(inner.get("code"), scrub, LONGEST_CODE))


def _json(body: bytes, scrub: Redactor) -> Any:
    if len(body) > _LARGEST_JSON:
        raise InvalidJson("it is too long")
    return clean(parse_json(body), redact=scrub, limits=RECORD)


def _text(body: bytes, scrub: Redactor) -> str:
    # Cut before all else; secrets go first of what is left, as their halves are not recognised.
    return scrub.excerpt(encodable(body[: _READ + 3 * LONGEST_SECRET].decode(errors="replace")), _READ)


def _heading(page: str) -> str:
    """Find what a page is called; all of its text, if it does not say."""
    raw = page.encode()
    lowered = raw.lower()
    for name in (b"title", b"h1"):
        start = lowered.find(b"<" + name)
        opened = lowered.find(b">", start)
        end = lowered.find(b"</" + name, opened)
        if -1 < start < opened < end:
            page = raw[opened + 1 : end].decode()
            break
    return html.unescape(_NO_CHARACTER.sub("\ufffd", _TAG.sub(" ", page)))


def _line(text: Any, scrub: Redactor, longest: int = LONGEST_LINE) -> str | None:
    if text is None:
        return None
    line = scrub.line(str(text), 2 * longest)
    return (line if len(line) <= longest else f"{line[: longest - 1]}…") or None
