"""
With functions alone: TaskFlow.

A task that returns an id, or a job, is all that a sensor needs; its result goes into the next function.
"""

from datetime import datetime

from airflow.sdk import dag, task

from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"request_id": "the id of your job"})
def with_functions():
    @task
    def which_job(params: dict) -> str:
        return params["request_id"]

    @task
    def report(job: dict) -> str:
        return f"{job['status']}, and it cost {job['costPU']:,.0f} PU"

    report(SentinelHubBatchProcessJobSensor(task_id="wait", request_id=which_job()).output)


with_functions()
