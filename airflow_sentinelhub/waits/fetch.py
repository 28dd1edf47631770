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


def apis_to_ask(verdict: Verdict) -> tuple[BatchApi, ...]:
    """
    Return the other APIs that may have a job that is not found: an id does not tell to which API it belongs.

    They are asked with the first 404 already: if the job is there, nothing is gained by waiting for it.

    :param verdict: on the job.
    """
    first_404 = verdict.outcome is Outcome.WAITING and verdict.missing and verdict.warn
    if verdict.job is not None or not (first_404 or verdict.outcome is Outcome.NOT_FOUND):
        return ()
    return tuple(api for api in BatchApi if api is not verdict.api)


def found_in_other_api(verdict: Verdict, result: PollResult) -> Verdict | None:
    """
    Return the verdict that a job belongs to another API, if that is so. It is final then.

    :param verdict: on a job that was not found.
    :param result: of a poll of the same id in the other API.
    """
    if not isinstance(result, BatchJob):
        return None
    message = wait_messages.belongs_to(result, verdict.api)
    return replace(verdict, outcome=Outcome.NOT_FOUND, message=message, warn=False)


def check_other_apis(
    verdict: Verdict, reader_for: Callable[[BatchApi], AbstractContextManager[JobReader]]
) -> Verdict:
    """
    Look in the other APIs for a job that was not found, and say so in the verdict if one of them has it.

    :param verdict: how a wait or an action goes on or ended; all but a job that was not found is handed back.
    :param reader_for: gives a client of another API of the same account.
    """
    for api in apis_to_ask(verdict):
        try:
            with reader_for(api) as reader:
                found = found_in_other_api(verdict, fetch_job(reader, verdict.job_id))
        except SentinelHubError:  # it is only a help
            continue
        if found is not None:
            return found
    return verdict
