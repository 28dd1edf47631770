"""Waits for the chaos tests: one sensor each, for a job that the test has put into the emulator."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor

OFTEN = {"poke_interval": 1, "analysis_poke_interval": 1, "request_id": "{{ params.request_id }}"}

for dag_id, arguments in {
    "wait": {},
    "wait_with_timeout": {"timeout": 30},
    "wait_with_execution_timeout": {"execution_timeout": timedelta(seconds=30)},
    # Not in the environment, so that it can be changed while a task waits.
    "wait_with_stored_connection": {"sentinelhub_conn_id": "stored"},
}.items():
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1), params={"request_id": ""}) as dag:
        SentinelHubBatchProcessJobSensor(task_id="wait", **OFTEN, **arguments)
    globals()[dag_id] = dag
