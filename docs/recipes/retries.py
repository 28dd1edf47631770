"""
Retry what may mend itself, and nothing else (Airflow 3.3).

An outage of the service is worth many retries; a job that failed is not, as the same request fails again. The
policy tells them apart by the classes of the exceptions.
"""

from datetime import datetime, timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, dag

from airflow_sentinelhub.exceptions import BatchError, ServiceUnavailable
from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor

POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=ServiceUnavailable, action=RetryAction.RETRY, retry_delay=timedelta(minutes=15)),
        RetryRule(exception=BatchError, action=RetryAction.FAIL, reason="The job itself has to be looked at."),
    ]
)


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"request_id": "the id of your job"})
def retries_by_exception():
    SentinelHubBatchProcessJobSensor(
        task_id="wait", request_id="{{ params.request_id }}", retries=10, retry_policy=POLICY
    )


retries_by_exception()
