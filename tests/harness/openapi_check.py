"""
Compares every answer of every emulator of this process with the official API reference.

A test fails if the emulator sent something during it that the reference does not describe. Left out are faults,
and fields whose content the test itself chose; the emulator says which they are. Without the document, which does
not belong to this repository, nothing is checked.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_sentinelhub.emulator.observing import Answer, observe

DOCUMENT = Path(__file__).parents[3] / "shared" / "data" / "sentinelhub-openapi-2026-08.yaml"
SCHEMAS = "components/schemas/"
BASE = "urn:openapi"

# What the document gets wrong: where, how it is mended, and why. Sections are those of sentinelhub-api.md.
MISTAKES: list[tuple[str, Callable[[Any], object], str]] = [
    (
        SCHEMAS + "BatchV2RasterOutput",
        lambda schema: schema["required"].remove("group"),
        "5.3: belongs to zarr output, no documented raster request has it",
    ),
    (
        SCHEMAS + "BatchStatisticsTaskStatusDto/properties/stoppedStatusReason",
        lambda schema: schema["enum"].append("UNHEALTHY"),
        "6.2: the prose of Batch Statistical adds it",
    ),
    (
        SCHEMAS + "ProcessRequestInputForBatchV2",
        lambda schema: schema["required"].remove("bounds"),
        "5.3: optional with a GeoPackage; with a tiling grid the emulator insists on it",
    ),
    (
        SCHEMAS + "ProcessRequestInputData/items",
        lambda schema: schema.update(anyOf=schema.pop("oneOf")),
        "the last of the alternatives (BYOC) takes any type, so that every dataset fits two of them",
    ),
    (
        SCHEMAS + "ProcessRequestOutputBatchV2Response/properties/identifier",
        lambda schema: schema.pop("enum"),
        "5.2: lists the placeholder <identifier> as if it were a word; a real task had VV",
    ),
    (
        SCHEMAS + "ProcessRequestOutputBatchResponse/properties/identifier",
        lambda schema: schema.pop("enum"),
        "4.2: the same in the schemas that V1 left behind; the example has default",
    ),
    (
        "paths/~1batch~1v2~1process~1{taskId}/put/responses/400",
        lambda answer: answer.update({"$ref": "#/components/responses/400"}),
        "5.1: refers to the answer 401",
    ),
]

# Answers that the document does not mention, and why the emulator sends them all the same.
ERROR = {"$ref": "#/components/schemas/Boom"}
WRAPPED = {"type": "object", "required": ["error"], "properties": {"error": ERROR}}
UNMENTIONED: list[tuple[str, int, dict[str, Any], str]] = [
    (r".*", 401, WRAPPED, "2.1: without a body in the document, seen with one"),
    (r".*", 403, WRAPPED, "2.1: without a body in the document, seen with one"),
    (r".*", 405, WRAPPED, "3.4: no path has it, but there is an error code for it"),
    (r".*", 415, WRAPPED, "3.4: no path has it, but there is an error code for it"),
    (r".*", 429, ERROR, "3.2: rate limits are described in prose, where the error is not wrapped"),
    (r"GET .*/(process|batch/v1|tiles)", 400, WRAPPED, "9: what nonsense in a query brings is not documented"),
    (r"POST /statistics/batch/v1/\{requestId\}/stop", 400, WRAPPED, "6.1: missing here and nowhere else"),
]

LEGACY = [
    (re.compile(r"^/api/v2/batch/"), "/batch/v2/"),
    (re.compile(r"^/api/v1/statistics/batch(?=/|$)"), "/statistics/batch/v1"),
]
NOT_DESCRIBED = re.compile(r"^/auth/realms/")
# Users may put anything into their requests; all else that an answer holds is the service's own, and described.
REQUESTS = {"BatchV2ProcessRequest", "BatchStatisticalRequest", "ProcessRequestForBatch"}
OPEN = {"#/components/schemas/BatchV2ProcessRequest"}


class OpenApiCheck:
    """
    The document, ready to be compared with answers.

    :param document: as it was read; it is mended in place.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        from jsonschema import FormatChecker
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        for pointer, mend, _ in MISTAKES:
            mend(at(document, pointer))
        document["paths"] |= _paths_of_v1()
        self._document = document
        self._paths = [(_pattern(path), path) for path in document["paths"]]
        self._registry = Registry().with_resource(BASE, DRAFT202012.create_resource(document))
        self._formats = FormatChecker(())
        for name, check in FORMATS.items():
            self._formats.checks(name, raises=ValueError)(check)
        self._kind = _validator_that_remembers(REQUESTS)
        self._validators: dict[str, Any] = {}

    def violations(self, answer: Answer) -> list[str] | None:
        """What is wrong with an answer; ``None`` if the document has nothing to say of it."""
        if answer.scripted or NOT_DESCRIBED.match(answer.path):
            return None
        template = self._template(answer.path)
        operation = self._document["paths"].get(template, {}).get(answer.method.lower())
        wrong = self._compare(answer, f"{answer.method} {template}", operation)
        return [f"{answer.method} {answer.path} gave {answer.status}: {each}" for each in wrong]

    def _template(self, path: str) -> str:
        """The path as the document spells it, in the new layout; the one with the fewest placeholders."""
        for legacy, new in LEGACY:
            path = legacy.sub(new, path)
        found = [template for pattern, template in self._paths if pattern.fullmatch(path)]
        return min(found, key=lambda template: template.count("{"), default=path)

    def _compare(self, answer: Answer, known: str, operation: dict[str, Any] | None) -> list[str]:
        for where, status, error, _ in UNMENTIONED:
            if status == answer.status and re.fullmatch(where, known):
                if status in (401, 403) and not answer.body:
                    return []
                return self._validate(answer, str(error), error)
        if operation is None and answer.status == 404:
            return self._validate(answer, str(WRAPPED), WRAPPED)
        if operation is None:
            return [f"there is no {known} in the document"]
        response = operation["responses"].get(str(answer.status))
        if response is None:
            return [f"{known} has only {', '.join(operation['responses'])} in the document"]
        while "$ref" in response:
            response = at(self._document, response["$ref"].removeprefix("#/"))
        if "content" not in response:
            return [f"there should be no body, but was {answer.body!r}"] if answer.body else []
        schema = response["content"]["application/json"]["schema"]
        return self._validate(answer, f"{known} {answer.status}", schema)

    def _validate(self, answer: Answer, name: str, schema: dict[str, Any]) -> list[str]:
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
                _absolute(_closed(schema)), registry=self._registry, format_checker=self._formats
            )
        errors = self._validators[name].iter_errors(shown)
        return [f"{error.json_path}: {error.message}"[:500] for error in errors]


