"""
Run a job of the first Batch Process API, and branch on what became of each tile.

Shows: a job is created and analysed, the DAG waits for its analysis, starts it, waits until it is done, and hands
the tiles, by status, to the next task. A job of which some tiles failed is accepted here (``allow_partial``), and
the next task sees which.

This API is gone from the official service. For a new project take ``example_batch_process.py``.

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
from airflow_sentinelhub.sensors.batch import SentinelHubBatchAnalysisSensor, SentinelHubBatchJobSensor

# The demo's jobs take seconds and are looked at more often than yours need to be.
POKE_INTERVAL = float(os.environ.get("EXAMPLE_POKE_INTERVAL", "120"))
ANALYSIS_POKE_INTERVAL = min(10.0, POKE_INTERVAL)

REQUEST = {
    "description": "True colour of Corsica",
    "processRequest": {
        "input": {
            "bounds": {"bbox": [8.44, 41.31, 9.66, 43.1]},
            "data": [
                {
                    "type": "sentinel-2-l2a",
                    "dataFilter": {"timeRange": {"from": "2025-06-01T00:00:00Z", "to": "2025-06-30T23:59:59Z"}},
                }
            ],
        },
        "output": {"responses": [{"identifier": "default", "format": {"type": "image/tiff"}}]},
        "evalscript": (
            "//VERSION=3\n"
            "function setup() {\n"
            '  return { input: ["B02", "B03", "B04"], output: { bands: 3 } };\n'
            "}\n"
            "function evaluatePixel(sample) {\n"
            "  return [2.5 * sample.B04, 2.5 * sample.B03, 2.5 * sample.B02];\n"
            "}\n"
        ),
    },
    "tilingGrid": {"id": 0, "resolution": 60.0},
    "bucketName": "my-bucket",
}


@dag(schedule=None, start_date=datetime(2026, 1, 1), tags=["sentinelhub"], doc_md=__doc__)
def example_batch_process_v1():
    """Create, analyse, start and await a job of the first Batch Process API."""
    create_job = SentinelHubBatchCreateOperator(task_id="create_job", request=REQUEST, api="process_v1")
    analyse_job = SentinelHubBatchAnalyseOperator(
        task_id="analyse_job", request_id=create_job.output, api="process_v1"
    )
    wait_for_analysis = SentinelHubBatchAnalysisSensor(
        task_id="wait_for_analysis",
        request_id=create_job.output,
        poke_interval=ANALYSIS_POKE_INTERVAL,
    )
    start_job = SentinelHubBatchStartOperator(task_id="start_job", request_id=create_job.output, api="process_v1")
    wait_for_job = SentinelHubBatchJobSensor(
        task_id="wait_for_job",
        request_id=create_job.output,
        poke_interval=POKE_INTERVAL,
        analysis_poke_interval=ANALYSIS_POKE_INTERVAL,
        allow_partial=True,
    )

    @task
    def report(tiles: dict) -> str:
        """What comes next in your pipeline; it has the tiles by status."""
        failed = [tile["id"] for tile in tiles["FAILED"]]
        return f"{len(tiles['PROCESSED'])} tiles were processed, {len(failed)} failed: {failed}"

    chain(create_job, analyse_job, wait_for_analysis, start_job, wait_for_job)
    report(wait_for_job.output)


example_batch_process_v1()
