"""
No job outlives its DAG run.

The job is created in a setup task, and stopped in a teardown task: when all is done, and also when something
between the two has failed. A job that is over is not asked to stop.
"""

from datetime import datetime

from airflow.sdk import dag, task

from airflow_sentinelhub.operators.batch import (
    SentinelHubBatchCreateOperator,
    SentinelHubBatchStartOperator,
    SentinelHubBatchStopOperator,
)
from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"request": {}})
def setup_and_teardown():
    create = SentinelHubBatchCreateOperator(task_id="create", request="{{ params.request | tojson }}").as_setup()
    start = SentinelHubBatchStartOperator(task_id="start", request_id=create.output)
    wait = SentinelHubBatchProcessJobSensor(task_id="wait", request_id=create.output)
    stop = SentinelHubBatchStopOperator(task_id="stop", request_id=create.output).as_teardown(setups=create)

    @task
    def use(job: dict) -> str:
        return f"Job {job['id']} is {job['status']}."

    start >> wait >> use(wait.output) >> stop


setup_and_teardown()
