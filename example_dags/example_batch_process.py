"""
Run a Batch Process job step by step, and wait for it without holding a worker.

Shows: a job is created and analysed, the DAG waits for its analysis, starts it, waits until it is done, and hands
the finished job to the next task. Each task may be retried: none asks the service for what has happened. This is
the API that most people want; it writes its images into your bucket. ``example_batch_run.py`` does all of it in
one task.

Needs an Airflow connection ``sentinelhub_default`` and a running triggerer. Put your own bucket into ``REQUEST``.
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
    SentinelHubBatchProcessAnalysisSensor,
    SentinelHubBatchProcessJobSensor,
)

# Jobs run for hours, so two minutes are often enough. The demo's jobs take seconds and are looked at more often.
POKE_INTERVAL = float(os.environ.get("EXAMPLE_POKE_INTERVAL", "120"))
ANALYSIS_POKE_INTERVAL = min(10.0, POKE_INTERVAL)

REQUEST = {
    "description": "Cloud-free NDVI of Corsica",
    "processRequest": {
        "input": {
            "bounds": {"bbox": [8.44, 41.31, 9.66, 43.1]},
            "data": [
                {
                    "type": "sentinel-2-l2a",
                    "dataFilter": {
                        "timeRange": {"from": "2025-06-01T00:00:00Z", "to": "2025-06-30T23:59:59Z"},
                        "maxCloudCoverage": 30,
                    },
                }
            ],
        },
        "output": {"responses": [{"identifier": "default", "format": {"type": "image/tiff"}}]},
        "evalscript": (
            "//VERSION=3\n"
            "function setup() {\n"
            '  return { input: ["B04", "B08"], output: { bands: 1, sampleType: "FLOAT32" } };\n'
            "}\n"
            "function evaluatePixel(sample) {\n"
            "  return [(sample.B08 - sample.B04) / (sample.B08 + sample.B04)];\n"
            "}\n"
        ),
    },
    "input": {"type": "tiling-grid", "id": 0, "resolution": 60.0},
    "output": {
        "type": "raster",
        "delivery": {"s3": {"url": "s3://my-bucket/ndvi", "iamRoleARN": "arn:aws:iam::123456789012:role/my-role"}},
    },
}


@dag(schedule=None, start_date=datetime(2026, 1, 1), tags=["sentinelhub"], doc_md=__doc__)
def example_batch_process():
    """Create, analyse, start and await a Batch Process job."""
    create_job = SentinelHubBatchCreateOperator(task_id="create_job", request=REQUEST)
    analyse_job = SentinelHubBatchAnalyseOperator(task_id="analyse_job", request_id=create_job.output)
    wait_for_analysis = SentinelHubBatchProcessAnalysisSensor(
        task_id="wait_for_analysis",
        request_id=create_job.output,
        poke_interval=ANALYSIS_POKE_INTERVAL,
    )
    start_job = SentinelHubBatchStartOperator(task_id="start_job", request_id=create_job.output)
    wait_for_job = SentinelHubBatchProcessJobSensor(
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


example_batch_process()
