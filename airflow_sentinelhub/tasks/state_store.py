"""State store of a task that creates a job: what is known of its earlier attempts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from airflow_sentinelhub.jobs.cost_record import CostRecord
from airflow_sentinelhub.jobs.creation_record import CreationRecord
from airflow_sentinelhub.jobs.run_record import RunRecord

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_sentinelhub.jobs import BatchJob

_KEY = "sentinelhub_job"
_RUN_KEY = "sentinelhub_run"
_COST_KEY = "sentinelhub_costs"


@dataclass(slots=True)
class TaskStateStore:
    """
    The record of a task, in Airflow's task state store.

    That came with Airflow 3.3, and survives retries and clears.

    :param store: the store; ``None`` where Airflow has none.
    :param try_number: number of the attempt.
    :param max_tries: Airflow's; a clear changes it.
    :param run_after: when the DAG run was due, in seconds since 1970: no attempt is older.
    """

    store: Any
    try_number: int
    max_tries: int
    run_after: float

    @classmethod
    def of(cls, context: Context) -> Self:
        """Open that of a running task."""
        ti = context["ti"]
        return cls(
            context.get("task_state_store"),
            ti.try_number,
            ti.max_tries,
            context["dag_run"].run_after.timestamp(),
        )

    @property
    def remembers(self) -> bool:
        """True if the next attempt will know what this one keeps."""
        return self.store is not None

    def read(self) -> CreationRecord | None:
        """Return what was kept, if anything was."""
        return None if self.store is None else CreationRecord.from_json(self.store.get(_KEY))

    def keep(self, record: CreationRecord) -> None:
        """Keep a record, where Airflow can."""
        if self.store is not None:
            self.store.set(_KEY, record.to_json())

    def finish(self) -> None:
        """Record that the job is handed on: when the task is cleared from now on, it begins anew."""
        record = self.read()
        if record is not None:
            self.keep(record.with_finish(self.max_tries))

    def read_run(self) -> RunRecord:
        """Return the run record."""
        return RunRecord() if self.store is None else RunRecord.from_json(self.store.get(_RUN_KEY))

    def keep_run(self, record: RunRecord) -> None:
        """Store the run record, where Airflow can."""
        if self.store is not None:
            self.store.set(_RUN_KEY, record.to_json())

    def read_costs(self) -> CostRecord:
        """Return what the jobs of the task have cost, as far as it was kept."""
        return CostRecord() if self.store is None else CostRecord.from_json(self.store.get(_COST_KEY))

    def keep_cost(self, job: BatchJob) -> CostRecord:
        """
        Keep what a job has cost, where Airflow can.

        :return: the costs of all jobs of the task since it was last cleared.
        """
        before = self.read_costs()
        costs = before.with_job(job, self.max_tries)
        if self.store is not None and costs != before:
            self.store.set(_COST_KEY, costs.to_json())
        return costs
