"""
Start a DAG when a Batch Process job ends, whoever has started it.

Shows: the job may have been started by a notebook, by a colleague or by another DAG. A watcher in the triggerer
looks at the account's list of jobs, and each job that is DONE starts this DAG, which gets the job itself. Nothing
waits meanwhile, and nobody has to know the id of the job beforehand. Jobs that end while the triggerer is down
start it when it is back (Airflow 3.3).

Airflow gathers the events that come at the same time into one run, so the run has a list of jobs, and each of them
gets a task of its own. ``description="NDVI"`` would watch only jobs with that word in their description, and
``statuses=["FAILED", "STOPPED"]`` would make an alarm of this.

Needs an Airflow connection ``sentinelhub_default`` and a running triggerer.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_sentinelhub.triggers.event import SentinelHubBatchEventTrigger

# A look costs one request, however many jobs there are on the page. The demo's jobs take seconds.
POLL_INTERVAL = float(os.environ.get("EXAMPLE_POKE_INTERVAL", "60"))

DONE = Asset(
    "sentinelhub_done_jobs",
    watchers=[
        AssetWatcher(
            name="sentinelhub_done_jobs",
            trigger=SentinelHubBatchEventTrigger(statuses=["DONE"], poll_interval=POLL_INTERVAL),
        )
    ],
)


@dag(schedule=[DONE], start_date=datetime(2026, 1, 1), tags=["sentinelhub"], doc_md=__doc__)
def example_batch_event():
    """Report each job that is done."""

    @task
    def done_jobs(triggering_asset_events=None) -> list[dict]:
        """Give the jobs that this run is for; a run that was started by hand has none."""
        jobs = [event.extra["payload"] for event in triggering_asset_events.get(DONE, [])]
        # After a crash of the triggerer an end may come twice. Its key is the same then.
        return list({job["event"]["key"]: job for job in jobs}.values())

    @task
    def report(job: dict) -> str:
        """What comes next in your pipeline, for each job: its id is all that sensors and operators need."""
        return f"Job {job['id']} is {job['status']} and cost {job['costPU']:,.0f} PU."

    report.expand(job=done_jobs())


example_batch_event()
