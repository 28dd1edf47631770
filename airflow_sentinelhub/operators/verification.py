"""Making sure that a job that is over brought what it should."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub.jobs import BatchJob, FeatureCounts
from airflow_sentinelhub.jobs.failure_threshold import FailureCheck, FailureThreshold
from airflow_sentinelhub.jobs.message import about

if TYPE_CHECKING:
    from airflow_sentinelhub.client.batch import BatchClient


def verify(
    client: BatchClient,
    job: BatchJob,
    payload: dict[str, Any],
    *,
    storage_conn_id: str | None,
    allowance: FailureThreshold,
    count_no_data: bool,
    log: Any,
    keep: Callable[[dict[str, Any]], None],
    sleep: Callable[[float], None],
) -> dict[str, Any]:
    """
    Count what became of every tile or feature of a job, and make sure that enough came out.

    :param client: of the job's API.
    :param job: the job, at its end.
    :param payload: all that the service says of it, with its request.
    :param storage_conn_id: the Airflow connection that reads the job's bucket.
    :param allowance: how many may fail.
    :param count_no_data: whether those count that had nothing to process.
    :param log: the task's log.
    :param keep: keeps the counts, which are known before it is known whether they are good enough.
    :param sleep: waits before something is read again.
    :return: the counts by status.
    :raises BatchIncomplete: too many failed.
    :raises ResultsUnavailable: what became of them cannot be told.
    """
    # Imported here, as it is not needed when a DAG file is parsed.
    from airflow_sentinelhub.results.reader import read_tiles
    from airflow_sentinelhub.results.report import report
    from airflow_sentinelhub.results.storage import Storage

    storage = Storage(storage_conn_id, job.label, job_id=job.id, api=job.api.value, status=job.raw_status)
    tally = FeatureCounts(job.api, keep=False)
    completeness = FailureCheck(job, allowance, count_no_data=count_no_data)
    with closing(read_tiles(client, job, payload, storage, warn=log.warning, sleep=sleep)) as tiles:
        for status, tile in tiles:
            tally.add(status, tile)
            completeness.add(status, tile)
    for level, line in report(job, payload, tally):
        log.log(level, "%s", line)
    counts = tally.counts()
    keep(counts)
    completeness.check()
    delivered, total = completeness.total - completeness.failed, completeness.total
    allowed = f"{completeness.allowed:,} may be missing"
    verified = f"Verified: {delivered:,} of {total:,} {completeness.what} delivered, {allowed}"
    log.info("%s", about(verified, job.name))
    return counts
