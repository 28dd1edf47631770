"""
Stop a job from another DAG than the one that runs it.

Shows: the DAG is started with ``{"request_id": "..."}``, by hand, over Airflow's API or with a
``TriggerDagRunOperator`` of the DAG that finds that a job is not wanted any more. The job is stopped, unless it is
over already, and the next task learns which it was and what was spent. Run it as often as you like: a job is not
stopped twice.

What is done or in flight is charged, and the job cannot be started again for half an hour. A sensor that waits for
the job in its own DAG then fails with ``BatchStopped``. ``SentinelHubBatchRestartOperator`` lets it go on.

Needs an Airflow connection ``sentinelhub_default``, and a running triggerer for a job that is still queued.
"""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import Param, dag, task

from airflow_sentinelhub.operators.batch import SentinelHubBatchStopOperator


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"request_id": Param(type="string", minLength=1, description="The id of the job to stop.")},
    tags=["sentinelhub"],
    doc_md=__doc__,
)
def example_batch_stop():
    """Stop a Batch Process job, and report what it came to."""
    # api="statistical" or "process_v1" for jobs of the other APIs.
    stop_job = SentinelHubBatchStopOperator(task_id="stop_job", request_id="{{ params.request_id }}", retries=3)

    @task
    def report(job: dict) -> str:
        """What comes next in your pipeline; it has the job as the stop left it."""
        if job["status"] == "DONE":
            return f"Job {job['id']} was done before it could be stopped; it cost {job['costPU']:,.0f} PU."
        return f"Job {job['id']} is {job['status']} and has cost {job['costPU']:,.0f} PU."

    report(stop_job.output)


example_batch_stop()
