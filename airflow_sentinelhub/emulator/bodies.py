"""What a user may send to create a job: checked as far as it helps, credentials masked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from airflow_sentinelhub.emulator.errors import ServiceError
from airflow_sentinelhub.emulator.tilinggrids import TILING_GRIDS
from airflow_sentinelhub.jobs import BatchApi

MASK = "*****"
_CREDENTIALS = frozenset({"accessKey", "secretAccessKey", "credentials"})
_LONGEST_EVALSCRIPT = 32 * 1024


def read_json(content_type: str, body: bytes) -> dict[str, Any]:
    """
    The JSON object of a body.

    :raises ServiceError: 400 if it is none, 415 for anything but JSON (multipart is not emulated).
    """
    if content_type and "json" not in content_type:
        raise ServiceError(415, f"Content type {content_type.split(';')[0]} is not supported: send JSON.")
    try:
        read = json.loads(body or b"null")
    except ValueError:
        raise ServiceError(400, "The request body is not valid JSON.") from None
    if not isinstance(read, dict):
        raise ServiceError(400, "Request body should be non-empty." if read is None else "Not a JSON object.")
    return read


def accept(api: BatchApi, body: Mapping[str, Any], schemes: Sequence[str] = ()) -> dict[str, Any]:
    """
    The request as the service keeps and shows it: defaults filled in, credentials masked.

    :param schemes: what the URL of a storage may begin with, besides its own.
    :raises ServiceError: 400 that names the field, for what the service is documented to refuse.
    """
    match api:
        case BatchApi.PROCESS:
            kept = _process(body, schemes)
        case BatchApi.STATISTICAL:
            kept = _statistical(body, schemes)
        case BatchApi.PROCESS_V1:
            kept = _process_v1(body)
    return {name: masked(value) for name, value in kept.items()}


def masked(value: Any) -> Any:
    """The same without anybody's credentials."""
    if isinstance(value, Mapping):
        return {name: MASK if name in _CREDENTIALS else masked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    return deepcopy(value)


def _process(body: Mapping[str, Any], schemes: Sequence[str]) -> dict[str, Any]:
    _need(body, "processRequest.evalscript", "processRequest.input.data", "input.type", "output.type")
    kept = dict(body)
    match body["input"]["type"]:
        case "tiling-grid":
            _need(body, "input.id", "input.resolution", "processRequest.input.bounds")
            _check_grid(body["input"]["id"], body["input"]["resolution"])
            kept["input"] = {"bufferX": 0, "bufferY": 0} | body["input"]
        case "geopackage":
            _storage(body, "input.features")
        case other:
            raise ServiceError(400, f"input.type must be tiling-grid or geopackage, but was {other!r}.")
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
            raise ServiceError(400, f"output.type must be raster or zarr, but was {other!r}.")
    return kept


def _statistical(body: Mapping[str, Any], schemes: Sequence[str]) -> dict[str, Any]:
    _need(body, "input.data", "aggregation.timeRange", "aggregation.aggregationInterval")
    _storage(body, "input.features")
    _storage(body, "output", schemes)
    evalscript = body["aggregation"].get("evalscript")
    if evalscript is None:
        if "evalscriptReference" not in body["aggregation"]:
            raise ServiceError(
                400, "Either aggregation.evalscript or aggregation.evalscriptReference is required."
            )
        _storage(body, "aggregation.evalscriptReference")
    elif len(str(evalscript).encode()) > _LONGEST_EVALSCRIPT:
        raise ServiceError(
            400, "aggregation.evalscript is longer than 32 KB: use aggregation.evalscriptReference."
        )
    return dict(body)


def _process_v1(body: Mapping[str, Any]) -> dict[str, Any]:
    _need(body, "processRequest.input", "processRequest.evalscript")
    kept = {"output": {}, **body}
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
        raise ServiceError(400, "One of bucketName, output.defaultTilePath or zarrOutput is required.")
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
                raise ServiceError(400, f"{path} is required.")
            value = value[name]


def _storage(body: Mapping[str, Any], path: str, schemes: Sequence[str] = ()) -> None:
    """Check an object storage: ``s3`` with a URL, key and secret only together, or ``gs`` with both it needs."""
    _need(body, path)
    storage: Any = body
    for name in path.split("."):
        storage = storage[name]
    if not isinstance(storage, Mapping) or not ({"s3", "gs"} & set(storage)):
        raise ServiceError(400, f"{path}.s3 or {path}.gs is required.")
    kind = "s3" if "s3" in storage else "gs"
    _need(body, f"{path}.{kind}.url")
    if not str(storage[kind]["url"]).startswith(tuple(f"{scheme}://" for scheme in (kind, *schemes))):
        raise ServiceError(400, f"{path}.{kind}.url must begin with {kind}://.")
    if kind == "gs":
        _need(body, f"{path}.gs.credentials")
    if ("accessKey" in storage[kind]) != ("secretAccessKey" in storage[kind]):
        raise ServiceError(400, f"{path}.{kind} needs both accessKey and secretAccessKey, or iamRoleARN.")


def _check_grid(number: object, resolution: object) -> None:
    grid = TILING_GRIDS.get(number) if isinstance(number, int) else None
    if grid is None:
        raise ServiceError(400, f"There is no tiling grid {number!r}; there are {sorted(TILING_GRIDS)}.")
    resolutions = grid["properties"]["resolutions"]
    if resolution not in resolutions:
        raise ServiceError(400, f"Tiling grid {number} has no resolution {resolution!r}; it has {resolutions}.")
