"""Verdict: the result of evaluating a poll."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.message import about, name_of


class Outcome(StrEnum):
    """State or end of a wait. The values are stored in trigger events: they are never renamed."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    STOPPED = "stopped"
    PARTIAL = "partial"
    NOT_STARTED = "not_started"
    STALLED = "stalled"
    COST_EXCEEDED = "cost_exceeded"
    UNKNOWN_STATUS = "unknown_status"
    NOT_FOUND = "not_found"
    GROUP_FAILED = "group_failed"
    TIMEOUT = "timeout"
    EXECUTION_TIMEOUT = "execution_timeout"
    UNAVAILABLE = "unavailable"
    INVALID_CREDENTIALS = "invalid_credentials"
    INVALID_CONNECTION = "invalid_connection"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    ERROR = "error"


_EXCEPTIONS: dict[Outcome, type[SentinelHubError]] = {
    Outcome.FAILED: exceptions.BatchFailed,
    Outcome.CANCELED: exceptions.BatchCanceled,
    Outcome.STOPPED: exceptions.BatchStopped,
    Outcome.PARTIAL: exceptions.BatchPartial,
    Outcome.NOT_STARTED: exceptions.BatchNotStarted,
    Outcome.STALLED: exceptions.BatchStalled,
    Outcome.COST_EXCEEDED: exceptions.BatchCostExceeded,
    Outcome.UNKNOWN_STATUS: exceptions.BatchUnknownStatus,
    Outcome.NOT_FOUND: exceptions.BatchNotFound,
    Outcome.GROUP_FAILED: exceptions.BatchGroupFailed,
    Outcome.TIMEOUT: exceptions.BatchTimeout,
    Outcome.EXECUTION_TIMEOUT: exceptions.BatchTimeout,
    Outcome.UNAVAILABLE: exceptions.ServiceUnavailable,
    Outcome.INVALID_CREDENTIALS: exceptions.InvalidCredentials,
    Outcome.INVALID_CONNECTION: exceptions.InvalidConnection,
    Outcome.FORBIDDEN: exceptions.Forbidden,
    Outcome.REFUSED: exceptions.RequestRefused,
    Outcome.UNREADABLE: exceptions.InvalidPayload,
    Outcome.ERROR: exceptions.SentinelHubError,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Verdict on one job: outcome and reason.

    :param outcome: the decision.
    :param api: the job's API.
    :param job_id: the job's id.
    :param message: what it means and what to do; for WAITING what is odd about it, if anything.
    :param job: the job as last seen, or ``None`` if it never was.
    :param service_message: the service's own words.
    :param warn: whether the message of a WAITING verdict is to be said now (the rules limit how often).
    :param missing: whether the service said 404.
    :param waited: how long the wait took, in seconds; ``None``: it is not over.
    """

    outcome: Outcome
    api: BatchApi
    job_id: str
    message: str = ""
    job: BatchJob | None = None
    service_message: str | None = None
    warn: bool = False
    missing: bool = False
    waited: float | None = None

    @property
    def is_final(self) -> bool:
        """True if the wait is over."""
        return self.outcome is not Outcome.WAITING

    @property
    def is_timeout(self) -> bool:
        """True if time ran out, which says nothing about the job."""
        return self.outcome in (Outcome.TIMEOUT, Outcome.EXECUTION_TIMEOUT)

    @property
    def is_about_the_job(self) -> bool:
        """True if it says something of the job, and not only of the way to it."""
        kind = _EXCEPTIONS.get(self.outcome)
        return kind is None or issubclass(kind, exceptions.BatchError)

    def exception(self) -> SentinelHubError:
        """
        Return the exception that says this verdict.

        :raises ValueError: the job is done or waited for; nothing is wrong with it.
        """
        kind = _EXCEPTIONS.get(self.outcome)
        if kind is None:
            raise ValueError(f"{self.outcome} is no failure")
        attributes: dict[str, Any] = {
            "job_id": self.job_id,
            "api": self.api.value,
            "status": self.job.raw_status if self.job else None,
            "service_message": self.service_message,
        }
        if kind is exceptions.BatchStopped:
            attributes["reason"] = self.job.stopped_reason if self.job else None
        if kind is exceptions.BatchCostExceeded:
            attributes["spent"] = self.job.cost_pu if self.job else None
        return kind(self.message, **attributes)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain JSON, for a trigger's event."""
        return {
            "outcome": self.outcome.value,
            "api": self.api.value,
            "job_id": self.job_id,
            "message": self.message,
            "service_message": self.service_message,
            "job": self.job.to_json() if self.job else None,
            "delivery": self.job.delivery if self.job else None,
            "description": self.job.description if self.job else None,
            "waited": self.waited,
        }

    @classmethod
    def from_json(cls, event: object) -> Verdict:
        """
        Read what :meth:`to_json` wrote.

        :raises ValueError: it is nothing of the kind.
        """
        if not isinstance(event, Mapping):
            raise ValueError(f"a trigger event of type {type(event).__name__} is no verdict")
        try:
            api = BatchApi(event["api"])
            job = event.get("job")
            return cls(
                outcome=Outcome(event["outcome"]),
                api=api,
                job_id=str(event["job_id"]),
                message=str(event.get("message") or ""),
                job=None
                if job is None
                else BatchJob.from_payload(
                    api, job, delivery=event.get("delivery"), description=event.get("description")
                ),
                service_message=event.get("service_message"),
                waited=event.get("waited"),
            )
        except KeyError as missing:
            raise ValueError(f"a trigger event without {missing} is no verdict") from None


def job_error(api: BatchApi, job_id: str, reason: str) -> Verdict:
    """
    Return the verdict on a job that cannot be watched because of an error of the provider.

    :param api: the job's API.
    :param job_id: its id.
    :param reason: what went wrong.
    """
    message = about(
        f"ERROR: {reason}",
        name_of(api, job_id),
        "This is an error of the provider or its environment; the job was left alone.",
    )
    return Verdict(Outcome.ERROR, api, job_id, message)
