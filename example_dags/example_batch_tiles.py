"""
Go on only with what a Batch Process job really delivered: DONE does not say that every tile succeeded.

Shows: the DAG waits for a job that was created and started elsewhere, reads what became of each of its features
from the job's bucket, and branches: all of them are there, or few enough failed to go on without them, or the run
fails and says why. Start a run with ``{"request_id": "..."}``; ``max_failed_ratio`` is how much may fail.

Needs an Airflow connection ``sentinelhub_default``, a running triggerer, the extra ``storage`` and a connection
``aws_default`` that may read the bucket that the job delivers to.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import dag, task

from airflow_sentinelhub.operators.tiles import SentinelHubBatchTilesOperator
from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor

# The demo's jobs take seconds and are looked at more often than yours need to be.
POKE_INTERVAL = float(os.environ.get("EXAMPLE_POKE_INTERVAL", "120"))
STORAGE_CONN_ID = os.environ.get("EXAMPLE_STORAGE_CONN_ID", "aws_default")


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"request_id": "the id of your job", "max_failed_ratio": 0.05},
    tags=["sentinelhub"],
    doc_md=__doc__,
)
def example_batch_tiles():
    """Wait for a Batch Process job, and branch on what became of its features."""

    @task.branch(retries=0)
    def gate(counts: dict, params: dict) -> str:
        """Decide by the numbers; the features themselves need not be looked at for that."""
        missing, total = counts["FATAL"] + counts["PENDING"], sum(counts.values())
        if not missing:
            return "use_everything"
        if missing / total <= params["max_failed_ratio"]:
            return "use_what_is_there"
        raise ValueError(f"{missing} of {total} features are missing, which is more than max_failed_ratio allows.")

    @task
    def use_everything(tiles: dict) -> str:
        """What comes next in your pipeline when nothing is missing."""
        return f"All {len(tiles['DONE'])} features are there."

    @task
    def use_what_is_there(tiles: dict) -> str:
        """What comes next when little is missing; it sees what, and why."""
        missing = [f"{tile['name']} ({tile['error'] or 'pending'})" for tile in tiles["FATAL"] + tiles["PENDING"]]
        return f"{len(tiles['DONE'])} features are there, without {', '.join(missing)}."

    @task(trigger_rule="none_failed_min_one_success")
    def publish(request_id: str) -> str:
        """What comes next in either case."""
        return f"Published what job {request_id} delivered."

    wait_for_job = SentinelHubBatchProcessJobSensor(
        task_id="wait_for_job",
        request_id="{{ params.request_id }}",
        poke_interval=POKE_INTERVAL,
    )
    tiles = SentinelHubBatchTilesOperator(
        task_id="tiles",
        api="process",
        request_id=wait_for_job.output,
        storage_conn_id=STORAGE_CONN_ID,
    )
    branches = [use_everything(tiles.output), use_what_is_there(tiles.output)]
    gate(tiles.output["counts"]) >> branches >> publish("{{ params.request_id }}")


example_batch_tiles()
