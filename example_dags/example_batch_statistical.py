"""
Run a Batch Statistical job: numbers for each of many polygons, instead of images.

Shows: a job is created and analysed, the DAG waits for its analysis, starts it, waits until it is done, and hands
the finished job to the next task.

Needs an Airflow connection ``sentinelhub_default`` and a running triggerer. Put your own bucket, with a GeoPackage
of your polygons in it, into ``REQUEST``.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import chain, dag, task

from airflow_sentinelhub.operators.batch import (
    SentinelHubBatchAnalyseOperator,
    SentinelHubBatchCreateOperator,
    SentinelHubBatchStartOperator,
)
from airflow_sentinelhub.sensors.batch import (
    SentinelHubBatchStatisticalAnalysisSensor,
    SentinelHubBatchStatisticalJobSensor,
)

# The demo's jobs take seconds and are looked at more often than yours need to be.
POKE_INTERVAL = float(os.environ.get("EXAMPLE_POKE_INTERVAL", "30"))
ANALYSIS_POKE_INTERVAL = min(10.0, POKE_INTERVAL)

BUCKET_ROLE = {"iamRoleARN": "arn:aws:iam::123456789012:role/my-role"}

REQUEST = {
    "input": {
        "features": {"s3": {"url": "s3://my-bucket/fields.gpkg", **BUCKET_ROLE}},
        "data": [{"type": "sentinel-2-l2a", "dataFilter": {"mosaickingOrder": "leastCC"}}],
    },
    "aggregation": {
        "timeRange": {"from": "2025-01-01T00:00:00Z", "to": "2025-12-31T23:59:59Z"},
        "aggregationInterval": {"of": "P30D"},
        "resx": 10,
        "resy": 10,
        "evalscript": (
            "//VERSION=3\n"
            "function setup() {\n"
            '  return { input: ["B04", "B08", "dataMask"],\n'
            '           output: [{ id: "ndvi", bands: 1 }, { id: "dataMask", bands: 1 }] };\n'
            "}\n"
            "function evaluatePixel(sample) {\n"
            "  return { ndvi: [(sample.B08 - sample.B04) / (sample.B08 + sample.B04)],\n"
            "           dataMask: [sample.dataMask] };\n"
            "}\n"
        ),
    },
    "output": {"s3": {"url": "s3://my-bucket/ndvi-of-fields", **BUCKET_ROLE}},
}


@dag(schedule=None, start_date=datetime(2026, 1, 1), tags=["sentinelhub"], doc_md=__doc__)
def example_batch_statistical():
    """Create, analyse, start and await a Batch Statistical job."""
    create_job = SentinelHubBatchCreateOperator(task_id="create_job", request=REQUEST, api="statistical")
    analyse_job = SentinelHubBatchAnalyseOperator(
        task_id="analyse_job", request_id=create_job.output, api="statistical"
    )
    wait_for_analysis = SentinelHubBatchStatisticalAnalysisSensor(
        task_id="wait_for_analysis",
        request_id=create_job.output,
        poke_interval=ANALYSIS_POKE_INTERVAL,
    )
    start_job = SentinelHubBatchStartOperator(task_id="start_job", request_id=create_job.output, api="statistical")
    wait_for_job = SentinelHubBatchStatisticalJobSensor(
        task_id="wait_for_job",
        request_id=create_job.output,
        poke_interval=POKE_INTERVAL,
        analysis_poke_interval=ANALYSIS_POKE_INTERVAL,
    )

    @task
    def report(job: dict) -> str:
        """What comes next in your pipeline; it has the finished job."""
        return f"Job {job['id']} is {job['status']} and cost {job['costPU']:,.0f} PU."

    chain(create_job, analyse_job, wait_for_analysis, start_job, wait_for_job)
    report(wait_for_job.output)


example_batch_statistical()
