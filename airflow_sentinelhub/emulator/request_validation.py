"""Validation of the requests that create jobs: checked as far as it helps, credentials masked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from airflow_sentinelhub.emulator import limits
from airflow_sentinelhub.emulator.refusals import HttpRefusal
from airflow_sentinelhub.emulator.tiling_grids import TILING_GRIDS
from airflow_sentinelhub.jobs import BatchApi

MASK = "*****"
_CREDENTIALS = frozenset({"accessKey", "secretAccessKey", "credentials"})
_LONGEST_EVALSCRIPT = 32 * 1024
_KINDS: Mapping[type, str] = {str: "a text", Mapping: "an object"}
# The service's own fields of a V1 job, which are beside those of its request.
_READ_ONLY_V1 = frozenset(
    {
        *("id", "userId", "accountId", "created", "status", "error", "userAction", "userActionUpdated"),
        *("valueEstimate", "tileCount", "tileWidthPx", "tileHeightPx"),
    }
)


def read_json(content_type: str, body: bytes) -> dict[str, Any]:
    """
    Return the JSON object of a body.

    :raises HttpRefusal: 400 if it is none or has what no service could store, 415 for anything but JSON
        (multipart is not emulated).
    """
    if content_type and "json" not in content_type:
        raise HttpRefusal(415, f"Content type {content_type.split(';')[0]} is not supported: send JSON.")
    try:
        read = json.loads(body or b"null")
    except RecursionError:
        raise HttpRefusal(400, "The request body is nested too deeply.") from None
    except ValueError:  # also for text that is no UTF-8, and numbers of thousands of digits
        raise HttpRefusal(400, "The request body is not valid JSON.") from None
    try:
        limits.check_json(read)
    except ValueError as error:
        raise HttpRefusal(400, f"The request body cannot be stored: {error}.") from None
    if not isinstance(read, dict):
        raise HttpRefusal(400, "Request body should be non-empty." if read is None else "Not a JSON object.")
    return read


def description(body: Mapping[str, Any]) -> str | None:
    """
    Return the description in a body, if there is one.

    :raises HttpRefusal: 400 if it is no text.
    """
    given = body.get("description")
    if not isinstance(given, str | None):
        raise HttpRefusal(400, f"description must be a text, but was {limits.brief(given)}.")
    return given


def accept(api: BatchApi, body: Mapping[str, Any], schemes: Sequence[str] = ()) -> dict[str, Any]:
    """
    Return the request as the service keeps and shows it: defaults filled in, credentials masked.

    :param schemes: what the URL of a storage may begin with, besides its own.
    :raises HttpRefusal: 400 that names the field, for what the service is documented to refuse.
    """
    description(body)
    match api:
        case BatchApi.PROCESS:
            kept = _process(body, schemes)
        case BatchApi.STATISTICAL:
            kept = _statistical(body, schemes)
        case BatchApi.PROCESS_V1:
            kept = _process_v1(body)
    return {name: masked(value) for name, value in kept.items()}


def masked(value: Any) -> Any:
    """Return the same without credentials."""
    if isinstance(value, Mapping):
        return {name: MASK if name in _CREDENTIALS else masked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    return deepcopy(value)


def _process(body: Mapping[str, Any], schemes: Sequence[str]) -> dict[str, Any]:
    _need(body, "processRequest.evalscript", "processRequest.input.data", "input.type", "output.type")
    _check_kind(str, body, "processRequest.evalscript")
    kept = dict(body)
    match body["input"]["type"]:
        case "tiling-grid":
            _need(body, "input.id", "input.resolution", "processRequest.input.bounds")
            _check_grid(body["input"]["id"], body["input"]["resolution"])
            kept["input"] = {"bufferX": 0, "bufferY": 0} | body["input"]
        case "geopackage":
            _storage(body, "input.features")
        case other:
            raise HttpRefusal(400, f"input.type must be tiling-grid or geopackage, but was {limits.brief(other)}.")
    _storage(body, "output.delivery", schemes)
    match body["output"]["type"]:
        case "raster":
            # The schema also requires "group", which no documented request sends (section 5.3).
            kept["output"] = {
                "overwrite": False,
                "skipExisting": False,
                "cogOutput": False,
                "createCollection": False,
            } | body["output"]
        case "zarr":
            _need(body, "output.group")
        case other:
            raise HttpRefusal(400, f"output.type must be raster or zarr, but was {limits.brief(other)}.")
    return kept


def _statistical(body: Mapping[str, Any], schemes: Sequence[str]) -> dict[str, Any]:
    _need(body, "input.data", "aggregation.timeRange", "aggregation.aggregationInterval")
    _storage(body, "input.features")
    _storage(body, "output", schemes)
    _check_kind(str, body, "aggregation.evalscript")
    evalscript = body["aggregation"].get("evalscript")
    if evalscript is None:
        if "evalscriptReference" not in body["aggregation"]:
            raise HttpRefusal(400, "Either aggregation.evalscript or aggregation.evalscriptReference is required.")
        _storage(body, "aggregation.evalscriptReference")
    elif len(evalscript.encode()) > _LONGEST_EVALSCRIPT:
        raise HttpRefusal(400, "aggregation.evalscript is longer than 32 KB: use aggregation.evalscriptReference.")
    return dict(body)


def _process_v1(body: Mapping[str, Any]) -> dict[str, Any]:
    _need(body, "processRequest.input", "processRequest.evalscript")
    _check_kind(str, body, "processRequest.evalscript", "bucketName")
    _check_kind(Mapping, body, "processRequest.input", "output", "zarrOutput")
    kept = {"output": {}} | {name: value for name, value in body.items() if name not in _READ_ONLY_V1}
    if "tilingGrid" in body:
        _need(body, "tilingGrid.id", "tilingGrid.resolution")
        kept["tilingGrid"] = {"bufferX": 0, "bufferY": 0} | body["tilingGrid"]
        _check_grid(body["tilingGrid"]["id"], body["tilingGrid"]["resolution"])
    else:
        _need(body, "tilingGridId", "resolution")
        _check_grid(body["tilingGridId"], body["resolution"])
    output = body.get("output") or {}
    if not (
        body.get("bucketName") or "zarrOutput" in body or output.get("defaultTilePath") or output.get("responses")
    ):
        raise HttpRefusal(400, "One of bucketName, output.defaultTilePath or zarrOutput is required.")
    kept["output"] = {
        **({"defaultTilePath": f"s3://{body['bucketName']}"} if body.get("bucketName") else {}),
        "overwrite": False,
        "skipExisting": False,
        "cogOutput": False,
        "createCollection": False,
    } | output
    return kept


def _need(body: Mapping[str, Any], *paths: str) -> None:
    for path in paths:
        value: Any = body
        for name in path.split("."):
            if not isinstance(value, Mapping) or value.get(name) is None:
                raise HttpRefusal(400, f"{path} is required.")
            value = value[name]


def _check_kind(kind: type, body: Mapping[str, Any], *paths: str) -> None:
    """Check fields that may be missing; what they are in is there."""
    for path in paths:
        *above, name = path.split(".")
        holder: Any = body
        for each in above:
            holder = holder[each]
        if not isinstance(value := holder.get(name), kind | None):
            raise HttpRefusal(400, f"{path} must be {_KINDS[kind]}, but was {limits.brief(value)}.")


def _storage(body: Mapping[str, Any], path: str, schemes: Sequence[str] = ()) -> None:
    """Check an object storage: ``s3`` with a URL, key and secret only together, or ``gs`` with both it needs."""
    _need(body, path)
    storage: Any = body
    for name in path.split("."):
        storage = storage[name]
    if not isinstance(storage, Mapping) or not ({"s3", "gs"} & set(storage)):
        raise HttpRefusal(400, f"{path}.s3 or {path}.gs is required.")
    kind = "s3" if "s3" in storage else "gs"
    _need(body, f"{path}.{kind}.url")
    _check_kind(str, storage, f"{kind}.url")
    if not storage[kind]["url"].startswith(tuple(f"{scheme}://" for scheme in (kind, *schemes))):
        raise HttpRefusal(400, f"{path}.{kind}.url must begin with {kind}://.")
    if kind == "gs":
        _need(body, f"{path}.gs.credentials")
    if ("accessKey" in storage[kind]) != ("secretAccessKey" in storage[kind]):
        raise HttpRefusal(400, f"{path}.{kind} needs both accessKey and secretAccessKey, or iamRoleARN.")


def _check_grid(number: object, resolution: object) -> None:
    grid = TILING_GRIDS.get(number) if isinstance(number, int) and not isinstance(number, bool) else None
    if grid is None:
        raise HttpRefusal(
            400, f"There is no tiling grid {limits.brief(number)}; there are {sorted(TILING_GRIDS)}."
        )
    resolutions = grid["properties"]["resolutions"]
    if resolution not in resolutions or isinstance(resolution, bool):
        raise HttpRefusal(
            400, f"Tiling grid {number} has no resolution {limits.brief(resolution)}; it has {resolutions}."
        )
