"""
Compares what two OpenAPI documents say, however they are laid out.

Schemas are compared by what they demand (types, enums, required fields, formats, limits, names of fields), after
references and compositions are worked out. Alternatives are compared one by one where there are as many on both
sides, otherwise all together: what any of them allows, and what all of them require.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.harness.openapi_check import resolved

LIMITS = ("minimum", "maximum", "exclusiveMinimum", "minItems", "maxItems", "uniqueItems")
JSON = "application/json"
Schema = dict[str, Any]


class Difference(NamedTuple):
    """
    One thing on which they do not agree.

    :param where: method, path and the way to it.
    """

    where: str
    what: str
    ours: object
    theirs: object


class Comparison:
    """
    Two documents.

    :param ours: the one whose operations are compared; the other one may have more.
    """

    def __init__(self, ours: Schema, theirs: Schema) -> None:
        self._ours = ours
        self._theirs = theirs

    def differences(self) -> Iterator[Difference]:
        """All of them, operation by operation."""
        known = {_template(path): path for path in self._theirs["paths"]}
        for path, item in self._ours["paths"].items():
            for method in item.keys() & {"get", "post", "put", "delete"}:
                where = f"{method.upper()} {_template(path)}"
                theirs = self._theirs["paths"].get(known.get(_template(path), ""), {}).get(method)
                if theirs is None:
                    yield Difference(where, "operation", "there", "missing")
                else:
                    yield from self._operations(where, item[method], theirs)

    def missing_operations(self, paths: re.Pattern[str]) -> set[str]:
        """Operations that only the other document has, of those paths that the expression finds."""

        def all_of(document: Schema) -> set[str]:
            return {
                f"{method.upper()} {_template(path)}"
                for path, item in document["paths"].items()
                if paths.search(path)
                for method in item.keys() & {"get", "post", "put", "delete"}
            }

        return all_of(self._theirs) - all_of(self._ours)

    def _operations(self, where: str, ours: Schema, theirs: Schema) -> Iterator[Difference]:
        statuses = set(ours["responses"]), set(theirs["responses"])
        for status in statuses[0] ^ statuses[1]:
            yield Difference(where, f"status {status}", status in statuses[0], status in statuses[1])
        for status in statuses[0] & statuses[1]:
            answers = (
                resolved(self._ours, ours["responses"][status]),
                resolved(self._theirs, theirs["responses"][status]),
            )
            yield from self._contents(f"{where} {status}", *answers)
        yield from self._contents(f"{where} request", ours.get("requestBody", {}), theirs.get("requestBody", {}))
        yield from self._parameters(where, ours, theirs)

    def _parameters(self, where: str, ours: Schema, theirs: Schema) -> Iterator[Difference]:
        queries = [
            {
                each["name"]: each["schema"]
                for each in (resolved(document, named) for named in operation.get("parameters", ()))
                if each["in"] == "query"
            }
            for document, operation in ((self._ours, ours), (self._theirs, theirs))
        ]
        yield from self._named(f"{where} query", *queries)

    def _contents(self, where: str, ours: Schema, theirs: Schema) -> Iterator[Difference]:
        schemas = [each.get("content", {}).get(JSON, {}).get("schema") for each in (ours, theirs)]
        if None not in schemas:
            yield from self._schemas(where, *schemas)
        elif schemas != [None, None]:
            yield Difference(where, "body", schemas[0] is not None, schemas[1] is not None)

    def _schemas(self, where: str, ours: Schema, theirs: Schema) -> Iterator[Difference]:
        sides = _alternatives(self._ours, ours), _alternatives(self._theirs, theirs)
        if len(sides[0]) == len(sides[1]) > 1:
            for mine, other in zip(*(sorted(side, key=_order) for side in sides), strict=True):
                yield from self._demands(f"{where}({_name(mine)})", mine, other)
        else:
            yield from self._demands(where, _together(sides[0]), _together(sides[1]))

    def _demands(self, where: str, ours: Schema, theirs: Schema) -> Iterator[Difference]:
        for name in ("type", "enum", "required", "format", *LIMITS):
            if ours.get(name) != theirs.get(name):
                yield Difference(where, name, ours.get(name), theirs.get(name))
        yield from self._named(where, ours.get("properties", {}), theirs.get("properties", {}))
        for name in ("items", "additionalProperties"):
            mine, other = ours.get(name), theirs.get(name)
            if isinstance(mine, dict) and isinstance(other, dict):
                yield from self._schemas(f"{where}[]", mine, other)
            elif isinstance(mine, dict) != isinstance(other, dict):
                yield Difference(where, name, mine, other)

    def _named(self, where: str, ours: Schema, theirs: Schema) -> Iterator[Difference]:
        if ours.keys() != theirs.keys():
            yield Difference(where, "names", sorted(ours.keys() - theirs), sorted(theirs.keys() - ours))
        for name in ours.keys() & theirs.keys():
            yield from self._schemas(f"{where}.{name}", ours[name], theirs[name])


def _template(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _alternatives(document: Schema, schema: Schema) -> list[Schema]:
    """What the schema demands, without references and compositions; several if it has alternatives."""
    schema = resolved(document, schema)
    found = [_own_demands(schema)]
    for part in schema.get("allOf", ()):
        found = [_both(one, other) for one in found for other in _alternatives(document, part)]
    if choice := schema.get("oneOf") or schema.get("anyOf"):
        choices = [each for part in choice for each in _alternatives(document, part)]
        found = [_both(one, other) for one in found for other in choices]
    return found


def _own_demands(schema: Schema) -> Schema:
    kept = {
        name: schema[name]
        for name in ("properties", "items", "additionalProperties", "format", *LIMITS)
        if name in schema
    }
    if "enum" in schema:
        kept["enum"] = frozenset(schema["enum"])
    if schema.get("required"):
        kept["required"] = frozenset(schema["required"])
    if kept.get("format") == "integer":
        del kept["format"]  # no format: they mean the type
    types = schema.get("type", "object" if "properties" in schema else ())
    if types:
        kept["type"] = frozenset([types] if isinstance(types, str) else types)
    return kept


def _both(one: Schema, other: Schema) -> Schema:
    """What demands both."""
    merged = {**one, **other}
    if "enum" in one and "enum" in other:
        merged["enum"] = one["enum"] & other["enum"]
    if "required" in one or "required" in other:
        merged["required"] = one.get("required", frozenset()) | other.get("required", frozenset())
    if "properties" in one and "properties" in other:
        shared = one["properties"].keys() & other["properties"].keys()
        merged["properties"] = {**one["properties"], **other["properties"]} | {
            name: {"allOf": [one["properties"][name], other["properties"][name]]} for name in shared
        }
    return merged


def _together(alternatives: list[Schema]) -> Schema:
    """What any of them allows, and all of them require."""
    if len(alternatives) == 1:
        return alternatives[0]
    merged: Schema = {}
    for name in ("type", "enum"):
        if all(name in each for each in alternatives):
            merged[name] = frozenset().union(*(each[name] for each in alternatives))
    required = frozenset.intersection(*(each.get("required", frozenset()) for each in alternatives))
    if required:
        merged["required"] = required
    for name in ("format", *LIMITS):
        values = {each.get(name) for each in alternatives}
        if len(values) == 1 and None not in values:
            merged[name] = values.pop()
    for name in ("items", "additionalProperties"):
        parts = [each[name] for each in alternatives if isinstance(each.get(name), dict)]
        if parts:
            merged[name] = {"oneOf": parts}
    names = {name for each in alternatives for name in each.get("properties", ())}
    if names:
        merged["properties"] = {
            name: {
                "oneOf": [each["properties"][name] for each in alternatives if name in each.get("properties", ())]
            }
            for name in names
        }
    return merged


def _name(alternative: Schema) -> str:
    kind = alternative.get("properties", {}).get("type", {}).get("enum")
    return "/".join(kind or sorted(alternative.get("required", ())))


def _order(alternative: Schema) -> tuple[str, list[str]]:
    return _name(alternative), sorted(alternative.get("properties", ()))
