"""One poll of a job, with everything that can come of it as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from airflow_sentinelhub.exceptions import NotFound, SentinelHubError
from airflow_sentinelhub.jobs import BatchApi, BatchJob, JobStatus, MissingJob, Outcome, Verdict, wait_messages
from airflow_sentinelhub.waits.job_reading import read_job, unexpected
from airflow_sentinelhub.waits.observation import PollResult


class JobReader(Protocol):
    """Client that fetches jobs; it neither waits nor retries by itself."""

    @property
    def api(self) -> BatchApi:
        """The API that is asked."""

    def get(self, job_id: str, *, budget: float | None = None) -> dict[str, Any]:
        """Ask for the whole job."""

    def status(self, job_id: str, *, budget: float | None = None) -> dict[str, Any]:
        """Ask for its state alone, where the API can."""


class ListReader(JobReader, Protocol):
    """A client that lists jobs, too, and whose caller keeps to the account's limit."""

    def list(self, *, budget: float | None = None) -> Iterator[list[dict[str, Any]]]:
        """Return the account's jobs page by page, the newest first; each page is one request."""

    def try_acquire(self) -> float:
        """Return 0 when one request may be sent now, otherwise the seconds after which to ask again."""

    def close(self) -> None:
        """Close the connections."""


def fetch_job(
    reader: JobReader, job_id: str, *, status_only: bool = False, budget: float | None = 0
) -> PollResult:
    """
    Ask for a job.

    :param reader: the client.
    :param job_id: the job.
    :param status_only: ask for the state alone, which lacks the user action; if this may be the last poll, it is
        followed by a whole one.
    :param budget: the seconds in which the client may begin to ask again; ``None``: its own default. Only who
        may block has any.
    """
    result = fetch_once(reader, job_id, status_only, budget)
    return fetch_once(reader, job_id, False, budget) if needs_full_payload(result) else result


def fetch_once(reader: JobReader, job_id: str, status_only: bool, budget: float | None = 0) -> PollResult:
    """Ask for a job with one request, see :func:`fetch_job`."""
    try:
        payload = reader.status(job_id, budget=budget) if status_only else reader.get(job_id, budget=budget)
    except NotFound as error:
        return MissingJob(reader.api, job_id) if is_job_not_found(error) else error
    except SentinelHubError as error:
        return error
    except MemoryError:
        raise
    except Exception as error:
        return unexpected(error)
    return read_job(reader.api, payload, job_id=job_id, status_only=status_only)


def is_job_not_found(error: NotFound) -> bool:
    """Return whether a 404 is the service's: without its error object it is a gateway's page."""
    return error.code is not None


def needs_full_payload(result: PollResult) -> bool:
    """Return whether a status may be the last poll, which is to be whole, so that XComs are alike in all modes."""
    moving = (JobStatus.ANALYSING, JobStatus.PROCESSING)
    return isinstance(result, BatchJob) and result.status_only and result.status not in moving


def may_be_in_other_api(verdict: Verdict) -> bool:
    """
    Return whether it may help to look for a job in V2: V1 is gone, and its sensor has the most obvious name.

    A job that is not found is looked for there with the first 404 already: if it is there, nothing is gained by
    waiting for it.
    """
    first_404 = verdict.outcome is Outcome.WAITING and verdict.missing and verdict.warn and verdict.job is None
    return verdict.api is BatchApi.PROCESS_V1 and (verdict.outcome is Outcome.NOT_FOUND or first_404)


def found_in_other_api(verdict: Verdict, result: PollResult) -> Verdict:
    """
    Return the verdict that the job belongs to V2, if that is so. It is final then.

    :param verdict: of a V1 job that was not found.
    :param result: of a poll of the same id in V2.
    """
    if not isinstance(result, BatchJob):
        return verdict
    message = wait_messages.belongs_to_v2(MissingJob(verdict.api, verdict.job_id))
    return replace(verdict, outcome=Outcome.NOT_FOUND, message=message, warn=False)


def check_other_api(
    verdict: Verdict, reader_for: Callable[[BatchApi], AbstractContextManager[JobReader]]
) -> Verdict:
    """
    Look for a V1 job that was not found in V2, and say so in the verdict if it is there.

    :param verdict: how a wait or an action ended; all but a V1 job that was not found is handed back as it is.
    :param reader_for: gives a client of another API of the same account.
    """
    if not may_be_in_other_api(verdict):
        return verdict
    try:
        with reader_for(BatchApi.PROCESS) as reader:
            return found_in_other_api(verdict, fetch_job(reader, verdict.job_id))
    except SentinelHubError:  # it is only a help
        return verdict
