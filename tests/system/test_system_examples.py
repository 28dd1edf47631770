"""A real Airflow runs the example DAGs against a local Sentinel Hub over real HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from pathlib import Path

import pytest

from demo.waits import TASKS, WAITS

pytestmark = pytest.mark.system

OURS = "airflow_sentinelhub"


@pytest.fixture(scope="module")
def runs(service, airflow):
    """All examples, run side by side; while their jobs are processed no worker may be held."""
    before = service.requests()["actions"]
    service.next_fate({"failed_tiles": 2}, api="process_v1")
    runs = {dag_id: airflow.trigger(dag_id) for dag_id in WAITS}
    for dag_id, run_id in runs.items():
        airflow.wait_for_task(dag_id, run_id, "wait_for_job", "deferred", timeout=90)
    deadline = time.monotonic() + 20
    while (pool := airflow.request("GET", "/pools/default_pool"))[
        "occupied_slots"
    ] and time.monotonic() < deadline:
        time.sleep(0.3)
    states = {dag_id: airflow.wait_for_run(dag_id, run_id) for dag_id, run_id in runs.items()}
    asked = {name: count - before[name] for name, count in service.requests()["actions"].items()}
    return {"ids": runs, "states": states, "pool": pool, "asked": asked}


def ours(airflow, dag_id, run_id, task_id):
    lines = airflow.log_lines(dag_id, run_id, task_id)
    return [line["event"] for line in lines if OURS in str(line["logger"]) and line["level"] != "debug"]


def test_all_runs_succeed(runs):
    assert set(runs["states"].values()) == {"success"}


def test_no_worker_is_held_while_jobs_are_processed(runs):
    assert (runs["pool"]["deferred_slots"], runs["pool"]["occupied_slots"]) == (3, 0)


@pytest.mark.parametrize("dag_id", WAITS)
def test_the_result_reaches_the_next_task(airflow, runs, dag_id):
    run_id = runs["ids"][dag_id]
    job_id = airflow.xcom(dag_id, run_id, "create_job")["id"]
    analysed = airflow.xcom(dag_id, run_id, "wait_for_analysis")
    assert (analysed["id"], analysed["status"]) == (job_id, "ANALYSIS_DONE")
    assert not {"request", "processRequest"} & set(analysed)
    result, report = airflow.xcom(dag_id, run_id, "wait_for_job"), airflow.xcom(dag_id, run_id, "report")
    if dag_id == "example_batch_process_v1":
        assert {status: len(tiles) for status, tiles in result.items()} == {
            "PENDING": 0,
            "SCHEDULED": 0,
            "QUEUED": 0,
            "PROCESSING": 0,
            "PROCESSED": 10,
            "FAILED": 2,
        }
        assert airflow.xcom(dag_id, run_id, "wait_for_job", key="job")["status"] == "PARTIAL"
        assert report.startswith("10 tiles were processed, 2 failed")
    else:
        assert (result["id"], result["status"], result["costPU"]) == (job_id, "DONE", 250)
        assert report == f"Job {job_id} is DONE and cost 250 PU."


@pytest.mark.parametrize("dag_id", WAITS)
@pytest.mark.parametrize("task_id", TASKS)
def test_the_log_tells_the_story_once(airflow, runs, dag_id, task_id):
    story = ours(airflow, dag_id, runs["ids"][dag_id], task_id)
    awaited = "analysed" if task_id == "wait_for_analysis" else "done"
    assert f"is {awaited}: looking every" in story[0]
    assert "A triggerer must be running" in story[1]
    [verdict, repeated] = [line for line in story if "waited" in line.lower() and "Waiting" not in line]
    without_time = [line.lower().partition(" waited")[0] for line in (verdict, repeated)]
    assert without_time[0] == without_time[1], "the worker repeats the triggerer"
    if task_id == "wait_for_job" and dag_id != "example_batch_process_v1":
        assert any("PROCESSING" in line and "%/min" in line and "left" in line for line in story)
    assert len(story) < 40


def test_nobody_asked_the_service_for_more_than_the_dags_do(runs):
    asked = {name: count for name, count in runs["asked"].items() if count}
    assert asked == {"create": 3, "analyse": 3, "start": 3}


def test_no_secret_is_in_any_log_of_airflow(service, airflow, runs):
    """Everything is logged at DEBUG, that of the libraries included."""
    text = "".join(path.read_text(errors="replace") for path in airflow.home.rglob("*.log"))
    assert "urllib3.connectionpool" in text
    assert service.client_secret not in text
    for token in re.findall(r"eyJ[\w-]+\.(eyJ[\w-]+)", text):  # Airflow's own, if any
        assert "azp" not in base64.urlsafe_b64decode(token + "==").decode()


def test_a_failed_job_is_a_failed_task_with_the_services_own_words(service, airflow, runs):
    job_id = service.add_job(
        "process", fate={"end": "FAILED", "error": "Evalscript broken", "processing_seconds": 20}
    )
    run_id = airflow.trigger("example_batch_process", {"request_id": job_id})
    assert airflow.wait_for_run("example_batch_process", run_id) == "failed"
    assert airflow.task_state("example_batch_process", run_id, "wait_for_job") == "failed"
    assert airflow.xcom("example_batch_process", run_id, "wait_for_job")["error"] == "Evalscript broken"
    lines = airflow.log_lines("example_batch_process", run_id, "wait_for_job")
    assert "Evalscript broken" in json.dumps(lines)
    assert "BatchFailed" in json.dumps(lines)


def test_a_group_of_jobs_is_gathered_by_one_task(service, airflow, runs):
    run_id = airflow.trigger("example_batch_group")
    assert airflow.wait_for_run("example_batch_group", run_id) == "success"
    gathered = airflow.xcom("example_batch_group", run_id, "gather")
    assert [len(gathered[kind]) for kind in ("done", "failed", "pending")] == [4, 0, 0]
    assert airflow.xcom("example_batch_group", run_id, "report").startswith("4 jobs are done and cost")
    story = ours(airflow, "example_batch_group", run_id, "gather")
    assert "Waiting until all of 4 Batch Process jobs are done" in story[0]
    assert sum("4 of 4 done" in line and "Waited" in line for line in story) == 2, "the worker repeats it"
    [table] = [line for line in story if line.startswith("Jobs:")]
    assert all(job["id"] in table for job in gathered["done"])
    assert len(story) < 20


def test_a_group_names_the_job_that_failed(service, airflow, runs):
    good = service.add_job("process", fate={"processing_seconds": 60})
    bad = service.add_job(
        "process", fate={"end": "FAILED", "error": "Evalscript broken", "processing_seconds": 20}
    )
    run_id = airflow.trigger("example_batch_group", {"request_ids": [good, bad]})
    assert airflow.wait_for_run("example_batch_group", run_id) == "failed"
    known = airflow.xcom("example_batch_group", run_id, "gather")
    assert [job["id"] for job in known["failed"]] == [bad]
    assert "BatchFailed" in json.dumps(airflow.log_lines("example_batch_group", run_id, "gather"))


def test_nothing_is_written_outside_of_its_home(airflow, runs):
    assert not (Path(os.environ["AIRFLOW_HOME"]) / "airflow.db").exists()
