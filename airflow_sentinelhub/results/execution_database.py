"""The execution database of a Batch Process job: the only place that tells which features failed (section 5.6)."""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from airflow_sentinelhub.exceptions import ResultsUnavailable, StorageUnavailable
from airflow_sentinelhub.jobs import BatchJob, FeatureStatus, JobStatus
from airflow_sentinelhub.jobs.feature_counts import status_word
from airflow_sentinelhub.jobs.feature_statistics import LONGEST_TEXT
from airflow_sentinelhub.jobs.plain_text import encodable
from airflow_sentinelhub.jobs.redaction import REDACT
from airflow_sentinelhub.results.storage import FileRefused, Storage
from airflow_sentinelhub.results.untrusted_sqlite import Endless, Table, Unreadable, opened

LARGEST = 512 * 1024 * 1024
"""Bytes of a database at most. That of 700,000 features, the most that a job has, is of about 60 MB."""

PAUSES = (1.0, 2.0, 5.0, 10.0)
"""Seconds between two attempts: the service rewrites the file while the job runs, and writes it last of all."""

_COLUMNS = ("id", "name", "status", "error", "delivered")
_NOT_PROCESSED = (JobStatus.CREATED, JobStatus.ANALYSING, JobStatus.ANALYSIS_DONE)


_TABLE = "features"
_OWN_CLOCK = time.monotonic


def read_features(
    storage: Storage,
    urls: Sequence[str],
    job: BatchJob,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = _OWN_CLOCK,
) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """
    Return the features of a job one by one: the status, and ``id``, ``name``, ``error`` and ``delivered``.

    :param storage: where the file is.
    :param urls: its possible places, the likeliest first.
    :param job: whose features they are; a job that is over should have none PENDING, so they are read again.
    :param sleep: waits between two attempts.
    :param clock: tells seconds, from any start.
    :raises ResultsUnavailable: there is no such file, it may not be read, or it stays broken.
    """
    with tempfile.TemporaryDirectory(prefix="sentinelhub-") as folder:
        file = Path(folder) / "execution.sqlite"
        url = _fetch(storage, urls, file, job, sleep, clock)
        try:
            with opened(file, _TABLE, clock=clock) as table:
                yield from _features(table)
        except Endless as error:
            raise _refused(url, job, str(error)) from None
        except Unreadable as error:
            raise _broken(url, job, str(error), times="once") from None


def _fetch(
    storage: Storage,
    urls: Sequence[str],
    file: Path,
    job: BatchJob,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> str:
    """Download until the file is whole, and says what a finished job has to say; give its place."""
    trouble: ResultsUnavailable
    for pause in (*PAUSES, None):
        url, found = urls[0], False
        try:
            for url in urls:
                try:
                    storage.download(url, file, LARGEST)
                except FileNotFoundError:
                    continue
                found = True
                break
            if found:
                check(file, clock=clock)
                if pause is None or job.status is not JobStatus.DONE or not _is_unsettled(file, clock):
                    return url
            else:
                trouble = _missing(urls, job)
                if job.status in _NOT_PROCESSED:
                    raise trouble
        except (FileRefused, Endless) as error:
            raise _refused(url, job, str(error)) from None  # to read it again does not help
        except Unreadable as error:
            trouble = _broken(url, job, str(error), times=f"{len(PAUSES) + 1} times")
        except StorageUnavailable as error:
            trouble = error
        if pause is not None:
            sleep(pause)
    raise trouble


def check(file: Path, *, clock: Callable[[], float] = _OWN_CLOCK) -> None:
    """
    Make sure that a file is a whole execution database.

    :param file: the file.
    :param clock: tells seconds, from any start.
    :raises Unreadable: it is none, or only a part of one.
    """
    with opened(file, _TABLE, clock=clock) as table:
        table.check()
        if missing := {"id", "status"} - set(table.columns):
            raise Unreadable(f"its table 'features' has no column {', '.join(sorted(missing))}")


def _is_unsettled(file: Path, clock: Callable[[], float]) -> bool:
    with opened(file, _TABLE, clock=clock) as table:
        return table.has("status", FeatureStatus.PENDING.value)


def _features(table: Table) -> Iterator[tuple[str, dict[str, Any]]]:
    present = [name for name in _COLUMNS if name in table.columns]
    for row in table.rows(present, longest=LONGEST_TEXT, order="id"):
        feature = dict.fromkeys(_COLUMNS) | dict(zip(present, row, strict=True))
        number, delivered = feature["id"], feature["delivered"]
        yield (
            status_word(_text(feature["status"])),
            {
                "id": number if isinstance(number, int) else _text(number),
                "name": _text(feature["name"]),
                "error": _text(feature["error"]) or None,
                "delivered": None if delivered is None else str(delivered).lower() in ("1", "true"),
            },
        )


def _text(value: object) -> str | None:
    # SQLite takes anything in any column.
    if value is None:
        return None
    return _clean(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


@functools.lru_cache(maxsize=1000)
def _clean(text: str) -> str:
    """Take out secrets and what cannot be stored; most features share their error with many others."""
    return REDACT.excerpt(encodable(text), LONGEST_TEXT)


def _missing(urls: Sequence[str], job: BatchJob) -> ResultsUnavailable:
    if job.status in _NOT_PROCESSED:
        why = (
            f"The job is {job.raw_status}: the service writes it once features are processed, so there is nothing "
            "to tell yet. Start the job and wait for it before this task."
        )
    elif job.status is JobStatus.FAILED:
        why = "The job is FAILED; one that failed in its analysis has none, and no features."
    else:
        why = (
            f"The job is {job.raw_status or 'in no status'}, so it should be there. It was deleted or moved, or "
            "storage_conn_id reaches another account or endpoint than the one that the job delivers to."
        )
    return ResultsUnavailable(f"{job.label}: there is no {' and no '.join(urls)}. {why}", **_attributes(job))


def _refused(url: str, job: BatchJob, reason: str) -> ResultsUnavailable:
    return ResultsUnavailable(
        f"{job.label} (status {job.raw_status}): {url} is no execution database that is read: {reason}. The job "
        "itself is not touched by this; look at the file, which the service should have written.",
        **_attributes(job),
    )


def _broken(url: str, job: BatchJob, reason: str, times: str) -> ResultsUnavailable:
    return ResultsUnavailable(
        f"{job.label} (status {job.raw_status}): {url} was read {times}, and is no whole execution "
        f"database: {reason}. The service rewrites it while the job runs; if it is over, the file is damaged. "
        "Clear this task to read it again.",
        **_attributes(job),
    )


def _attributes(job: BatchJob) -> dict[str, Any]:
    return {"job_id": job.id, "api": job.api.value, "status": job.raw_status}
