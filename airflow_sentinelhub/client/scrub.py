"""Keeping secrets out of what people read."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "*****"
"""What stands for a secret; the service itself writes it so in its answers."""

CREDENTIAL_KEYS = frozenset({"accessKey", "secretAccessKey", "credentials"})
"""Keys of a request under which users hand the service the keys of their bucket."""

_NAMED = re.compile(
    r"""(["']?\b(?:accessKey|secretAccessKey|client_secret|access_token)\b["']?\s*[:=]\s*|["']credentials["']\s*:\s*)"""
    r"""("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&)}\]]+)""",
    re.IGNORECASE,
)
_SHAPED = re.compile(
    r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"  # JSON web token
    r"|(?<=Bearer )[\w.~+/=-]{16,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # id of an AWS access key
)


class Scrubber:
    """
    Replaces secrets in text: those it was given, however they are escaped, and what looks like one.

    :param secrets: the texts that must not appear; empty ones are ignored.
    """

    def __init__(self, *secrets: str) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        forms = sorted({form for secret in self._secrets for form in _forms(secret)}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, forms)), re.IGNORECASE) if forms else None

    def knowing(self, *secrets: str) -> Scrubber:
        """Return a scrubber that knows more secrets."""
        return Scrubber(*self._secrets, *secrets)

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _SHAPED.sub(MASK, _NAMED.sub(rf"\g<1>{MASK}", text))


def mask_credentials(payload: dict[str, Any]) -> dict[str, Any]:
    """
    Mask bucket keys in one object of an answer, in place; an ``object_hook`` for :func:`json.loads`.

    The service echoes a job's request. It masks ``accessKey`` itself, but not always ``secretAccessKey``.
    """
    for key in CREDENTIAL_KEYS & payload.keys():
        if payload[key] is not None:
            payload[key] = MASK
    return payload


def credentials_in(payload: object) -> Iterator[str]:
    """Find the bucket keys in a request, however deep."""
    if isinstance(payload, dict):
        for key, value in payload.items():
            if key in CREDENTIAL_KEYS and isinstance(value, str):
                yield value
            else:
                yield from credentials_in(value)
    elif isinstance(payload, list | tuple):
        for value in payload:
            yield from credentials_in(value)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield html.escape(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
