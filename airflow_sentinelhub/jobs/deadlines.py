"""When a wait has to end whatever the job does."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.durations import in_words
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.verdict import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Deadlines:
    """
    Absolute times, in seconds since 1970: they outlive a restart of the triggerer.

    :param started_at: when the wait began.
    :param timeout_at: end of the sensor's ``timeout``, after which Airflow does not retry.
    :param execution_timeout_at: end of the task's ``execution_timeout``, after which it may; ``None``: none.
    """

    started_at: float
    timeout_at: float
    execution_timeout_at: float | None = None

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
        execution = self.execution_timeout_at is not None and self.execution_timeout_at <= self.timeout_at
        name = "execution_timeout" if execution else "timeout"
        outcome = Outcome.EXECUTION_TIMEOUT if execution else Outcome.TIMEOUT
        message = (
            f"Time is up: {api.display_name} job {job_id} is not there after "
            f"{in_words(self.first - self.started_at)} ({name}); {last_state(job)}. The job was left alone and "
            f"goes on: raise {name}, or clear this task to wait for it again."
        )
        return Verdict(outcome, api, job_id, message, job=job)


def last_state(job: BatchJob | None) -> str:
    """Say how a job was last seen."""
    if job is None:
        return "its state is not known"
    progress = "" if job.completion_percentage is None else f" {job.completion_percentage:g} %"
    return f"it was last seen {job.word or 'without a status'}{progress}"
