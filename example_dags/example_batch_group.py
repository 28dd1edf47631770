"""
Run a Batch Process job for each region, and gather them with one wait.

Shows: a mapped task creates and starts a job for each region, and its page shows which is which. One sensor waits
until all of them are done without holding a worker, and the next task has them all.

The wait is one task with one log, however many jobs there are, and asks for a hundred of them with one request.
With the first job that ends badly it fails, and the others are left alone; ``fail_fast=False`` waits for them
first, and ``until=3`` (or ``"any"``) is content with three (or one).

Needs an Airflow connection ``sentinelhub_default`` and a running triggerer. Put your own bucket into ``BUCKET``.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import dag, task

from airflow_sentinelhub.operators.batch import SentinelHubBatchRunOperator
from airflow_sentinelhub.sensors.group import SentinelHubBatchGroupSensor

# Jobs run for hours, so two minutes are often enough. The demo's jobs take seconds and are looked at more often.
POKE_INTERVAL = float(os.environ.get("EXAMPLE_POKE_INTERVAL", "120"))

BUCKET = "s3://my-bucket/ndvi"
ROLE = "arn:aws:iam::123456789012:role/my-role"
REGIONS = {
    "corsica": [8.44, 41.31, 9.66, 43.1],
    "sardinia": [8.09, 38.83, 9.88, 41.32],
    "sicily": [12.36, 36.61, 15.72, 38.33],
    "crete": [23.45, 34.89, 26.36, 35.72],
}
EVALSCRIPT = """//VERSION=3
function setup() {
  return { input: ["B04", "B08"], output: { bands: 1, sampleType: "FLOAT32" } };
}
function evaluatePixel(sample) {
  return [(sample.B08 - sample.B04) / (sample.B08 + sample.B04)];
}
"""


def request(region: str) -> dict:
    """Describe what is to be made of a region."""
    return {
        "description": f"NDVI of {region}",
        "processRequest": {
            "input": {
                "bounds": {"bbox": REGIONS[region]},
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
            "evalscript": EVALSCRIPT,
        },
        "input": {"type": "tiling-grid", "id": 0, "resolution": 60.0},
        "output": {"type": "raster", "delivery": {"s3": {"url": f"{BUCKET}/{region}", "iamRoleARN": ROLE}}},
    }


@dag(schedule=None, start_date=datetime(2026, 1, 1), tags=["sentinelhub"], doc_md=__doc__)
def example_batch_group():
    """Create, start and gather a Batch Process job for each region."""
    start_jobs = SentinelHubBatchRunOperator.partial(
        task_id="start_job",
        wait_for_completion=False,
        map_index_template="{{ task.request.description }}",
    ).expand(request=[request(region) for region in REGIONS])

    gather = SentinelHubBatchGroupSensor(
        task_id="gather",
        request_ids=start_jobs.output,
        poke_interval=POKE_INTERVAL,
        analysis_poke_interval=min(10.0, POKE_INTERVAL),
    )

    @task
    def report(jobs: dict) -> str:
        """What comes next in your pipeline; it has all the jobs."""
        cost = sum(job.get("costPU", 0) for job in jobs["done"])
        return f"{len(jobs['done'])} jobs are done and cost {cost:,.0f} PU."

    report(gather.output)


example_batch_group()
