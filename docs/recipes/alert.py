"""
An alert when a job fails.

The exception of a wait or an operator has the job's id, its status and the service's own words. A callback reads
them, and sends them by whatever notification you have: mail, Slack, a pager.
"""

from datetime import datetime

from airflow.sdk import dag

from airflow_sentinelhub.exceptions import BatchError
from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor


def alert(context) -> None:
    error = context["exception"]
    if isinstance(error, BatchError):
        print(f"ALERT: job {error.job_id} is {error.status}: {error.service_message or 'no reason given'}")
    else:
        print(f"ALERT: the job is not known to have failed, but its task has: {error}")


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"request_id": "the id of your job"})
def alert_on_failure():
    SentinelHubBatchProcessJobSensor(
        task_id="wait", request_id="{{ params.request_id }}", on_failure_callback=alert
    )


alert_on_failure()