def _validator_that_remembers(schemas: set[str]) -> Any:
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


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, with nothing allowed that it does not name; not so within a job's request."""
    if "$ref" in schema:
        return schema if schema["$ref"] in OPEN else {**schema, "unevaluatedProperties": False}
    if schema.get("type") == "array":
        return {**schema, "items": _closed(schema["items"])}
    if "properties" not in schema:
        return schema
    inner = {name: _closed(each) for name, each in schema["properties"].items()}
    return {**schema, "properties": inner, "unevaluatedProperties": False}


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


def _paths_of_v1() -> dict[str, Any]:
    """What section 4.1 says of V1, with the schema of a job that the document still has."""

    def gives(status: str, schema: dict[str, Any] | None, *errors: str) -> dict[str, Any]:
        content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
        refused = {each: {"$ref": f"#/components/responses/{each}"} for each in errors}
        return {"responses": {status: content} | refused}

    def page(items: dict[str, Any]) -> dict[str, Any]:
        links = {"$ref": "#/components/schemas/View"}
        return {"type": "object", "properties": {"data": {"type": "array", "items": items}, "links": links}}

    job = {"$ref": "#/components/schemas/BatchProcessRequest"}
    # Of tiles only the origin is left; of grids V1 and V2 have the same.
    origin = {"$ref": "#/components/schemas/BatchTileOrigin"}
    tile = {"type": "object", "properties": {"origin": origin}, "additionalProperties": True}
    grid = {"$ref": "#/components/schemas/BatchV2TilingGridDescriptor"}
    jobs, grids = "/api/v1/batch/process", "/api/v1/batch/tilinggrids"
    return {
        jobs: {"post": gives("201", job, "400"), "get": gives("200", page(job))},
        jobs + "/{id}": {
            "get": gives("200", job, "404"),
            "put": gives("200", job, "400", "404", "409"),
            "delete": gives("204", None, "404", "409"),
        },
        **{
            f"{jobs}/{{id}}/{action}": {"post": gives("204", None, "400", "404")}
            for action in ("analyse", "start", "cancel", "restartpartial")
        },
        jobs + "/{id}/tiles": {"get": gives("200", page(tile), "404")},
        jobs + "/{id}/tiles/{tileId}": {"get": gives("200", tile, "404")},
        grids: {"get": gives("200", page(grid))},
        grids + "/{id}": {"get": gives("200", grid, "400")},
    }


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))


