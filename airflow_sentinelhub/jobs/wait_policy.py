"""Goal, policy and deadlines of a wait: what it is for, how often it polls, and when it has to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.formatting import format_duration
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.message import about, name_of
from airflow_sentinelhub.jobs.statuses import JobStatus, UserAction
from airflow_sentinelhub.jobs.verdict import Outcome, Verdict

_SLOWER_AFTER = (10, 30)
"""Intervals without any change after which the interval is doubled and tripled."""


class WaitGoal(StrEnum):
    """Goal of a wait."""

    ANALYSIS = "analysis"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True)
class WaitPolicy:
    """
    Poll intervals, grace periods and tolerances of a wait. All times are seconds.

    :param poke_interval: between two polls of a job.
    :param analysis_poke_interval: the same while the job is queued for its analysis or analysed.
    :param slowest_poke_interval: the same at most, while the job hardly moves; ``None``: ``poke_interval``.
    :param allow_partial: a PARTIAL job is good enough.
    :param start_grace: how long a job may rest because it was not started; ``None``: for ever.
    :param stall_timeout: how long a job may show no change at all; ``None``: for ever.
    :param outage_tolerance: for how long the service may give no usable answer.
    :param confirm_after: how long after the first reading a state that may not last is read again; ``None``:
        one interval. Callers that remember nothing between two polls read again at once.
    :param max_cost_pu: processing units that a job may cost before it is given up; ``None``: any number.
    """

    poke_interval: float
    analysis_poke_interval: float
    allow_partial: bool = False
    start_grace: float | None = 3600.0
    stall_timeout: float | None = None
    outage_tolerance: float = 6 * 3600.0
    confirm_after: float | None = None
    slowest_poke_interval: float | None = None
    max_cost_pu: float | None = None

    def interval(self, job: BatchJob | None, unchanged: float = 0.0) -> float:
        """
        Return the seconds until the next poll of a job in this state.

        Analyses take minutes and are looked at more often; a job that rests, and one that is processed,
        takes its time. One at which nothing has changed for ten intervals will hardly be done in the next one.

        :param job: the job as last seen; ``None`` if it never was (a new one is readable within seconds).
        :param unchanged: for how many seconds nothing has changed at it.
        """
        if job is None or job.status is JobStatus.ANALYSING:
            return self.analysis_poke_interval
        if job.status is JobStatus.CREATED and job.user_action is not UserAction.NONE:
            return self.analysis_poke_interval
        slowest = self.poke_interval if self.slowest_poke_interval is None else self.slowest_poke_interval
        # Whole multiples, so that the polls of jobs that move and of those that do not fall together.
        factor = sum(unchanged >= intervals * self.poke_interval for intervals in _SLOWER_AFTER) + 1
        return max(self.poke_interval, min(factor * self.poke_interval, slowest))

    def confirmation_pause(self, job: BatchJob | None) -> float:
        """
        Return the seconds between the two readings of a state that may not last.

        :param job: the job in that state; ``None`` for a 404 or a refusal, which a roll-out of the service may
            cause for a while.
        """
        if self.confirm_after is not None:
            return self.confirm_after
        return self.poke_interval if job is None else self.interval(job)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """
    Absolute times, in seconds since 1970: they outlive a restart of the triggerer.

    :param started_at: when the wait began.
    :param timeout_at: end of the sensor's ``timeout``, after which Airflow does not retry.
    :param execution_timeout_at: end of the task's ``execution_timeout``, after which it may; ``None``: none.
    :param stops_job: whether the job is then stopped, and not left alone.
    """

    started_at: float
    timeout_at: float
    execution_timeout_at: float | None = None
    stops_job: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the deadlines as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Deadlines:
        """
        Read what :meth:`to_json` wrote, by this or by another version.

        :raises TypeError: one of the times is missing.
        """
        return cls(**{name: stored[name] for name in cls.__slots__ if name in stored})

    @property
    def name(self) -> str:
        """The argument that sets the earlier of the two ends."""
        if self.execution_timeout_at is not None and self.execution_timeout_at <= self.timeout_at:
            return "execution_timeout"
        return "timeout"

    @property
    def first(self) -> float:
        """The earlier of the two ends."""
        if self.execution_timeout_at is None:
            return self.timeout_at
        return min(self.timeout_at, self.execution_timeout_at)

    def verdict(self, api: BatchApi, job_id: str, job: BatchJob | None, now: float) -> Verdict | None:
        """
        Return the verdict when time is up, else ``None``.

        :param api: the API of the job.
        :param job_id: its id.
        :param job: the job as last seen, which the message names.
        :param now: seconds since 1970.
        """
        return None if now < self.first else self.passed(api, job_id, job)

    def passed(self, api: BatchApi, job_id: str, job: BatchJob | None) -> Verdict:
        """
        Return the verdict that time is up.

        :param api: the API of the job.
        :param job_id: its id.
        :param job: the job as last seen, which the message names.
        """
        name = self.name
        outcome = Outcome.EXECUTION_TIMEOUT if name == "execution_timeout" else Outcome.TIMEOUT
        then = (
            f"It is stopped (on_timeout): raise {name}, or clear this task to go on with it."
            if self.stops_job
            else f"The job was left alone and goes on: raise {name}, or clear this task to wait for it again."
        )
        message = about(
            f"TIMED OUT after {format_duration(self.first - self.started_at)} ({name}): {last_state(job)}",
            job.name if job else name_of(api, job_id),
            then,
        )
        return Verdict(outcome, api, job_id, message, job=job)


def last_state(job: BatchJob | None) -> str:
    """Return how a job was last seen."""
    if job is None:
        return "never seen"
    progress = "" if job.completion_percentage is None else f" {job.completion_percentage:g} %"
    return f"last seen {job.raw_status or 'without a status'}{progress}"
