"""
Run a country in one task: create the job, start it, wait for it, and go on with what it really delivered.

Shows: one task makes the NDVI of Luxembourg with Batch Process, without holding a worker. It stops the job when
it gets too dear or the task is marked as failed, starts it again when the account has new processing units, and
counts what came out, since DONE does not say that every tile succeeded. Then the DAG branches: everything is
there, or few enough features are missing to go on without them. If it is more than that the task fails, another
one says what is missing, and the run fails. The asset's event tells other DAGs the job, its cost, the counts and
the folder.

Needs an Airflow connection ``sentinelhub_default``, a running triggerer, the extra ``storage`` and a connection
``aws_default`` that may read the bucket. Put your own bucket and role into ``BUCKET`` and ``ROLE``.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import Asset, dag, task

from airflow_sentinelhub.operators.batch import SentinelHubBatchRunOperator

# The demo's jobs take seconds and are looked at more often than yours need to be.
POKE_INTERVAL = float(os.environ.get("EXAMPLE_POKE_INTERVAL", "120"))
STORAGE_CONN_ID = os.environ.get("EXAMPLE_STORAGE_CONN_ID", "aws_default")

BUCKET = "s3://my-bucket/ndvi"
ROLE = "arn:aws:iam::123456789012:role/my-role"
LUXEMBOURG = [5.73, 49.44, 6.54, 50.19]
EVALSCRIPT = """//VERSION=3
function setup() {
  return { input: ["B04", "B08"], output: { bands: 1, sampleType: "FLOAT32" } };
}
function evaluatePixel(sample) {
  return [(sample.B08 - sample.B04) / (sample.B08 + sample.B04)];
}
"""
REQUEST = {
    "description": "NDVI of Luxembourg",
    "processRequest": {
        "input": {
            "bounds": {"bbox": LUXEMBOURG},
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
    "output": {"type": "raster", "delivery": {"s3": {"url": "{{ params.bucket }}", "iamRoleARN": ROLE}}},
}


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"bucket": BUCKET},
    tags=["sentinelhub"],
    doc_md=__doc__,
)
def example_batch_run():
    """Run a Batch Process job in one task, and branch on what came out of it."""
    run_country = SentinelHubBatchRunOperator(
        task_id="run_country",
        request=REQUEST,
        storage_conn_id=STORAGE_CONN_ID,
        max_failed_tiles=0.05,
        max_cost_pu=5_000,
        resume={"OUT_OF_PU": 3},
        outlets=[Asset("ndvi_of_luxembourg")],
        # A retry goes on with the same job (since Airflow 3.3): it is created, and paid for, once.
        retries=2,
        retry_delay=timedelta(seconds=POKE_INTERVAL),
        poke_interval=POKE_INTERVAL,
        analysis_poke_interval=min(10.0, POKE_INTERVAL),
    )

    @task.branch
    def gate(counts: dict) -> str:
        """Decide by the numbers; max_failed_tiles has made sure that few enough are missing."""
        return "use_what_is_there" if counts["FATAL"] + counts["PENDING"] else "use_everything"

    @task
    def use_everything(job: dict) -> str:
        """What comes next in your pipeline when nothing is missing."""
        return f"Everything is there; it cost {job['costPU']:,.0f} PU."

    @task
    def use_what_is_there(job: dict, counts: dict) -> str:
        """What comes next when little is missing."""
        missing = counts["FATAL"] + counts["PENDING"]
        return f"{missing} of {sum(counts.values())} features are missing; it cost {job['costPU']:,.0f} PU."

    @task(trigger_rule="none_failed_min_one_success")
    def publish(job: dict) -> str:
        """What comes next in either case."""
        return f"Published what job {job['id']} delivered."

    # What is known of the job is there although its task has failed.
    @task(trigger_rule="all_failed")
    def tell_what_is_missing(ti=None) -> str:
        """What has to be done when too much is missing, or the job ended in another way."""
        job, counts = (ti.xcom_pull(task_ids="run_country", key=key) for key in ("return_value", "counts"))
        if counts is None:
            return f"Nothing was counted; the job: {job}"
        return f"Too little came out of job {job['id']}: {counts}"

    branches = [
        use_everything(run_country.output),
        use_what_is_there(run_country.output, run_country.output["counts"]),
    ]
    gate(run_country.output["counts"]) >> branches >> publish(run_country.output)
    run_country >> tell_what_is_missing()


example_batch_run()
