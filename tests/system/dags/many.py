"""As many waits as there are jobs in the run's configuration, each of which the triggerer ends by itself."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG, task

from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor

with DAG(
    "many_waits", schedule=None, start_date=datetime(2026, 1, 1), params={"request_ids": []}, max_active_tasks=2000
):

    @task
    def jobs(params: dict) -> list[str]:
        return params["request_ids"]

    SentinelHubBatchProcessJobSensor.partial(
        task_id="wait", poke_interval=5, end_from_trigger=True, max_active_tis_per_dag=2000
    ).expand(request_id=jobs())
