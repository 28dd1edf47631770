"""Features of Batch Process (v2) and Batch Statistical, which no API lists (sentinelhub-api.md, 5.6 and 6.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.tile_states import tile_statuses
from airflow_sentinelhub.jobs import JobStatus, TileStatus

NO_DATA = "No data"
USUAL_ERROR = "Failed to process the feature: the request timed out."
USUAL_TYPE = "EXECUTION_ERROR"

_NOT_PROCESSED = frozenset({JobStatus.CREATED, JobStatus.ANALYSING, JobStatus.ANALYSIS_DONE})


@dataclass(frozen=True, slots=True)
class Feature:
    """
    A feature as the service knows it.

    :param number: its ``id``.
    :param settled: whether it has been processed, or has failed for good.
    :param failed: whether it has failed; the service does not try it again.
    :param partial: whether some of its intervals failed (statistical).
    :param error: why, or :data:`NO_DATA` when there was nothing to process.
    """

    number: int
    settled: bool = False
    failed: bool = False
    partial: bool = False
    error: str | None = None

    @property
    def name(self) -> str:
        """Name of its tile, or its identifier."""
        return f"33TVM_{self.number}"


def are_written(job: EmulatedJob, now: datetime) -> bool:
    """Return whether the service writes files: from PROCESSING on, and not while a restart is prepared."""
    moment = job.at(now)
    if moment.status in _NOT_PROCESSED:
        return False
    return JobStatus.PROCESSING in job.reached | moment.passed or (job.analysed(now) and moment.percentage > 0)


def features(job: EmulatedJob, now: datetime) -> list[Feature]:
    """Return all features, in the order in which they are processed."""
    without_data = len(job.failing_tiles) + job.scenario.no_data_tiles
    partial = without_data + job.scenario.partial_tiles
    return [
        _feature(job, position, status, no_data=position < without_data, partial=position < partial)
        for position, status in enumerate(tile_statuses(job, now))
    ]


def _feature(job: EmulatedJob, position: int, status: str, *, no_data: bool, partial: bool) -> Feature:
    number = position + 1
    if status == TileStatus.FAILED:
        texts = job.scenario.tile_errors
        return Feature(number, settled=True, failed=True, error=texts[position % len(texts)] if texts else None)
    if status != TileStatus.PROCESSED:
        return Feature(number)
    return Feature(number, settled=True, partial=partial and not no_data, error=NO_DATA if no_data else None)
