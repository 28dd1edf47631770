"""Run record of a task that runs a whole job, and whether a STOPPED job may be started again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.json_record import JsonRecord
from airflow_sentinelhub.jobs.statuses import JobStatus, UserAction


@dataclass(frozen=True, slots=True)
class RunRecord(JsonRecord):
    """
    Record of a job across the attempts of its task.

    A job that is stopped is not started again unless that was asked for: by the user with a clear of the task or
    by ``resume``, or the task itself, which stopped it for a time limit and is retried.

    :param job_id: the job.
    :param max_tries: Airflow's, when the latest attempt began; only a clear changes it.
    :param may_restart: the job may be started again, for whatever reason it was stopped.
    :param resumed: how often it was started again for each reason.
    :param recreated: how many jobs took the place of another one since the last clear.
    """

    job_id: str = ""
    max_tries: int = 0
    may_restart: bool = False
    resumed: Mapping[str, int] = field(default_factory=dict)
    recreated: int = 0

    def begun(self, job_id: str, max_tries: int) -> RunRecord:
        """
        Record that an attempt begins.

        :param job_id: its job.
        :param max_tries: Airflow's.
        """
        if self.job_id != job_id:
            again = bool(self.job_id) and self.max_tries == max_tries
            return RunRecord(job_id, max_tries, recreated=self.recreated + 1 if again else 0)
        cleared = self.max_tries != max_tries
        return replace(self, max_tries=max_tries, may_restart=self.may_restart or cleared)

    def is_retry(self, job_id: str, max_tries: int) -> bool:
        """
        Return whether an attempt with this job came before, and no clear since.

        :param job_id: the job.
        :param max_tries: Airflow's; only a clear changes it.
        """
        return self.job_id == job_id and self.max_tries == max_tries

    def stopped_by_task(self) -> RunRecord:
        """Record that the task itself stops the job; the next attempt goes on with it."""
        return replace(self, may_restart=True)

    def started(self) -> RunRecord:
        """Record that the job is on its way; a stop from now on is a user's."""
        return replace(self, may_restart=False)

    def may_resume(self, job: BatchJob, resume: Mapping[str, int]) -> bool:
        """
        Return whether a job is to be started again for the reason for which it stopped.

        :param job: the job.
        :param resume: how often, for each reason.
        """
        reason = job.stopped_reason or ""
        return job.status is JobStatus.STOPPED and self.resumed.get(reason, 0) < resume.get(reason, 0)

    def resuming(self, job: BatchJob) -> RunRecord:
        """Record that a job is started again for the reason for which it stopped."""
        reason = job.stopped_reason or ""
        resumed = {**self.resumed, reason: self.resumed.get(reason, 0) + 1}
        return replace(self, resumed=resumed, may_restart=True)


def is_stopped(job: BatchJob) -> bool:
    """Return whether a job is stopped, or is about to be."""
    stopping = job.user_action is UserAction.STOP and job.status is not JobStatus.DONE
    return job.status is JobStatus.STOPPED or stopping
