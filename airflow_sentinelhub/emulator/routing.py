"""Routing: which part of the service an address belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_sentinelhub.emulator.oauth import Realm
from airflow_sentinelhub.jobs import BatchApi, UrlLayout

TOKEN = "token"  # noqa: S105 - a name
TILING_GRIDS = "tilinggrids"
_ACTIONS = frozenset({"analyse", "start", "stop", "cancel", "restartpartial"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    Part of the service to which an address leads.

    :param api: name of the API, "token" for a token endpoint, "tilinggrids", or ``None`` for nothing known.
    :param pattern: the path with ids replaced by ``{id}`` and ``{tileId}``.
    :param action: what the request does to a job, if it does anything.
    """

    api: str | None
    pattern: str
    action: str | None = None


def layouts(api: BatchApi) -> list[tuple[UrlLayout, str]]:
    """Return the paths of an API's jobs, in the layouts that it has."""
    if api.spec.new_path is None:
        return [(UrlLayout.LEGACY, api.path())]
    return [(layout, api.path(layout)) for layout in UrlLayout]


def tiling_grid_paths() -> list[str]:
    """Return where tiling grids are listed: beside the jobs of both versions of Batch Process."""
    return [
        path.rpartition("/")[0] + "/tilinggrids"
        for api in (BatchApi.PROCESS, BatchApi.PROCESS_V1)
        for _, path in layouts(api)
    ]


def place_of(method: str, path: str) -> Endpoint:
    """Find out what a request is about."""
    if path in {realm.path for realm in Realm}:
        return Endpoint(TOKEN, path)
    for api in BatchApi:
        for _, prefix in layouts(api):
            if path == prefix:
                return Endpoint(api.value, path, "create" if method == "POST" else None)
            if path.startswith(prefix + "/"):
                return _below(api, prefix, method, path)
    for prefix in tiling_grid_paths():
        if path == prefix or path.startswith(prefix + "/"):
            return Endpoint(TILING_GRIDS, prefix if path == prefix else prefix + "/{id}")
    return Endpoint(None, path)


def _below(api: BatchApi, prefix: str, method: str, path: str) -> Endpoint:
    _, *rest = path[len(prefix) + 1 :].split("/")
    action = None
    if method == "POST" and len(rest) == 1 and rest[0] in _ACTIONS:
        action = rest[0]
    elif not rest and method in ("PUT", "DELETE"):
        action = {"PUT": "update", "DELETE": "delete"}[method]
    if len(rest) == 2 and rest[0] == "tiles":
        rest[1] = "{tileId}"
    return Endpoint(api.value, "/".join([prefix, "{id}", *rest]), action)
