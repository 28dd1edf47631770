"""The result files of a Batch Statistical job, one for each feature (section 6.4)."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.jobs import BatchJob, JobStatus
from airflow_sentinelhub.jobs.delivery import ResultFiles
from airflow_sentinelhub.jobs.delivery_access import is_below
from airflow_sentinelhub.jobs.feature_statistics import read_statistics, unreadable
from airflow_sentinelhub.results.byte_budget import ByteBudget
from airflow_sentinelhub.results.statistics_json import NotDecodable, decode
from airflow_sentinelhub.results.storage import FileRefused, FileTooLarge, Storage

READERS = 16
"""Files that are read at once. As many results again may wait to be handed out; nothing else is in memory."""

SIZES = (256 * 1024, 4 * 1024 * 1024, 32 * 1024 * 1024)
"""
Bytes that are asked for of a file; one that is larger is asked for again, up to the last size, which is the most
that is read of one file.

A feature's statistics of five years, each day, with a histogram of 12 bands, are about 20 MB.
"""

MOST_IN_FLIGHT = 64 * 1024 * 1024
"""Bytes of files that are in memory at the same time: 16 of 4 MB, or two of the largest."""

PAUSES = (1.0, 3.0)
"""Seconds before a file that is no JSON is read again: outside of S3 it may be seen half written."""

T = TypeVar("T")
R = TypeVar("R")


def read_features(
    storage: Storage, files: ResultFiles, job: BatchJob, *, sleep: Callable[[float], None] = time.sleep
) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """
    Return the features of a job one by one: the status, and what failed of them.

    :param storage: where the files are.
    :param files: which they are.
    :param job: whose they are, for messages.
    :param sleep: waits before a file is read again; called by several threads.
    :raises ResultsUnavailable: there is not one file, or they may not be read.
    """
    budget = ByteBudget(MOST_IN_FLIGHT)

    def read(name: re.Match[str]) -> tuple[str, dict[str, Any]]:
        known = _known_by(name)
        if not is_below(name[0]):
            return unreadable(f"the name of its file, {name[0]!r}, leads out of the job's folder", **known)
        try:
            return _read(storage, f"{files.folder}/{name[0]}", budget, known, sleep)
        except (FileRefused, NotDecodable) as error:
            return unreadable(f"its file {name[0]} is not read: {error}", **known)

    matches = (match for name in storage.names(files.folder) if (match := files.names.fullmatch(name)))
    found = False
    try:
        for feature in in_parallel(read, matches):
            found = True
            yield feature
    except FileNotFoundError:
        if found:
            raise ResultsUnavailable(
                f"{job.label}: a result file below {files.folder} vanished while they were read. Does somebody "
                "move or delete them? Clear this task to read them again.",
                **_attributes(job),
            ) from None
    if not found:
        raise _missing(files, job)


def in_parallel(read: Callable[[T], R], items: Iterable[T], *, readers: int = READERS) -> Iterator[R]:
    """
    Call a function with each item in several threads, and give the results in order.

    Items are taken, and results kept, only as far as they are needed: at most twice as many as there are threads.

    :param read: the function.
    :param items: may be endless.
    :param readers: how many threads.
    """
    pool = ThreadPoolExecutor(readers, thread_name_prefix="sentinelhub-results")
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(read, item))
            if len(pending) >= 2 * readers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # Not waited for: a timeout of the task must not hang on a read that hangs.
        pool.shutdown(wait=False, cancel_futures=True)


def _read(
    storage: Storage, url: str, budget: ByteBudget, known: dict[str, Any], sleep: Callable[[float], None]
) -> tuple[str, dict[str, Any]]:
    for pause in (*PAUSES, None):
        try:
            return _read_once(storage, url, budget, known)
        except (ValueError, RecursionError):
            if pause is not None:
                sleep(pause)
    return unreadable("it is no JSON", **known)


def _read_once(
    storage: Storage, url: str, budget: ByteBudget, known: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    *smaller, largest = SIZES
    for size in smaller:
        try:
            with budget.taken(size):
                return read_statistics(decode(storage.read(url, size)), **known)
        except FileTooLarge:
            continue
    with budget.taken(largest):
        return read_statistics(decode(storage.read(url, largest)), **known)


def _known_by(name: re.Match[str]) -> dict[str, Any]:
    """Return what the file's name says, should its content not tell."""
    groups = name.groupdict()
    number = groups.get("ID")
    return {"feature_id": int(number) if number else None, "identifier": groups.get("IDENTIFIER")}


def _missing(files: ResultFiles, job: BatchJob) -> ResultsUnavailable:
    if job.status in (JobStatus.CREATED, JobStatus.ANALYSING, JobStatus.ANALYSIS_DONE):
        why = f"The job is {job.raw_status}: nothing is processed yet. Start it and wait for it before this task."
    elif job.status is JobStatus.FAILED:
        why = "The job is FAILED; one that failed in its analysis has none."
    else:
        why = (
            f"The job is {job.raw_status or 'in no status'}. Nothing is delivered yet, the files were moved or "
            "deleted, or storage_conn_id reaches another account or endpoint than the one that the job delivers "
            "to."
        )
    return ResultsUnavailable(
        f"{job.label}: there is no result file below {files.folder}. {why}", **_attributes(job)
    )


def _attributes(job: BatchJob) -> dict[str, Any]:
    return {"job_id": job.id, "api": job.api.value, "status": job.raw_status}
