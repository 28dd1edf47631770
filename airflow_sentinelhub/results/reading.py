"""What became of each tile or feature of a job, wherever its API keeps that."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol, assert_never

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.delivery import delivery_of, execution_databases, result_files
from airflow_sentinelhub.jobs.tiles import read_tile
from airflow_sentinelhub.results.storage import Storage

Tiles = Iterator[tuple[str, dict[str, Any]]]


class TileLister(Protocol):
    """What lists the tiles of a Batch Process v1 job; the client of that API does."""

    def tiles(self, job_id: str, *, status: str | None = None) -> Iterator[dict[str, Any]]:
        """Return a job's tiles, or those in one status."""


def read_tiles(
    client: TileLister,
    job: BatchJob,
    payload: Mapping[str, Any],
    storage: Storage,
    *,
    statuses: Collection[str] = (),
    include_geometry: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Tiles:
    """
    Give the tiles or features of a job one by one, each with its status.

    :param client: of the job's API; only v1 is asked for tiles.
    :param job: the job.
    :param payload: all that the service says of it, with its request.
    :param storage: the bucket that the job delivers to.
    :param statuses: v1 asks for these only; the others read everything in any case. Empty: all.
    :param include_geometry: v1: keep ``geometry`` and ``origin``.
    :param sleep: waits before something is read again.
    :raises ResultsUnavailable: what became of them cannot be told.
    """
    match job.api:
        case BatchApi.PROCESS_V1:
            return _v1_tiles(client, job, statuses, include_geometry)
        case BatchApi.PROCESS:
            # Importing it loads SQLite, and the other one threads: neither is needed for the other APIs.
            from airflow_sentinelhub.results import execution_database

            urls = execution_databases(delivery_of(job.api, job.id, payload), job.id)
            return execution_database.read_features(storage, urls, job, sleep=sleep)
        case BatchApi.STATISTICAL:
            from airflow_sentinelhub.results import statistics

            files = result_files(delivery_of(job.api, job.id, payload), job.id)
            return statistics.read_features(storage, files, job, sleep=sleep)
    assert_never(job.api)


def _v1_tiles(client: TileLister, job: BatchJob, statuses: Collection[str], include_geometry: bool) -> Tiles:
    # A tile that changes its status while pages are turned moves to another page, and may come twice.
    seen: set[Any] = set()
    for status in statuses or (None,):
        for tile in client.tiles(job.id, status=status):
            number = tile.get("id")
            if number is None or number not in seen:
                seen.add(number)
                yield read_tile(tile, include_geometry=include_geometry)
