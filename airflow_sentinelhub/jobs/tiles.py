"""Tiles of a Batch Process v1 job, grouped by their status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_sentinelhub.jobs.statuses import TileStatus

_GEOMETRY_FIELDS = frozenset({"geometry", "origin"})


def tiles_by_status(
    tiles: Iterable[Mapping[str, Any]], *, include_geometry: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """
    Group tiles by status.

    All six statuses are keys, whether or not a tile has them: the dictionary travels as JSON, where a missing
    key is a ``KeyError`` in the task that reads it. A status that this version does not know gets a key of
    its own.

    :param tiles: tile payloads as the service sends them.
    :param include_geometry: keep ``geometry`` and ``origin``, which are most of a tile's size.
    """
    grouped: dict[str, list[dict[str, Any]]] = {status.value: [] for status in TileStatus}
    for tile in tiles:
        kept = {key: value for key, value in tile.items() if include_geometry or key not in _GEOMETRY_FIELDS}
        grouped.setdefault(str(tile.get("status") or "UNKNOWN").upper(), []).append(kept)
    return grouped
