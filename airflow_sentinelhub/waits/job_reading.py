"""
Readings: what a service sends becomes jobs here, each by itself.

Whatever is wrong with what it says of one job, the other jobs on the same page are read. Whether an answer that
cannot be read is the job's own error or an outage shows by other answers, which the caller knows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from airflow_sentinelhub.exceptions import InvalidPayload, SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob, ListedJob
from airflow_sentinelhub.jobs.redaction import REDACT

log = logging.getLogger(__name__)

_LONGEST_REASON = 300

Read = TypeVar("Read")


def id_of(payload: object) -> str:
    """Return the id of a job on a page, in lower case; empty where there is none."""
    job_id = payload.get("id") if isinstance(payload, Mapping) else None
    return job_id.lower() if isinstance(job_id, str) else ""


def read_job(
    api: BatchApi, payload: Any, *, job_id: str | None = None, status_only: bool = False
) -> BatchJob | InvalidPayload:
    """
    Read what a service sends of one job. It never raises, except where memory is used up.

    :param api: the API that answered.
    :param payload: the decoded JSON.
    :param job_id: the job that was asked for; ``None``: any.
    :param status_only: see :meth:`~airflow_sentinelhub.jobs.BatchJob.from_payload`.
    :return: the job, or why it cannot be read.
    """

    def read() -> BatchJob:
        job = BatchJob.from_payload(api, payload, status_only=status_only)
        if job_id is not None and job.id.lower() != job_id.lower():
            raise InvalidPayload(
                f"{api.display_name} was asked for job {job_id} and answered with job {job.id}",
                job_id=job_id,
                api=api.value,
            )
        return job

    return _isolated(api, job_id or id_of(payload), read)


def read_listed(api: BatchApi, payload: Any) -> ListedJob | InvalidPayload:
    """Read a job on a page of a list, as :func:`read_job` does."""
    return _isolated(api, id_of(payload), lambda: ListedJob.from_payload(api, payload))


def is_unreadable(result: object) -> bool:
    """Return whether an answer came that cannot be read, so that the job may be the cause."""
    return isinstance(result, InvalidPayload) or (isinstance(result, ServiceUnavailable) and result.unreadable)


def of_the_job(error: SentinelHubError) -> InvalidPayload:
    """Return an unreadable answer as the job's own error: other answers can be read."""
    return error if isinstance(error, InvalidPayload) else InvalidPayload(str(error), **_attributes(error))


def of_everybody(error: SentinelHubError) -> SentinelHubError:
    """Return an unreadable answer as an outage: no other answer can be read either."""
    return ServiceUnavailable(str(error), **_attributes(error)) if isinstance(error, InvalidPayload) else error


def unexpected(error: Exception) -> SentinelHubError:
    """Log an error of the provider, and return one that waits know what to do with."""
    log.error("A poll failed unexpectedly.", exc_info=error)
    return InvalidPayload(f"A poll failed unexpectedly ({_in_brief(error)}).")


def _isolated(api: BatchApi, job_id: str, read: Callable[[], Read]) -> Read | InvalidPayload:
    try:
        return read()
    except InvalidPayload as error:
        return error
    except MemoryError:
        raise
    except Exception as error:
        label = f"{api.display_name} job {REDACT.line(job_id, 100)}"
        return InvalidPayload(
            f"{label}: what the service says of it cannot be read ({_in_brief(error)}).",
            job_id=job_id or None,
            api=api.value,
        )


def _in_brief(error: Exception) -> str:
    return REDACT.line(f"{type(error).__name__}: {error}", _LONGEST_REASON)


def _attributes(error: SentinelHubError) -> dict[str, Any]:
    return {"job_id": error.job_id, "api": error.api, "service_message": error.service_message}
