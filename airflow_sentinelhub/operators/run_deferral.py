"""Deferral of a task that runs a whole job: no stay in the triggerer leaves a paid job without an owner."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub.tasks import last_deferral
from airflow_sentinelhub.tasks.deferral import Deferral, TaskDeadline
from airflow_sentinelhub.tasks.kill_check import KillCheck
from airflow_sentinelhub.triggers.run import SentinelHubBatchRunPauseTrigger

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_sentinelhub.operators.run import SentinelHubBatchRunOperator


class RunDeferral(Deferral):
    """
    Lets time pass for a run; its triggers stop the job when the task is killed meanwhile.

    :param task: the task.
    :param kill_check: whether the task was killed while it still had its worker.
    """

    def __init__(self, task: SentinelHubBatchRunOperator, kill_check: KillCheck) -> None:
        super().__init__(task, deferrable=task.deferrable)
        self._run, self._kill_check = task, kill_check

    def hand_over(self, job_id: str, trigger: BaseTrigger, kwargs: dict[str, Any], timeout: timedelta) -> None:
        """Leave the worker, unless the task was killed: no trigger would be there to see it."""
        # Whatever can fail comes before the last question: after it, there is only Airflow's own call.
        trigger.serialize()
        self._kill_check.while_started(job_id)
        last_deferral.remember(lambda: self._kill_check.after_deferral(job_id))
        super().hand_over(job_id, trigger, kwargs, timeout)

    def pause_trigger(self, until: float, limit: TaskDeadline) -> BaseTrigger:
        """Return the trigger of a pause, which acts on a kill."""
        return SentinelHubBatchRunPauseTrigger(
            until=until,
            api=self._run.api.value,
            request_id=limit.job_id,
            sentinelhub_conn_id=self._run.sentinelhub_conn_id,
            kill_action=self._run.kill_action.value,
        )

    def ends_at(self, until: float, limit: TaskDeadline) -> float:
        """Return the end of the task's time: Airflow does not tell what was waited for."""
        return until if limit.ends_at is None else max(until, limit.ends_at)
