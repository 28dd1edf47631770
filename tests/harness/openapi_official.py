"""
Sentinel Hub's own OpenAPI document, which does not belong to this project: where it is, and what it gets wrong.

The environment variable ``SENTINELHUB_OPENAPI`` names the file. Sections are those of the notes on the service.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.harness.openapi_check import OpenApiCheck, Unmentioned, at

SETTING = "SENTINELHUB_OPENAPI"
SCHEMAS = "components/schemas/"

# Where it is wrong, how it is mended, and why.
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

_ERROR = {"$ref": "#/components/schemas/Boom"}
_WRAPPED = {"type": "object", "required": ["error"], "properties": {"error": _ERROR}}
UNMENTIONED = [
    Unmentioned(r".*", 401, _WRAPPED, "2.1: without a body in the document, seen with one"),
    Unmentioned(r".*", 403, _WRAPPED, "2.1: without a body in the document, seen with one"),
    Unmentioned(r".*", 405, _WRAPPED, "3.4: no path has it, but there is an error code for it"),
    Unmentioned(r".*", 413, _WRAPPED, "a limit of the emulator"),
    Unmentioned(r".*", 415, _WRAPPED, "3.4: no path has it, but there is an error code for it"),
    Unmentioned(r".*", 429, _ERROR, "3.2: rate limits are described in prose, where the error is not wrapped"),
    Unmentioned(
        r"GET .*/(process|batch/v1|tiles)", 400, _WRAPPED, "9: what nonsense in a query brings is not documented"
    ),
    Unmentioned(r"POST /statistics/batch/v1/\{\w+\}/stop", 400, _WRAPPED, "6.1: missing here and nowhere else"),
]


def is_at_hand() -> bool:
    """
    Whether the setting names the document.

    :raises pytest.UsageError: if it names a file that does not exist.
    """
    named = os.environ.get(SETTING)
    if named and not Path(named).is_file():
        raise pytest.UsageError(f"{SETTING} does not name a file")
    return bool(named)


def read_document() -> dict[str, Any]:
    """The document as it is."""
    import yaml

    # The loader in C takes a tenth of the time; not every build of PyYAML has it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load(Path(os.environ[SETTING]).read_text(encoding="utf-8"), Loader=loader)
    return document


@cache
def official_check() -> OpenApiCheck:
    """The document, mended and made ready."""
    document = read_document()
    for pointer, mend, _ in MISTAKES:
        mend(at(document, pointer))
    document["paths"] |= _paths_of_v1()
    return OpenApiCheck(
        document,
        error=_WRAPPED,
        requests={"BatchV2ProcessRequest", "BatchStatisticalRequest", "ProcessRequestForBatch"},
        unmentioned=UNMENTIONED,
    )


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
