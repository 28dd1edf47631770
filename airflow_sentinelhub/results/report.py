"""Log lines about the tiles of a job."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from airflow_sentinelhub.jobs import BatchApi, BatchJob, FeatureCounts, JobStatus, known_statuses
from airflow_sentinelhub.jobs.delivery import delivery_of, result_files
from airflow_sentinelhub.jobs.message import about

MANY = 10_000
"""Tiles in one XCom above which a file is recommended."""

_ERROR_LINES = 10
_OVER = (JobStatus.DONE, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELED)


def report(
    job: BatchJob,
    payload: Mapping[str, Any],
    tally: FeatureCounts,
    *,
    statuses: Collection[str] = (),
    path: str | None = None,
) -> Iterator[tuple[int, str]]:
    """
    Return what came out, line by line, each with its level.

    :param job: whose tiles they are.
    :param payload: all that the service says of it.
    :param tally: the tiles.
    :param statuses: those that were asked for; empty: all.
    :param path: where they were written, if not to XCom.
    """
    what = "tiles" if job.api is BatchApi.PROCESS_V1 else "features"
    asked = f" (only {', '.join(statuses)} were asked for)" if statuses else ""
    yield logging.INFO, about(f"{what.capitalize()}, {job.raw_status}: {tally.as_text()}{asked}", job.name)
    for line in tally.errors(_ERROR_LINES):
        yield logging.INFO, f"  {line}"
    if path:
        yield logging.INFO, f"All {tally.total:,} are in {path}."
    yield from ((logging.WARNING, doubt) for doubt in _doubts(job, payload, tally, what, everything=not statuses))
    if tally.counts().get("truncated"):
        yield logging.WARNING, f"limit: XCom gets {tally.kept:,} of {tally.total:,} {what}."
    if tally.kept > MANY:
        yield (
            logging.WARNING,
            f"{tally.kept:,} {what} go to XCom, where that many make Airflow's database and UI slow: write them "
            "to a file with output_path='s3://bucket/tiles.jsonl', or ask for some with statuses= or limit=.",
        )


def _doubts(
    job: BatchJob, payload: Mapping[str, Any], tally: FeatureCounts, what: str, *, everything: bool
) -> Iterator[str]:
    """Return what keeps this from being the last word on the job."""
    counts = tally.counts()
    known = known_statuses(job.api)
    if unknown := [status for status in counts if status not in (*known, "truncated")]:
        yield (
            f"This version of the provider does not know the status {' and '.join(unknown)}; it is a key like the "
            "others."
        )
    if job.status not in _OVER:
        yield f"The job is {job.raw_status}, so this is how things stand now, and not what will come out."
    elif job.status is JobStatus.DONE and (pending := counts.get("PENDING")):
        yield (
            f"The job is DONE, and yet {pending:,} of its {what} are PENDING. They were never processed, or the "
            "service has not written yet what became of them: clear this task later to look again."
        )
    expected = payload.get("tileCount")
    if everything and isinstance(expected, int) and tally.total and tally.total != expected:
        yield f"The service lists {tally.total:,} {what}, although it says that there are {expected:,}."
    if job.api is BatchApi.STATISTICAL and result_files(delivery_of(job.api, job.id, payload), job.id).shared:
        yield (
            "The job's delivery URL does not contain <REQUEST_ID>: results that other jobs delivered to the same "
            "folder are among these."
        )
