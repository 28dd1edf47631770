"""When a wait has to end whatever the job does."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.intervals import in_words
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.verdict import Outcome, Verdict


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
        Give the verdict when time is up, else ``None``.

        :param api: the API of the job.
        :param job_id: its id.
        :param job: the job as last seen, which the message names.
        :param now: seconds since 1970.
        """
        return None if now < self.first else self.passed(api, job_id, job)

    def passed(self, api: BatchApi, job_id: str, job: BatchJob | None) -> Verdict:
        """
        Give the verdict that time is up.

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
        message = (
            f"Time is up: {api.display_name} job {job_id} is not there after "
            f"{in_words(self.first - self.started_at)} ({name}); {last_state(job)}. {then}"
        )
        return Verdict(outcome, api, job_id, message, job=job)


def last_state(job: BatchJob | None) -> str:
    """Say how a job was last seen."""
    if job is None:
        return "its state is not known"
    progress = "" if job.completion_percentage is None else f" {job.completion_percentage:g} %"
    return f"it was last seen {job.word or 'without a status'}{progress}"