def at(document: Any, pointer: str) -> Any:
    for name in pointer.split("/"):
        document = document[name.replace("~1", "/").replace("~0", "~")]
    return document


def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(uuid.UUID(value)) == value


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or (datetime.fromisoformat(value).tzinfo is not None and "T" in value)


def _is_address(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


FORMATS = {"uuid": _is_uuid, "date-time": _is_time, "uri": _is_address}


class Recorder:
    """
    Looks at answers, and keeps what is wrong with them until a test is over.

    :param check: ``None`` without the document.
    """

    def __init__(self, check: OpenApiCheck | None) -> None:
        self._check = check
        self._wrong: list[str] = []
        self.counts = Counter[str]()

    def __call__(self, answer: Answer) -> None:
        """Look at an answer, in the thread of the server that is about to send it."""
        if self._check is None:
            return
        try:
            wrong = self._check.violations(answer)
        except Exception as error:  # the server must not be what suffers from a mistake in here
            wrong = [f"{answer.method} {answer.path} could not be checked: {error!r}"]
        self.counts["scripted" if answer.scripted else "not described" if wrong is None else "checked"] += 1
        self._wrong += wrong or []

    def take(self) -> list[str]:
        """What was wrong since the last time."""
        wrong, self._wrong = self._wrong, []
        return wrong


def read_document() -> dict[str, Any]:
    """The document as it is."""
    import yaml

    # The loader in C takes a tenth of the time; not every build of PyYAML has it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load(DOCUMENT.read_text(), Loader=loader)
    return document


def load() -> OpenApiCheck | None:
    """The document made ready, if it is there."""
    return OpenApiCheck(read_document()) if DOCUMENT.exists() else None


_RECORDER = pytest.StashKey[Recorder]()


@pytest.fixture(scope="session", autouse=True)
def observed_answers(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """Every answer of the session, also those between two tests."""
    recorder = request.config.stash[_RECORDER] = Recorder(load())
    with observe(recorder):
        yield recorder


@pytest.fixture(autouse=True)
def answers_follow_the_api_reference(observed_answers: Recorder) -> Iterator[None]:
    """Fail if one of them did not."""
    yield
    if wrong := observed_answers.take():
        found = "\n".join(wrong[:20])
        pytest.fail(f"The emulator sent what the API reference does not have:\n{found}", pytrace=False)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how much was compared, or that nothing was."""
    recorder = config.stash.get(_RECORDER, None)
    if not DOCUMENT.exists():
        terminalreporter.write_line(f"OpenAPI: the emulator's answers were not checked, there is no {DOCUMENT}")
    elif recorder is not None and recorder.counts:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(recorder.counts.items()))
        terminalreporter.write_line(f"OpenAPI: of the emulator's answers {counts}")
