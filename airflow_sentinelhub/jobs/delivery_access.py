"""Access rules for delivery URLs: which may be read, and which paths below them. A job is not trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.jobs.delivery import Delivery
from airflow_sentinelhub.jobs.job import BatchJob

BUCKETS = frozenset({"s3", "gs"})
"""Schemes of the storages that the service delivers to."""

_FILE = "file"
_SHOWN = 200
# A backslash and a control character are read differently by different libraries; "::" chains storages in fsspec.
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f\\]|::")
_JOB_ID = re.compile(r"[\w-][\w.-]{0,199}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileAccess:
    """
    Whether the files of this machine may be read as a job's results (``file://``).

    :param is_local: the service runs on this machine, as the emulator does.
    :param is_allowed: the connection's extra says ``allow_file_delivery``.
    """

    is_local: bool = False
    is_allowed: bool = False


def check_access(job: BatchJob, delivery: Delivery, access: FileAccess) -> str | None:
    """
    Make sure that the results of a job may be read from where it says that it delivers.

    :param job: the job; its id becomes a part of paths.
    :param delivery: where it delivers.
    :param access: whether that may be a folder of this machine.
    :return: a warning, or ``None``.
    :raises ResultsUnavailable: they may not be read.
    """
    if _JOB_ID.fullmatch(job.id) is None:
        raise _refused(job, "its id is no name of a folder (letters, digits, '-', '_' and '.')")
    shown = _shown(delivery.url)
    if _AMBIGUOUS.search(delivery.url):
        raise _refused(job, f"its delivery URL {shown} has a backslash, a control character or '::'")
    try:
        parts = urlsplit(delivery.url)
    except ValueError:
        raise _refused(job, f"its delivery URL {shown} is no URL") from None
    if {".", ".."} & set(parts.path.split("/")):
        raise _refused(job, f"its delivery URL {shown} has '.' or '..' as a part of its path")
    if parts.scheme in BUCKETS:
        if not parts.netloc or "@" in parts.netloc:
            raise _refused(job, f"its delivery URL {shown} does not name a bucket")
        return None
    if parts.scheme != _FILE:
        known = " and ".join(f"{scheme}://" for scheme in sorted(BUCKETS, reverse=True))
        raise _refused(job, f"it says that it delivers to {shown}, and only {known} are read")
    if parts.netloc or not parts.path.startswith("/"):
        raise _refused(job, f"its delivery URL {shown} is no absolute path of this machine")
    if access.is_local:
        return None
    if access.is_allowed:
        return (
            f"{job.label} says that it delivers to {shown}, a folder of this worker, and it is read "
            "(allow_file_delivery is set in the connection's extra)."
        )
    raise _refused(
        job,
        f"it says that it delivers to {shown}, a folder of this worker, while the service is not on this machine. "
        'If it shares a folder with this worker, set "allow_file_delivery": true in the connection\'s extra',
    )


def is_below(path: str) -> bool:
    """
    Return whether a path, relative to a folder, stays below it for every reader.

    :param path: what a list of a storage names.
    """
    return not _AMBIGUOUS.search(path) and not {"", ".", ".."} & set(path.split("/"))


def _refused(job: BatchJob, why: str) -> ResultsUnavailable:
    return ResultsUnavailable(
        f"{_shown(job.label)}: its results are not read, as {why}. The job itself is not touched by this.",
        job_id=job.id[:_SHOWN],
        api=job.api.value,
        status=job.raw_status or None,
    )


def _shown(text: str) -> str:
    # A query may be a signature.
    text = text.partition("?")[0]
    line = "".join(each if each.isprintable() else "\ufffd" for each in text)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
