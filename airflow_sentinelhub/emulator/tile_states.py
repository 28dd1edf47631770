"""The tiles of a Batch Process V1 job (sentinelhub-api.md, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.jobs import JobStatus, TileStatus

_SOMEWHERE = (14.0, 45.9, 14.6, 46.2)
_FAR = 1e9  # no coordinate system goes farther
_SETTLED = (TileStatus.PROCESSED, TileStatus.FAILED)
# A tile that gets stuck is put back twice; the third time it has failed.
_STUCK = (
    TileStatus.PROCESSING,
    TileStatus.PENDING,
    TileStatus.PROCESSING,
    TileStatus.PENDING,
    TileStatus.PROCESSING,
)


def tile_count(job: EmulatedJob, now: datetime) -> int:
    """Return how many tiles the job says it has."""
    given = job.at(now).step.tiles
    return job.scenario.tile_count if given is None else sum(given.values())


def tiles(job: EmulatedJob, now: datetime) -> list[dict[str, Any]]:
    """Return all tiles, oldest first. There are none before the analysis is over."""
    statuses = tile_statuses(job, now)
    west, south, east, north = _bounds(job.request)
    width = (east - west) / max(1, len(statuses))
    return [
        _tile(job, position, status, (west + position * width, south, west + (position + 1) * width, north))
        for position, status in enumerate(statuses)
    ]


def tile_statuses(job: EmulatedJob, now: datetime) -> Sequence[str]:
    """Status of each tile: they are processed one after the other, as far as the job has come."""
    if not job.analysed(now):
        return []
    moment = job.at(now)
    if moment.step.tiles is not None:
        return [status for status, count in moment.step.tiles.items() for _ in range(count)]
    settled_before = job.scenario.tile_count - len(job.open_tiles)
    begun = job.analysed(now) and moment.status not in (JobStatus.ANALYSIS_DONE, JobStatus.ANALYSING)
    front = moment.percentage / 100 * job.scenario.tile_count - settled_before
    statuses: list[str] = [TileStatus.PROCESSED] * job.scenario.tile_count
    for turn, position in enumerate(job.open_tiles):
        status = _tile_status(front - turn, fails=position in job.failing_tiles) if begun else TileStatus.PENDING
        if moment.status == JobStatus.CANCELED and status not in _SETTLED:
            status = TileStatus.PENDING
        statuses[position] = status
    return statuses


def _tile_status(turn: float, *, fails: bool) -> TileStatus:
    """:param turn: 0 when it is the tile's turn, 1 when it is over."""
    if turn >= 1:
        return TileStatus.FAILED if fails else TileStatus.PROCESSED
    if turn >= 0:
        return _STUCK[int(turn * len(_STUCK))] if fails else TileStatus.PROCESSING
    if turn >= -1:
        return TileStatus.QUEUED
    return TileStatus.SCHEDULED if turn >= -2 else TileStatus.PENDING


def _tile(job: EmulatedJob, position: int, status: str, box: tuple[float, float, float, float]) -> dict[str, Any]:
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "id": position + 1,
        "requestId": job.id,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "origin": {
            "type": "Point",
            "coordinates": [west, south],
            "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}},
        },
        "status": status,
        "cost": round(job.scenario.cost / max(1, job.scenario.tile_count), 6) if status in _SETTLED else 0.0,
    }


def _bounds(request: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return the request's box, if it has one; a tile of the real service follows the grid instead."""
    match request:
        case {
            "processRequest": {
                "input": {
                    "bounds": {
                        "bbox": [
                            int() | float() as w,
                            int() | float() as s,
                            int() | float() as e,
                            int() | float() as n,
                        ]
                    }
                }
            }
        } if all(abs(each) <= _FAR for each in (w, s, e, n)):
            return w, s, e, n
    return _SOMEWHERE
