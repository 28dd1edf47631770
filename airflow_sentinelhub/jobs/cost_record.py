"""
Cost record: what the jobs of a task have cost since it was last cleared.

Like all of ``jobs`` it does no I/O and reads no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.json_record import JsonRecord


@dataclass(frozen=True, slots=True)
class CostRecord(JsonRecord):
    """
    The cost of each job of a task.

    :param max_tries: Airflow's, when the latest cost was noted; only a clear changes it.
    :param jobs: processing units by id of the job, oldest first.
    """

    max_tries: int = 0
    jobs: Mapping[str, float] = field(default_factory=dict)

    def with_job(self, job: BatchJob, max_tries: int) -> CostRecord:
        """
        Record what a job has cost by now.

        :param job: the job. What it cost before is kept where the service does not tell.
        :param max_tries: Airflow's. After a clear, only the job that is gone on with counts.
        """
        before = self.jobs if max_tries == self.max_tries else {}
        cost = self.jobs.get(job.id, 0.0) if job.cost_pu is None else job.cost_pu
        return CostRecord(max_tries, {**before, job.id: cost})

    def of_others(self, job_id: str, max_tries: int) -> float:
        """
        Return what the other jobs of the task have cost since it was last cleared, in processing units.

        :param job_id: the job that does not count.
        :param max_tries: Airflow's.
        """
        if max_tries != self.max_tries:
            return 0.0
        return sum(cost for other, cost in self.jobs.items() if other != job_id)
