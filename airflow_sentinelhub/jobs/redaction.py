"""Secrets in what comes from outside: their names, how they look, and the one way to take them out of a text."""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

from airflow_sentinelhub.jobs.plain_text import LONGEST_LINE, cut, encodable, one_line

MASK = "*****"
"""What stands for a secret; the service itself writes it so in its answers."""

LONGEST_SECRET = 4096
"""Characters of a secret that are recognised. A token has about 1,500."""

# Compared without case, underscores, dashes and whatever comes before: aws_session_token, X-Amz-Signature.
_NAME_ENDS = (
    "accesskey",
    "accesskeyid",
    "accesstoken",
    "apikey",
    "apitoken",
    "authorization",
    "authtoken",
    "bearertoken",
    "credential",
    "credentials",
    "idtoken",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "refreshtoken",
    "sastoken",
    "secret",
    "secretkey",
    "securitytoken",
    "sessiontoken",
    "signature",
)
# Too short to be the end of a name: nextToken is no secret.
_WHOLE_NAMES = frozenset({"pwd", "sig", "token"})
_LONGEST_NAME = 64
_LAST_LETTERS = frozenset(
    letter for name in (*_NAME_ENDS, *_WHOLE_NAMES) for letter in (name[-1], name[-1].upper())
)

# In a text a secret follows its name and a separator, perhaps quoted, escaped (JSON in JSON) or percent-encoded.
_SEPARATOR = re.compile(r"[:=]|%(?:25){0,3}3[AaDd]")
_ENCODED_QUOTES = frozenset({"20", "22", "27", "5C", "5c"})
_AFTER_NAME = " \t\n\"'\\])"
_SCHEME = r"(?:[Bb]earer|[Bb]asic|[Dd]igest|[Tt]oken)\b"
_VALUE = re.compile(
    rf"""[=>:]{{0,2}}\s{{0,8}}(?P<value>
        \\{{1,4}}"[^"\\]{{0,{LONGEST_SECRET}}}+(?:\\{{1,4}}")?
        |"[^"\\]{{0,{LONGEST_SECRET}}}+(?:\\.[^"\\]{{0,{LONGEST_SECRET}}}+){{0,{LONGEST_SECRET}}}+"?
        |'[^'\\]{{0,{LONGEST_SECRET}}}+(?:\\.[^'\\]{{0,{LONGEST_SECRET}}}+){{0,{LONGEST_SECRET}}}+'?
        |\{{[^{{}}]{{0,{LONGEST_SECRET}}}+\}}?
        |(?:{_SCHEME}\s{{1,4}})?+(?!{_SCHEME})(?:[^\s,;&)}}\]"'<>\\%]|[,;](?=[^\s])|%(?!26)){{1,{LONGEST_SECRET}}}+
    )""",
    re.VERBOSE | re.DOTALL,
)
_SHORT_NAME = re.compile(rf"(?:^|[^A-Za-z])(?:{'|'.join(sorted(_WHOLE_NAMES))})$", re.IGNORECASE)

# What looks like a secret whatever comes before it. Each alternative takes all that it has looked at, or looks at
# a few characters only: the cost grows with the length of the text, and with nothing else.
_SHAPE = re.compile(
    rf"""(?P<bearer>[Bb][Ee][Aa][Rr][Ee][Rr](?:\s|%20|\+){{1,8}}+)
            (?!(?:auth[a-z]{{0,12}}|tokens?|realm|scheme|headers?|required|missing|invalid|expected|is|was|has)
                \.?(?![\w.~+/=-]))
            [\w.~+/=-]{{6,{LONGEST_SECRET}}}+
        |eyJ[\w-]{{14,{LONGEST_SECRET}}}+(?:\.[\w-]{{0,{LONGEST_SECRET}}}+){{0,2}}+   # JSON web token
        |\b(?:AKIA|ASIA)[0-9A-Z]{{16}}\b                                               # id of an AWS access key
        |\bPLAK[0-9a-f]{{32}}\b                                                        # key of a Planet account
        |-----BEGIN[ ][A-Z ]{{0,32}}PRIVATE[ ]KEY-----[\w\s+/=\\:,.-]{{0,{2 * LONGEST_SECRET}}}+
        |(?P<url>://)[^\s/?#"'<>]{{1,256}}(?=@)                                        # user and password
    """,
    re.VERBOSE,
)


# One of these is in every text, in lower case, that has a secret: most texts are spared the rest.
_HINT = re.compile(
    r"key|token|secret|pass|credential|signature|authorization|sig|pwd|bearer|eyj|akia|asia|plak|://"
)


