"""What a wait is for and how patient it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.statuses import JobStatus, UserAction

_SLOWER_AFTER = (10, 30)
"""Intervals without any change after which the interval is doubled and tripled."""


class Goal(StrEnum):
    """What is waited for."""

    ANALYSIS = "analysis"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True)
class Policy:
    """
    How often to look, and how long to put up with what. All times are seconds.

    :param poll_interval: between two looks at a job.
    :param analysis_poll_interval: the same while the job is queued for its analysis or analysed.
    :param slowest_poll_interval: the same at most, while the job hardly moves; ``None``: ``poll_interval``.
    :param allow_partial: a PARTIAL job is good enough.
    :param start_grace: how long a job may rest because nobody started it; ``None``: for ever.
    :param stall_timeout: how long a job may show no change at all; ``None``: for ever.
    :param outage_tolerance: for how long the service may give no usable answer.
    :param confirm_after: how long after the first reading a state that may not last is read again; ``None``:
        one interval. Callers that remember nothing between two looks read again at once.
    :param max_cost_pu: processing units that a job may cost before it is given up; ``None``: any number.
    """

    poll_interval: float
    analysis_poll_interval: float
    allow_partial: bool = False
    start_grace: float | None = 3600.0
    stall_timeout: float | None = None
    outage_tolerance: float = 6 * 3600.0
    confirm_after: float | None = None
    slowest_poll_interval: float | None = None
    max_cost_pu: float | None = None

    def interval(self, job: BatchJob | None, unchanged: float = 0.0) -> float:
        """
        Seconds until the next look at a job in this state.

        Analyses take minutes and are looked at more often; a job that rests, and one that is processed,
        takes its time. One at which nothing has changed for ten intervals will hardly be done in the next one.

        :param job: the job as last seen; ``None`` if it never was (a new one is readable within seconds).
        :param unchanged: for how many seconds nothing has changed at it.
        """
        if job is None or job.status is JobStatus.ANALYSING:
            return self.analysis_poll_interval
        if job.status is JobStatus.CREATED and job.user_action is not UserAction.NONE:
            return self.analysis_poll_interval
        slowest = self.poll_interval if self.slowest_poll_interval is None else self.slowest_poll_interval
        # Whole multiples, so that the looks of jobs that move and of those that do not fall together.
        factor = sum(unchanged >= intervals * self.poll_interval for intervals in _SLOWER_AFTER) + 1
        return max(self.poll_interval, min(factor * self.poll_interval, slowest))

    def confirmation_pause(self, job: BatchJob | None) -> float:
        """
        Seconds between the two readings of a state that may not last.

        :param job: the job in that state; ``None`` for a 404 or a refusal, which a roll-out of the service may
            cause for a while.
        """
        if self.confirm_after is not None:
            return self.confirm_after
        return self.poll_interval if job is None else self.interval(job)
