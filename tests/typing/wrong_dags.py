"""Mistakes that a type checker finds: each line with one ends with "wrong"."""

from __future__ import annotations

from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.operators.batch import (
    SentinelHubBatchCreateOperator,
    SentinelHubBatchRunOperator,
    SentinelHubBatchStartOperator,
    SentinelHubBatchTilesOperator,
)
from airflow_sentinelhub.sensors.batch import (
    SentinelHubBatchAnalysisSensor,
    SentinelHubBatchJobSensor,
    SentinelHubBatchProcessJobSensor,
    SentinelHubBatchStatisticalAnalysisSensor,
)
from airflow_sentinelhub.sensors.group import SentinelHubBatchGroupSensor
from airflow_sentinelhub.triggers.event import SentinelHubBatchEventTrigger

SentinelHubBatchProcessJobSensor(task_id="a")  # wrong
SentinelHubBatchAnalysisSensor(task_id="a")  # wrong
SentinelHubBatchJobSensor(task_id="a")  # wrong
SentinelHubBatchGroupSensor(task_id="a")  # wrong
SentinelHubBatchStartOperator(task_id="a")  # wrong
SentinelHubBatchCreateOperator(task_id="a")  # wrong
SentinelHubBatchRunOperator(task_id="a")  # wrong
SentinelHubBatchTilesOperator(task_id="a")  # wrong

SentinelHubBatchProcessJobSensor(task_id="a", request_id="b", poke_interval="2m")  # wrong
SentinelHubBatchStatisticalAnalysisSensor(task_id="a", request_id="b", start_grace=[])  # wrong
SentinelHubBatchJobSensor(task_id="a", request_id="b", include_geometry="no")  # wrong
SentinelHubBatchGroupSensor(task_id="a", request_ids=["b"], until="most")  # wrong
SentinelHubBatchGroupSensor(task_id="a", request_ids=["b"], analysis_poke_interval=None)  # wrong
SentinelHubBatchStartOperator(task_id="a", request_id="b", deferrable="yes")  # wrong
SentinelHubBatchRunOperator(task_id="a", request={}, max_cost_pu=[5])  # wrong
SentinelHubBatchRunOperator(task_id="a", request={}, resume=["OUT_OF_PU"])  # wrong
SentinelHubBatchTilesOperator(task_id="a", request_id="b", limit="ten")  # wrong
SentinelHubBatchEventTrigger(status=["DONE"])  # wrong
SentinelHubHook(conn_id="a")  # wrong
