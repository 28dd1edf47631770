"""Keeping the keys of a bucket apart from the request in which a DAG's author wrote them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_sentinelhub.jobs.coordinates import is_coordinates
from airflow_sentinelhub.jobs.limit import is_template
from airflow_sentinelhub.jobs.redaction import is_secret_name

_STAND_IN = "***** ({})"
_FIELD = re.compile(r"""["'](?P<name>[\w.-]{1,64})["']\s{0,20}:\s{0,20}""")
_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|\b(?:True|False|None)\b""", re.DOTALL)
_LONGEST_LITERAL = 1_000_000  # characters: Python's parser takes half a second and 100 MB for so many
_TEXT = re.compile(r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'""", re.DOTALL)


class SecretPlaceholders:
    """
    Takes keys out of a request, and puts them back.

    Airflow shows what a template field holds: in its UI, in the stored form of the DAG, and in the log when a
    template cannot be rendered. So a request that is a template field has stand-ins for its keys.
    A key that is still a template is left: rendering it comes first.
    """

    __slots__ = ("_keys",)  # who prints an operator's attributes sees no more than the repr

    def __init__(self) -> None:
        self._keys: list[Any] = []

    def __repr__(self) -> str:
        return f"<SecretPlaceholders {len(self._keys)}>"

    def mask(self, request: Any) -> Any:
        """
        Return a request with stand-ins instead of keys.

        :param request: a request, its JSON text, a template of it, or what will give it. A text that is no
            template any more becomes what it stands for.
        """
        if isinstance(request, str):
            read = read_request(request)
            if read is None:
                return self._mask_in_text(request)
            request = read
        return self._mask(request)

    def unmask(self, request: Any) -> Any:
        """Return a request with its keys."""
        if isinstance(request, Mapping):
            return {name: self.unmask(value) for name, value in request.items()}
        if isinstance(request, list | tuple):
            return request if is_coordinates(request) else [self.unmask(value) for value in request]
        if isinstance(request, str):
            for number, key in enumerate(self._keys, 1):
                if request == _STAND_IN.format(number):
                    return key
        return request

    def _mask(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                name: self._stand_in(each) if is_secret_name(str(name)) else self._mask(each)
                for name, each in value.items()
            }
        if isinstance(value, list | tuple):
            return value if is_coordinates(value) else [self._mask(each) for each in value]
        return value

    def _mask_in_text(self, text: str) -> str:
        parts: list[str] = []
        done = 0
        for name in _FIELD.finditer(text):
            value = _TEXT.match(text, name.end()) if is_secret_name(name["name"]) else None
            if value is None or name.start() < done:
                continue
            key = _unquoted(value[0])
            stand_in = self._stand_in(key)
            if stand_in is not key:
                parts += text[done : value.start()], json.dumps(stand_in)
                done = value.end()
        return "".join([*parts, text[done:]])

    def _stand_in(self, key: Any) -> Any:
        if not key or is_template(key) or (isinstance(key, str) and self.unmask(key) is not key):
            return key
        if key not in self._keys:
            self._keys.append(key)
            _mask(key)
        return _STAND_IN.format(self._keys.index(key) + 1)


def _unquoted(text: str) -> Any:
    try:
        return ast.literal_eval(text) if text.startswith("'") else json.loads(text, strict=False)
    except (ValueError, SyntaxError):
        return text[1:-1]


def literal_fields(text: str) -> Iterator[str]:
    """
    Find the fields of a text that are named like keys, and whose value is no template.

    :param text: a request, or the template of one.
    """
    for name in _FIELD.finditer(text):
        value = _TEXT.match(text, name.end()) if is_secret_name(name["name"]) else None
        if value is not None and (key := _unquoted(value[0])) and not is_template(key):
            yield name["name"]


def read_request(text: str) -> Any:
    """
    Read the text of a request.

    :param text: JSON, or a dictionary as Python writes it.
    :return: the request; ``None`` if the text is none (yet).
    """
    text = text.strip()
    if not text.startswith("{") or text.startswith(("{{", "{%", "{#")):
        return None
    # The latter two: a dictionary that Jinja wrote into a text.
    for read in (json.loads, _read_python, ast.literal_eval):
        if read is ast.literal_eval and len(text) > _LONGEST_LITERAL:
            break
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _read_python(text: str) -> Any:
    """Read a dictionary as Python writes it, by way of JSON: for a large one that is ten times as fast."""
    return json.loads(_LITERAL.sub(lambda found: json.dumps(ast.literal_eval(found[0])), text))


def _mask(key: Any) -> None:
    """Mask a secret in Airflow, so that it does not appear in a log either."""
    if isinstance(key, Mapping):
        for each in key.values():
            _mask(each)
    elif isinstance(key, str):
        from airflow.providers.common.compat.sdk import mask_secret

        mask_secret(key)
