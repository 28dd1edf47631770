"""Reader of the outcome of each tile or feature, for each API."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from typing import Any, Protocol, assert_never

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.delivery import Delivery, delivery_of, execution_databases, result_files
from airflow_sentinelhub.jobs.delivery_access import FileAccess, check_access
from airflow_sentinelhub.jobs.feature_counts import read_tile
from airflow_sentinelhub.results.storage import Storage

Tiles = Generator[tuple[str, dict[str, Any]], None, None]


class ServiceConfig(Protocol):
    """The part of a client's configuration that says whether ``file://`` may be read."""

    @property
    def is_local(self) -> bool:
        """True if the service runs on this machine."""

    @property
    def allow_file_delivery(self) -> bool:
        """True if its user allows it wherever the service runs."""


class TileLister(Protocol):
    """Client that lists the tiles of a Batch Process v1 job."""

    @property
    def config(self) -> ServiceConfig:
        """The configuration of the client."""

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
    warn: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Tiles:
    """
    Return the tiles or features of a job one by one, each with its status.

    This is the one place where what a job says of its delivery becomes something that is read.

    :param client: of the job's API; only v1 is asked for tiles.
    :param job: the job.
    :param payload: all that the service says of it, with its request.
    :param storage: the bucket that the job delivers to.
    :param statuses: v1 asks for these only; the others read everything in any case. Empty: all.
    :param include_geometry: v1: keep ``geometry`` and ``origin``.
    :param warn: is told that a folder of this machine is read because the connection allows it.
    :param sleep: waits before something is read again.
    :return: the tiles or features; to be closed if they are not read to their end: there may be files behind them.
    :raises ResultsUnavailable: what became of them cannot be told, or may not be read from where the job delivers.
    """
    match job.api:
        case BatchApi.PROCESS_V1:
            return _v1_tiles(client, job, statuses, include_geometry)
        case BatchApi.PROCESS:
            # Importing it loads SQLite, and the other one threads: neither is needed for the other APIs.
            from airflow_sentinelhub.results import execution_database

            urls = execution_databases(_delivery(client, job, payload, warn), job.id)
            return execution_database.read_features(storage, urls, job, sleep=sleep)
        case BatchApi.STATISTICAL:
            from airflow_sentinelhub.results import statistics_files

            files = result_files(_delivery(client, job, payload, warn), job.id)
            return statistics_files.read_features(storage, files, job, sleep=sleep)
    assert_never(job.api)


def _delivery(
    client: TileLister, job: BatchJob, payload: Mapping[str, Any], warn: Callable[[str], None]
) -> Delivery:
    delivery = delivery_of(job.api, job.id, payload)
    config = client.config
    warning = check_access(job, delivery, FileAccess(config.is_local, config.allow_file_delivery))
    if warning:
        warn(warning)
    return delivery


def _v1_tiles(client: TileLister, job: BatchJob, statuses: Collection[str], include_geometry: bool) -> Tiles:
    # A tile that changes its status while pages are turned moves to another page, and may come twice.
    seen: set[Any] = set()
    for status in statuses or (None,):
        for tile in client.tiles(job.id, status=status):
            number = tile.get("id")
            if number is None or number not in seen:
                seen.add(number)
                yield read_tile(tile, include_geometry=include_geometry)
