"""Tiles of a Batch Process v1 job, grouped by their status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_sentinelhub.jobs.job import LONGEST_WORD
from airflow_sentinelhub.jobs.plain_text import one_line
from airflow_sentinelhub.jobs.statuses import TileStatus
from airflow_sentinelhub.jobs.untrusted_json import clean

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
        word, kept = read_tile(tile, include_geometry=include_geometry)
        grouped.setdefault(word, []).append(kept)
    return grouped


def read_tile(tile: Mapping[str, Any], *, include_geometry: bool = False) -> tuple[str, dict[str, Any]]:
    """
    Give a tile's status, and the tile as it goes to XCom: cleaned and bounded.

    :param tile: its payload.
    :param include_geometry: keep ``geometry`` and ``origin``.
    """
    kept = clean({key: value for key, value in tile.items() if include_geometry or key not in _GEOMETRY_FIELDS})
    return status_word(kept.get("status")), kept


def status_word(value: object) -> str:
    """Spell a status as a key of the dictionary, whatever stands in its place: one short line."""
    word = "" if value is None else one_line(str(clean(value)).upper(), LONGEST_WORD)
    return word or "UNKNOWN"
