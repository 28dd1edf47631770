"""Creating a batch job, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_sentinelhub.links.batch import link_to
from airflow_sentinelhub.operators.job_creation import JobCreator
from airflow_sentinelhub.operators.request_operator import SentinelHubBatchRequestOperator
from airflow_sentinelhub.tasks.state_store import TaskStateStore

if TYPE_CHECKING:
    from airflow.sdk import Context


class SentinelHubBatchCreateOperator(SentinelHubBatchRequestOperator):
    """
    Creates a job from a request, once, and returns it without the request.

    Nothing runs, and nothing is charged, before the job is started: that is what
    :class:`~airflow_sentinelhub.operators.batch.SentinelHubBatchStartOperator` is for.

    The job carries a tag that names DAG, run, task, map index and request: at the end of its description, or
    for Batch Statistical in the last line of its evalscript. A retry, or a clear of an attempt that had not
    finished, goes on with the job that is there. A clear of an attempt that had finished creates a new one; below
    Airflow 3.3, which cannot tell that, a job that is not over is gone on with. If the request has changed since,
    a job from the old one is stopped first. If the worker is killed, nothing more is asked of the service, and the
    next attempt finds the job. All arguments are those of
    :class:`~airflow_sentinelhub.operators.request_operator.SentinelHubBatchRequestOperator`.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Create the job, or find the one of an earlier attempt.

        :return: the job.
        :raises InvalidRequest: ``request`` is none.
        :raises InvalidConnection: an Airflow connection lacks a field.
        :raises BatchActionImpossible: a job from an earlier request of this task could not be stopped.
        :raises ServiceError: a subclass of it, when the service refuses the request or gives no answer.
        """
        rendered = self.render_request(context)
        with self.client() as client:
            creation = JobCreator(client, rendered, TaskStateStore.of(context), self.log)
            job = creation.job()
            link_to(self, config=client.config, job_id=job.id, delivery=job.delivery)
            if self.do_xcom_push:
                context["ti"].xcom_push(key="return_value", value=job.to_json())
            creation.finish()
        return job.to_json()
