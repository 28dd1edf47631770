"""
Compares answers of the emulator with an OpenAPI document.

What a test scripted (faults, fields whose content it chose) is left out; the emulator says what that is.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from airflow_sentinelhub.emulator.response_recorder import RecordedResponse

BASE = "urn:openapi"
LEGACY = [
    (re.compile(r"^/api/v2/batch/"), "/batch/v2/"),
    (re.compile(r"^/api/v1/statistics/batch(?=/|$)"), "/statistics/batch/v1"),
]
NOT_DESCRIBED = re.compile(r"^/auth/realms/")


class Unmentioned(NamedTuple):
    """
    An answer that the document does not have.

    :param where: regular expression for method and path template.
    :param reason: why the emulator sends it all the same.
    """

    where: str
    status: int
    schema: dict[str, Any]
    reason: str


class OpenApiCheck:
    """
    A document, ready to be compared with answers.

    :param document: OpenAPI 3.1.
    :param error: schema of an error as most answers have it.
    :param requests: names of schemas of requests. Users may put anything into their requests; all else that an
        answer holds is the service's own, so nothing is allowed there that the document does not name.
    :param unmentioned: answers that it does not have.
    """

    def __init__(
        self,
        document: dict[str, Any],
        *,
        error: dict[str, Any],
        requests: Set[str],
        unmentioned: Sequence[Unmentioned] = (),
    ) -> None:
        from jsonschema import FormatChecker
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        self.document = document
        self._error = error
        self._requests = requests
        self._unmentioned = unmentioned
        self._paths = [(_pattern(path), path) for path in document["paths"]]
        self._registry = Registry().with_resource(BASE, DRAFT202012.create_resource(document))
        self._formats = FormatChecker(())
        for name, check in FORMATS.items():
            self._formats.checks(name, raises=ValueError)(check)
        self._kind = _validator_that_remembers(requests)
        self._validators: dict[str, Any] = {}

    def violations(self, answer: RecordedResponse) -> list[str] | None:
        """What is wrong with an answer; ``None`` if the document has nothing to say of it."""
        if answer.scripted or NOT_DESCRIBED.match(answer.path):
            return None
        template = self._template(answer.path)
        operation = self.document["paths"].get(template, {}).get(answer.method.lower())
        wrong = self._compare(answer, f"{answer.method} {template}", operation)
        return [f"{answer.method} {answer.path} gave {answer.status}: {each}" for each in wrong]

    def _template(self, path: str) -> str:
        """The path as the document spells it, in the new layout; the one with the fewest placeholders."""
        for legacy, new in LEGACY:
            path = legacy.sub(new, path)
        found = [template for pattern, template in self._paths if pattern.fullmatch(path)]
        return min(found, key=lambda template: template.count("{"), default=path)

    def _compare(self, answer: RecordedResponse, known: str, operation: dict[str, Any] | None) -> list[str]:
        if answer.status in (401, 403) and not answer.body:
            return []  # seen with a body, described without one
        for each in self._unmentioned:
            if each.status == answer.status and re.fullmatch(each.where, known):
                return self._validate(answer, str(each.schema), each.schema)
        if operation is None and answer.status in (404, 405):
            return self._validate(answer, str(self._error), self._error)
        if operation is None:
            return [f"there is no {known} in the document"]
        response = operation["responses"].get(str(answer.status))
        if response is None:
            return [f"{known} has only {', '.join(sorted(operation['responses']))} in the document"]
        response = resolved(self.document, response)
        if "content" not in response:
            return [f"there should be no body, but was {answer.body!r}"] if answer.body else []
        schema = response["content"]["application/json"]["schema"]
        return self._validate(answer, f"{known} {answer.status}", schema)

    def _validate(self, answer: RecordedResponse, name: str, schema: dict[str, Any]) -> list[str]:
        if answer.headers.get("content-type") != "application/json":
            return [f"content type {answer.headers.get('content-type')}"]
        try:
            shown = json.loads(answer.body)
        except ValueError:
            return [f"no JSON: {answer.body!r}"]
        for job in _jobs(shown):
            for field in answer.scripted_fields:
                job.pop(field, None)
        if name not in self._validators:
            self._validators[name] = self._kind(
                _absolute(self._closed(schema)), registry=self._registry, format_checker=self._formats
            )
        errors = self._validators[name].iter_errors(shown)
        return [f"{error.json_path}: {error.message}"[:500] for error in errors]

    def _closed(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The same, with nothing allowed that it does not name; not so within a job's request."""
        if "$ref" in schema:
            is_request = schema["$ref"].rpartition("/")[2] in self._requests
            return schema if is_request else {**schema, "unevaluatedProperties": False}
        if schema.get("type") == "array":
            return {**schema, "items": self._closed(schema["items"])}
        if "properties" not in schema:
            return schema
        inner = {name: self._closed(each) for name, each in schema["properties"].items()}
        return {**schema, "properties": inner, "unevaluatedProperties": False}


def own_check() -> OpenApiCheck:
    """The project's own document, made ready."""
    from airflow_sentinelhub.emulator.schemas import load_document

    return OpenApiCheck(
        load_document(),
        error={"$ref": "#/components/schemas/WrappedError"},
        requests={"ImageRequest", "ProcessRequest", "StatisticalRequest"},
    )


def _validator_that_remembers(schemas: Set[str]) -> Any:
    """A validator that does not look twice at what fitted one of these schemas: that is what takes its time."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    good: set[tuple[str, str]] = set()
    look = Draft202012Validator.VALIDATORS["$ref"]

    def ref(validator: Any, reference: str, instance: Any, schema: Any) -> Iterator[Any]:
        if reference.rpartition("/")[2] not in schemas:
            yield from look(validator, reference, instance, schema)
            return
        seen = reference, json.dumps(instance)
        if seen not in good:
            errors = list(look(validator, reference, instance, schema))
            if not errors:
                good.add(seen)
            yield from errors

    return extend(Draft202012Validator, {"$ref": ref})


def _absolute(schema: Any) -> Any:
    """The same, with references that lead into the document from anywhere."""
    if isinstance(schema, dict):
        return {
            name: BASE + each if name == "$ref" and each.startswith("#") else _absolute(each)
            for name, each in schema.items()
        }
    return [_absolute(each) for each in schema] if isinstance(schema, list) else schema


def _jobs(shown: Any) -> list[dict[str, Any]]:
    found = shown.get("data", [shown]) if isinstance(shown, dict) else []
    return [job for job in found if isinstance(job, dict)]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))


def at(document: Any, pointer: str) -> Any:
    """The part of a document that a JSON pointer (without its first slash) leads to."""
    for name in pointer.split("/"):
        document = document[name.replace("~1", "/").replace("~0", "~")]
    return document


def resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The part itself, or what it refers to."""
    while "$ref" in part:
        part = at(document, part["$ref"].removeprefix("#/"))
    return part


def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(uuid.UUID(value)) == value


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or (datetime.fromisoformat(value).tzinfo is not None and "T" in value)


def _is_address(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


FORMATS = {"uuid": _is_uuid, "date-time": _is_time, "uri": _is_address}