def is_secret_name(name: str) -> bool:
    """
    Return whether a field of this name holds a secret.

    :param name: of a field, a parameter or a header; case, underscores, dashes and what comes before do not
        matter.
    """
    return _is_secret_name(name[-_LONGEST_NAME:])


@functools.lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    normal = "".join(filter(str.isalnum, name)).lower()
    return normal.endswith(_NAME_ENDS) or normal in _WHOLE_NAMES


def secrets_in(payload: object) -> Iterator[str]:
    """
    Find the secrets in a request, however deep.

    :param payload: what will be sent.
    """
    left = [payload]
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            for name, each in value.items():
                if isinstance(each, str) and is_secret_name(str(name)):
                    yield each
                else:
                    left.append(each)
        elif isinstance(value, list | tuple):
            left += value


class Redactor:
    """
    Takes secrets out of text: those that it was given, in any spelling, and what is named or looks like one.

    Its cost grows with the length of the text, and with nothing else. :meth:`excerpt` and :meth:`line` bound it.

    :param secrets: the texts that must not appear, such as the connection's secret; empty ones are ignored.
    """

    __slots__ = ("_known", "_secrets")

    def __init__(self, *secrets: str) -> None:
        self._secrets = tuple(dict.fromkeys(secret for secret in secrets if secret))
        forms = sorted({form for secret in self._secrets for form in _forms(secret)}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, forms)), re.IGNORECASE) if forms else None

    def __repr__(self) -> str:
        return f"<Redactor {len(self._secrets)}>"

    def with_secrets(self, *secrets: str) -> Redactor:
        """Return a redactor that knows more secrets."""
        return Redactor(*self._secrets, *secrets)

    def __call__(self, text: str) -> str:
        """Return the text with :data:`MASK` in place of secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if _HINT.search(text.lower()) is None:
            return text
        return _without_named(_SHAPE.sub(_masked, text))

    def excerpt(self, text: str, longest: int) -> str:
        """
        Return the beginning of a text without secrets.

        :param text: any text.
        :param longest: characters of the result.
        """
        shown = longest + LONGEST_SECRET
        if len(text) <= shown:
            return cut(self(text), longest)
        # A secret that is cut in two is not recognised, so as much as it may have goes as well.
        clean = self(text[: shown + LONGEST_SECRET])
        return cut(f"{clean[:-LONGEST_SECRET]}...", longest)

    def line(self, text: str, longest: int = LONGEST_LINE) -> str:
        """
        Return a text as a log or an exception may show it: one printable line without secrets.

        :param text: any text.
        :param longest: characters of the result.
        """
        # Spaces may be most of it, and are folded.
        looked_at = 16 * longest
        return one_line(self.excerpt(encodable(text[: looked_at + 3 * LONGEST_SECRET]), looked_at), longest)


REDACT = Redactor()
"""Takes out what is named or looks like a secret, where no others are known."""


def _masked(found: re.Match[str]) -> str:
    return f"{found['bearer'] or found['url'] or ''}{MASK}"


def _without_named(text: str) -> str:
    parts: list[str] = []
    done = 0
    for separator in _SEPARATOR.finditer(text):
        if separator.start() < done or not _follows_secret_name(text, done, separator):
            continue
        found = _VALUE.match(text, separator.end())
        if found is not None:
            parts += text[done : found.start("value")], MASK
            done = found.end("value")
    return "".join([*parts, text[done:]]) if parts else text


def _follows_secret_name(text: str, start: int, separator: re.Match[str]) -> bool:
    at = separator.start()
    before = text[max(start, at - _LONGEST_NAME) : at]
    name = before.rstrip(_AFTER_NAME)
    if name[-2:] in _ENCODED_QUOTES:
        name = name.rstrip("%0257Cc")
    if name[-1:] not in _LAST_LETTERS:  # spares most the rest
        return False
    if _is_secret_name(name):
        return True
    # "Unexpected token: }" is no secret, "?token=abc" is one.
    return name == before and separator[0] != ":" and _SHORT_NAME.search(name[-8:]) is not None


def _forms(secret: str) -> Iterator[str]:
    for each in (secret, encodable(secret)):
        yield each
        yield html.escape(each)
        yield json.dumps(each)[1:-1]
        yield json.dumps(each, ensure_ascii=False)[1:-1]
        yield repr(each)[1:-1]
    plain = encodable(secret)  # the others cannot be percent-encoded
    yield quote(plain)
    yield quote(plain, safe="")
    yield quote_plus(plain)
