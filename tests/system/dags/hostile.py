"""A wait for each job in the run's configuration, beside a trigger of another provider."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, task

from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor

with DAG(
    "hostile_answers",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"waits": [], "until": "2026-01-01T00:00:00Z"},
    max_active_tasks=200,
):

    @task
    def waits(params: dict) -> list[dict]:
        return params["waits"]

    DateTimeSensorAsync(task_id="another_trigger", target_time="{{ params.until }}")
    SentinelHubBatchProcessJobSensor.partial(
        task_id="wait", poke_interval=3, retries=0, max_active_tis_per_dag=200
    ).expand_kwargs(waits())
