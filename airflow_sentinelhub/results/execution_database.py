"""The execution database of a Batch Process job: the only place that tells which features failed (section 5.6)."""

from __future__ import annotations

import functools
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow_sentinelhub.client.scrub import Scrubber
from airflow_sentinelhub.exceptions import ResultsUnavailable, StorageUnavailable
from airflow_sentinelhub.jobs import BatchJob, FeatureStatus, JobStatus
from airflow_sentinelhub.jobs.tiles import status_word
from airflow_sentinelhub.results.storage import Storage

PAUSES = (1.0, 2.0, 5.0, 10.0)
"""Seconds between two attempts: the service rewrites the file while the job runs, and writes it last of all."""

_COLUMNS = ("id", "name", "status", "error", "delivered")
_NOT_PROCESSED = (JobStatus.CREATED, JobStatus.ANALYSING, JobStatus.ANALYSIS_DONE)


class Broken(Exception):
    """The file is no whole database, and why."""


def read_features(
    storage: Storage, urls: Sequence[str], job: BatchJob, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Give the features of a job one by one: the status, and ``id``, ``name``, ``error`` and ``delivered``.

    :param storage: where the file is.
    :param urls: its possible places, the likeliest first.
    :param job: whose features they are; a job that is over should have none PENDING, so they are read again.
    :param sleep: waits between two attempts.
    :raises ResultsUnavailable: there is no such file, it may not be read, or it stays broken.
    """
    with tempfile.TemporaryDirectory(prefix="sentinelhub-") as folder:
        file = Path(folder) / "execution.sqlite"
        _fetch(storage, urls, file, job, sleep)
        with _opened(file) as database:
            yield from _features(database)


def _fetch(
    storage: Storage, urls: Sequence[str], file: Path, job: BatchJob, sleep: Callable[[float], None]
) -> None:
    """Download until the file is whole, and says what a finished job has to say."""
    trouble: ResultsUnavailable
    for pause in (*PAUSES, None):
        url, found = urls[0], False
        try:
            for url in urls:
                try:
                    storage.download(url, file)
                except FileNotFoundError:
                    continue
                found = True
                break
            if found:
                check(file)
                if pause is None or job.status is not JobStatus.DONE or not _is_unsettled(file):
                    return
            else:
                trouble = _missing(urls, job)
                if job.status in _NOT_PROCESSED:
                    raise trouble
        except Broken as error:
            trouble = _broken(url, job, str(error))
        except StorageUnavailable as error:
            trouble = error
        if pause is not None:
            sleep(pause)
    raise trouble


def check(file: Path) -> None:
    """
    Make sure that a file is a whole execution database.

    :raises Broken: it is none, or only a part of one.
    """
    if file.stat().st_size == 0:
        raise Broken("it is empty")
    try:
        with _opened(file) as database:
            # Compares the number of pages, too, so that a file that was cut at the end of one is noticed.
            [(verdict,), *_] = database.execute("PRAGMA quick_check(1)").fetchall()
            if verdict != "ok":
                raise Broken("its pages are damaged")
            columns = _columns(database)
    except sqlite3.Error as error:
        raise Broken(f"SQLite cannot read it ({type(error).__name__}: {error})") from None
    if not columns:
        raise Broken("it has no table 'features'")
    if missing := {"id", "status"} - set(columns):
        raise Broken(f"its table 'features' has no column {', '.join(sorted(missing))}")


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    # Immutable: for a database in WAL mode SQLite would otherwise make files beside it.
    uri = f"file:{quote(str(file))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        database.text_factory = functools.partial(str, encoding="utf-8", errors="replace")
        yield database


def _columns(database: sqlite3.Connection) -> list[str]:
    return [str(row[1]).lower() for row in database.execute("PRAGMA table_info(features)")]


def _is_unsettled(file: Path) -> bool:
    with _opened(file) as database:
        found = database.execute("SELECT 1 FROM features WHERE status = ? LIMIT 1", [FeatureStatus.PENDING.value])
        return found.fetchone() is not None


def _features(database: sqlite3.Connection) -> Iterator[tuple[str, dict[str, Any]]]:
    present = _columns(database)
    wanted = ", ".join(name if name in present else f"NULL AS {name}" for name in _COLUMNS)
    clean = functools.lru_cache(maxsize=1000)(Scrubber())
    query = f"SELECT {wanted} FROM features ORDER BY id"  # noqa: S608 - of our own names
    for number, name, status, error, delivered in database.execute(query):
        yield (
            status_word(status),
            {
                "id": number if isinstance(number, int) else _text(number),
                "name": _text(name),
                "error": clean(_text(error) or "") or None,
                "delivered": None if delivered is None else str(delivered).lower() in ("1", "true"),
            },
        )


def _text(value: object) -> str | None:
    # SQLite takes anything in any column.
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _missing(urls: Sequence[str], job: BatchJob) -> ResultsUnavailable:
    if job.status in _NOT_PROCESSED:
        why = (
            f"The job is {job.word}: the service writes it once features are processed, so there is nothing to "
            "tell yet. Start the job and wait for it before this task."
        )
    elif job.status is JobStatus.FAILED:
        why = "The job is FAILED; one that failed in its analysis has none, and no features."
    else:
        why = (
            f"The job is {job.word or 'in no status'}, so it should be there. It was deleted or moved, or "
            "storage_conn_id reaches another account or endpoint than the one that the job delivers to."
        )
    return ResultsUnavailable(f"{job.label}: there is no {' and no '.join(urls)}. {why}", **_attributes(job))


def _broken(url: str, job: BatchJob, reason: str) -> ResultsUnavailable:
    return ResultsUnavailable(
        f"{job.label} (status {job.word}): {url} was read {len(PAUSES) + 1} times, and is no whole execution "
        f"database: {reason}. The service rewrites it while the job runs; if it is over, the file is damaged. "
        "Clear this task to read it again.",
        **_attributes(job),
    )


def _attributes(job: BatchJob) -> dict[str, Any]:
    return {"job_id": job.id, "api": job.api.value, "status": job.word}
