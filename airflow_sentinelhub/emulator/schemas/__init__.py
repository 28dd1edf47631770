"""
OpenAPI document of the emulator's requests and answers, written by this project itself.

The files beside this one are its parts. The tests compare every answer of the emulator with it.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

_METHODS = ("get", "post", "put", "delete")


def load_document() -> dict[str, Any]:
    """
    Read the document: OpenAPI 3.1, complete in itself.

    Paths are in the new URL layout, except those of Batch Process V1, which has none.
    """
    import yaml  # type: ignore[import-untyped]  # here, as serving does not need it

    # The loader in C takes a tenth of the time; not every build of PyYAML has it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = {"paths": {}, "components": {}}
    for file in sorted(resources.files(__package__).iterdir(), key=lambda each: each.name):
        if file.name.endswith(".yaml"):
            _add(document, yaml.load(file.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506 - a safe one
    _add_common_responses(document)
    return document


def _add(document: dict[str, Any], part: dict[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, dict):
            _add(document.setdefault(name, {}), value)
        elif name in document:
            raise ValueError(f"Two parts of the document have {name!r}")
        else:
            document[name] = value


def _add_common_responses(document: dict[str, Any]) -> None:
    """Add to each operation the answers that every operation may give."""
    common = {
        status: {"$ref": f"#/components/responses/{status}"}
        for status in document["components"]["responses"]
        if status.isdecimal()
    }
    for path in document["paths"].values():
        for method in _METHODS:
            if method in path:
                path[method]["responses"] = common | path[method]["responses"]
