"""Report of a run: its XComs, links and asset events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Asset

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.delivery import delivery_folder
from airflow_sentinelhub.links.batch import link_to
from airflow_sentinelhub.tasks.state_store import TaskStateStore

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_sentinelhub.operators.api_operator import SentinelHubBatchOperator


class RunReport:
    """
    Tells Airflow what is known of the job of a task.

    :param task: the task, on its worker.
    :param context: Airflow's context.
    """

    def __init__(self, task: SentinelHubBatchOperator, context: Context) -> None:
        self._task, self._context = task, context

    def publish(self, job: BatchJob) -> None:
        """
        Push the job and its cost. A failed task returns nothing; what is known is useful all the same.

        :param job: the job as it is now.
        """
        link_to(self._task, delivery=job.delivery)
        self.push("request_id", job.id)
        self.push("return_value", job.to_json())
        if job.api is not BatchApi.PROCESS_V1:  # which does not tell what a job costs
            self.push("cost_pu", dict(TaskStateStore.of(self._context).keep_cost(job).jobs))

    def push(self, key: str, value: Any) -> None:
        """Push an XCom, unless the task pushes none."""
        if self._task.do_xcom_push:
            self._context["ti"].xcom_push(key=key, value=value)

    def add_to_assets(self, job: BatchJob, counts: dict[str, Any] | None, payload: dict[str, Any] | None) -> None:
        """
        Add the job to the events of the assets that the task updates.

        :param counts: tiles or features by status, if they were counted.
        :param payload: all that the service says of the job, with its request, if that was read.
        """
        for outlet in self._task.outlets:
            if isinstance(outlet, Asset):
                self._context["outlet_events"][outlet].extra.update(
                    request_id=job.id,
                    cost_pu=job.cost_pu,
                    counts=counts,
                    delivery_url=delivery_folder(job.api, job.id, payload or {}),
                )
        link_to(self._task, delivery=job.delivery)

    def job_id(self) -> str | None:
        """Return the job's id, where all that is left of it is what was kept."""
        record = TaskStateStore.of(self._context).read()
        if record is not None and record.id is not None:
            return record.id
        ti = self._context["ti"]
        pushed = ti.xcom_pull(task_ids=self._task.task_id, key="request_id", map_indexes=ti.map_index)
        return pushed if isinstance(pushed, str) else None
