"""Tasks that run a whole job, each held at one point until the test lets it go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.operators.batch import SentinelHubBatchRunOperator
from airflow_sentinelhub.triggers.run import SentinelHubBatchRunTrigger

POINTS: dict[str, tuple[type, str, int]] = {
    "created": (BatchClient, "create", 1),
    "started": (BatchClient, "start", 1),
    # The operator serialises its trigger before it asks for the task's state, and Airflow does after that.
    "deferring": (SentinelHubBatchRunTrigger, "serialize", 2),
}

OUTLIVE = """
import os, sys, time
while os.getppid() == int(sys.argv[1]):
    time.sleep(0.1)
time.sleep(1)
"""


def hold(context: Any, name: str) -> None:
    """Tell the test that the task is here, and wait for the test."""
    folder = Path(context["params"]["folder"])
    (folder / name).touch()
    while not (folder / "go-on").exists():
        time.sleep(0.1)


class HeldRunOperator(SentinelHubBatchRunOperator):
    """
    Runs a job, and is held once on the way.

    :param at: after the job was created, after it was started, or between the last question for the task's state
        and Airflow's own call that defers it.
    """

    def __init__(self, *, at: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.at = at

    def execute(self, context: Any) -> Any:
        """Run the job."""
        of, method, time_of_call = POINTS[self.at]
        original, calls = getattr(of, method), []

        def held(*arguments: Any, **options: Any) -> Any:
            answer = original(*arguments, **options)
            calls.append(method)
            if len(calls) == time_of_call:
                hold(context, f"{self.task_id}-{context['ti'].map_index}")
            return answer

        setattr(of, method, held)  # in the process of this task alone
        return super().execute(context)


@task
def fails() -> None:
    """Fail when the test says so."""
    from airflow.sdk import get_current_context

    folder = Path(get_current_context()["params"]["folder"])
    while not (folder / "fail").exists():
        time.sleep(0.1)
    # A failure is reported when the supervisor notices the end of the process. It may miss that until the next
    # heartbeat, so a child keeps the output open, and wakes the supervisor when the process is surely gone.
    subprocess.Popen([sys.executable, "-c", OUTLIVE, str(os.getpid())])
    raise RuntimeError("as the test wants it")


GIVEN = {"request": sample_request(BatchApi.PROCESS), "poke_interval": 1, "retries": 0}

for way, (at, at_on_worker) in {
    "mark": ("deferring", "started"),
    "dagrun_timeout": ("started", "created"),
    "fail_fast": ("deferring", "started"),
}.items():
    with DAG(
        f"killed_by_{way}",
        schedule=None,
        start_date=datetime(2026, 1, 1),
        params={"folder": ""},
        dagrun_timeout=timedelta(hours=10) if way == "dagrun_timeout" else None,
        fail_fast=way == "fail_fast",
    ) as dag:
        HeldRunOperator(task_id="alone", at=at, **GIVEN)
        HeldRunOperator(task_id="alone_on_worker", at=at_on_worker, deferrable=False, **GIVEN)
        HeldRunOperator.partial(task_id="many", **GIVEN).expand(at=["created", "started", "deferring"])
        HeldRunOperator.partial(task_id="many_on_worker", deferrable=False, **GIVEN).expand(
            at=["created", "started"]
        )
        if way == "fail_fast":
            fails()
    globals()[dag.dag_id] = dag
