"""Docstrings are reST, the pages Markdown: what differs in ours are the roles and the literal blocks."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|meth|func|attr|data|mod|exc):`(?P<short>~)?(?P<name>[^`]+)`")


class Roles(griffe.Extension):
    """Write ``:class:`~a.b.C``` as code: ``C``."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring before it is read."""
        if obj.docstring:
            obj.docstring.value = _ROLE.sub(_as_code, obj.docstring.value)


def _as_code(role: re.Match[str]) -> str:
    name = role["name"].rpartition(".")[2] if role["short"] else role["name"].lstrip(".")
    return f"`{name}`"
