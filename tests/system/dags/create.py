"""A task that creates a job, and tells the test which process to kill."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_sentinelhub.operators.batch import SentinelHubBatchCreateOperator

REQUEST = {
    "processRequest": {
        "input": {"bounds": {"bbox": [8.44, 41.31, 9.66, 43.1]}, "data": [{"type": "sentinel-2-l2a"}]},
        "output": {"responses": [{"identifier": "default", "format": {"type": "image/tiff"}}]},
        "evalscript": "//VERSION=3\n",
    },
    "input": {"type": "tiling-grid", "id": 0, "resolution": 60.0},
    "output": {"type": "raster", "delivery": {"s3": {"url": "s3://my-bucket/created"}}},
    "description": "{{ params.name }}",
}


def note_process(context) -> None:
    """Write the id of the attempt's process."""
    folder = Path(context["params"]["folder"])
    (folder / f"attempt-{context['ti'].try_number}").write_text(str(os.getpid()), encoding="utf-8")


def linger(context, result=None) -> None:
    """Let the first attempt not come to its end, though its work is done."""
    if context["params"]["linger"] and context["ti"].try_number == 1:
        (Path(context["params"]["folder"]) / "lingers").touch()
        time.sleep(3600)  # the test kills it


with DAG(
    "create_once",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"folder": "", "name": "", "linger": False},
):
    SentinelHubBatchCreateOperator(
        task_id="create_job",
        request=REQUEST,
        retries=1,
        retry_delay=timedelta(seconds=1),
        pre_execute=note_process,
        post_execute=linger,
    )
