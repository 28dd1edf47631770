"""DAGs as users write them, in which a type checker finds nothing to complain about."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.operators.batch import (
    SentinelHubBatchCreateOperator,
    SentinelHubBatchRunOperator,
    SentinelHubBatchStartOperator,
    SentinelHubBatchStopOperator,
    SentinelHubBatchTilesOperator,
)
from airflow_sentinelhub.sensors.batch import (
    SentinelHubBatchJobSensor,
    SentinelHubBatchProcessAnalysisSensor,
    SentinelHubBatchProcessJobSensor,
    SentinelHubBatchStatisticalJobSensor,
)
from airflow_sentinelhub.sensors.group import SentinelHubBatchGroupSensor
from airflow_sentinelhub.triggers.event import SentinelHubBatchEventTrigger

REQUEST: dict[str, object] = {"processRequest": {}, "input": {}, "output": {}}

with DAG("typed", start_date=datetime(2026, 1, 1), schedule=None):

    @task
    def ids() -> list[str]:
        return ["57902398-6aa8-4f0a-9e1c-1f6c9a2b3c4d"]

    create = SentinelHubBatchCreateOperator(task_id="create", request=REQUEST, description="NDVI", retries=3)
    start = SentinelHubBatchStartOperator(task_id="start", request_id=create.output)
    analysed = SentinelHubBatchProcessAnalysisSensor(task_id="analysed", request_id=create.output)
    done = SentinelHubBatchProcessJobSensor(
        task_id="done",
        request_id="{{ params.request_id }}",
        poke_interval=timedelta(minutes=2),
        start_grace=None,
        stall_timeout="{{ params.patience }}",
        timeout=7200,
        soft_fail=True,
        mode="reschedule",
        deferrable=False,
    )
    SentinelHubBatchStatisticalJobSensor(task_id="statistical", request_id=create.output, end_from_trigger=True)
    tiles = SentinelHubBatchJobSensor(task_id="tiles", request_id=create.output, include_geometry=True)
    SentinelHubBatchTilesOperator(task_id="read", request_id=done.output, statuses=["FATAL"], limit=10)
    SentinelHubBatchStopOperator(task_id="stop", request_id=create.output, api="statistical", pool="sentinelhub")
    SentinelHubBatchGroupSensor(task_id="group", request_ids=ids(), until=3, fail_fast=False)
    SentinelHubBatchRunOperator(
        task_id="run",
        request="request.json",
        max_cost_pu=500,
        max_failed_tiles=0.05,
        resume={"OUT_OF_PU": 3},
        recreate_failed=1,
        on_kill="leave",
        timeout=timedelta(days=2),
    )
    SentinelHubBatchProcessJobSensor.partial(task_id="each", poke_interval=60).expand(request_id=ids())
    [create, start, analysed] >> done >> tiles

watcher = AssetWatcher(name="done", trigger=SentinelHubBatchEventTrigger(statuses=["DONE"], poll_interval=60))
asset = Asset("done", watchers=[watcher])


def use_hook() -> float | None:
    """Ask for a job, as the task of a user would."""
    with SentinelHubHook("sentinelhub_default").get_conn("process") as client:
        job = client.get("57902398-6aa8-4f0a-9e1c-1f6c9a2b3c4d")
    cost: float | None = job["costPU"]
    return cost
