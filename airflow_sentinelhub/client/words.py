"""The service's own words: what the body of a refusal says, in any of its forms."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import Any

from airflow_sentinelhub.client.answer import Answer
from airflow_sentinelhub.client.scrub import Scrubber, mask_credentials

LONGEST_MESSAGE = 1000

_HEADING = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class ServiceWords:
    """
    What an answer says for people.

    :param message: the message, without secrets, at most 1,000 characters.
    :param code: error code, such as ``COMMON_BAD_PAYLOAD`` or ``invalid_client``.
    """

    message: str | None = None
    code: str | None = None

    def __str__(self) -> str:
        quoted = f'"{self.message}"' if self.message else None
        return ": ".join(word for word in (self.code, quoted) if word)


def read_words(answer: Answer, scrub: Scrubber) -> ServiceWords:
    """
    Read the body of an answer that is no success.

    Four forms are known: ``{"error": {"message", "code", "errors"}}`` of the APIs, the same without its wrapper
    (429), ``{"error", "error_description"}`` of the token endpoint, and the pages of proxies.

    :param scrub: takes out secrets before the text is cut, as half a secret is not recognised.
    """
    if answer.is_html:
        return ServiceWords(_clean(_heading(answer.body), scrub))
    try:
        payload = json.loads(answer.body, object_hook=mask_credentials)
    except (ValueError, RecursionError):
        return ServiceWords(_clean(answer.body.decode(errors="replace"), scrub))
    if not isinstance(payload, dict):
        return ServiceWords(_clean(payload if isinstance(payload, str) else None, scrub))
    inner = payload.get("error")
    if not isinstance(inner, dict):
        described = payload.get("error_description") or payload.get("message")
        return ServiceWords(_clean(described, scrub), _clean(payload.get("code") or inner, scrub))
    message = inner.get("message") or inner.get("reason")
    if inner.get("errors"):
        # What exactly was wrong with a request: without it "Bad Request" is all there is.
        message = f"{message or ''} {json.dumps(inner['errors'], ensure_ascii=False)}"
    return ServiceWords(_clean(message, scrub), _clean(inner.get("code"), scrub))


def _heading(page: bytes) -> str:
    text = page.decode(errors="replace")
    found = _HEADING.search(text)
    return html.unescape(_TAG.sub(" ", found[2] if found else text))


def _clean(text: Any, scrub: Scrubber) -> str | None:
    if text is None:
        return None
    words = " ".join(scrub(str(text)).split())
    return (words if len(words) <= LONGEST_MESSAGE else f"{words[: LONGEST_MESSAGE - 1]}…") or None
