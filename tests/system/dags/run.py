"""Tasks that run a whole job, and tell the test which processes do it."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.operators.batch import SentinelHubBatchRunOperator

CHANGING = sample_request(BatchApi.PROCESS)
CHANGING["processRequest"] = {
    **CHANGING["processRequest"],
    "evalscript": "//VERSION=3\n// as attempt {{ ti.try_number }} wants it\n",
}


def note_process(context) -> None:
    """Add the process to those of the attempt, with the one that looks after it."""
    ti = context["ti"]
    with (Path(context["params"]["folder"]) / f"{ti.map_index}-{ti.try_number}").open(
        "a", encoding="utf-8"
    ) as processes:
        processes.write(f"{os.getpid()} {os.getppid()}\n")


def linger(context, result=None) -> None:
    """Let the first attempt not come to its end, though its work is done."""
    if context["params"]["linger"] and context["ti"].try_number == 1:
        (Path(context["params"]["folder"]) / "lingers").touch()
        time.sleep(3600)  # the test kills it


GIVEN = {
    "task_id": "run",
    "poke_interval": 1,
    "analysis_poke_interval": 1,
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
    "pre_execute": note_process,
    "post_execute": linger,
}
BY_HAND = {"schedule": None, "start_date": datetime(2026, 1, 1), "params": {"folder": "", "linger": False}}

for dag_id, arguments in {
    "run_once": {},
    "run_once_statistical": {"api": "statistical"},
    "run_once_v1": {"api": "process_v1"},
    "run_verified": {"api": "process_v1", "max_failed_tiles": 0},
    "run_on_worker": {"deferrable": False},
    "run_and_leave": {"on_kill": "leave"},
    "run_changing": {"request": CHANGING},
    "run_briefly": {"execution_timeout": timedelta(seconds=60), "retries": 0},
    "run_briefly_and_leave": {"timeout": 60, "on_timeout": "leave"},
}.items():
    with DAG(dag_id, **BY_HAND) as dag:
        SentinelHubBatchRunOperator(
            **{**GIVEN, "request": sample_request(BatchApi(arguments.get("api", "process"))), **arguments}
        )
    globals()[dag_id] = dag

with DAG("run_many", **BY_HAND):
    SentinelHubBatchRunOperator.partial(**GIVEN, request=sample_request(BatchApi.PROCESS)).expand(
        description=["zero", "one", "two"]
    )
