"""A real Airflow runs the example DAGs against a local Sentinel Hub over real HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

import pytest

from demo.task_log import lines_of_package
from demo.waits import TASKS, WAITS
from tests.harness.shared_airflow import HELD, STAGE

pytestmark = pytest.mark.system


GROUP = "example_batch_group"


@pytest.fixture(scope="module")
def runs(service, airflow):
    """All examples side by side, two also with a job that fails; the clock moves when all of them wait."""
    before = service.requests()["actions"]
    service.next_scenario({**HELD, "failed_tiles": 2}, api="process_v1")
    ids = {dag_id: airflow.trigger(dag_id) for dag_id in [*WAITS, GROUP]}
    ids["failed"] = airflow.trigger("example_batch_process")
    ids["failed group"] = airflow.trigger(GROUP)
    examples = {(dag_id, ids[dag_id]) for dag_id in WAITS} | {("example_batch_process", ids["failed"])}
    groups = {(GROUP, ids[GROUP]), (GROUP, ids["failed group"])}

    for run in examples:
        airflow.wait_until_deferred(*run, "wait_for_analysis")
    for run in groups:
        airflow.wait_until_deferred(*run, "gather")
    bad = {
        "failed": airflow.xcom("example_batch_process", ids["failed"], "create_job")["id"],
        "failed group": airflow.xcom(GROUP, ids["failed group"], "start_job", map_index=2)["id"],
    }
    for job_id in bad.values():
        service.set_scenario(
            job_id, {**HELD, "end": "FAILED", "error": "Evalscript broken", "processing_seconds": STAGE}
        )
    service.advance(2 * STAGE)  # the analyses are over
    for run in examples:
        airflow.wait_until_deferred(*run, "wait_for_job")

    def pool():
        return airflow.request("GET", "/pools/default_pool")

    airflow.wait_until(lambda: pool()["occupied_slots"] == 0, "a worker is held", story=lambda: str(pool()))
    held = pool()
    service.advance(STAGE)  # all are processed
    for seconds, percentage in ((0, ""), (2.5 * STAGE, "2"), (2.5 * STAGE, "5")):
        service.advance(seconds)
        for dag_id in ("example_batch_process", "example_batch_statistical"):
            until_told(airflow, dag_id, ids[dag_id], "wait_for_job", f"PROCESSING {percentage}")
    service.advance(10 * STAGE)
    for run in examples | groups:
        airflow.wait_for_run(*run)
    asked = {name: count - before[name] for name, count in service.requests()["actions"].items()}
    return {"ids": ids, "bad": bad, "pool": held, "deferred": len(examples | groups), "asked": asked}


def until_told(airflow, dag_id, run_id, task_id, text):
    airflow.wait_until(
        lambda: any(text in line for line in ours(airflow, dag_id, run_id, task_id)),
        f"the log of {task_id} does not say {text!r}",
        possible=lambda: not airflow.has_ended(dag_id, run_id, task_id),
        story=lambda: airflow.story(dag_id, run_id),
    )


def ours(airflow, dag_id, run_id, task_id):
    lines = airflow.log_lines(dag_id, run_id, task_id)
    return [line["event"] for line in lines_of_package(lines) if line["level"] != "debug"]


@pytest.mark.parametrize("dag_id", [*WAITS, GROUP])
def test_all_runs_succeed(airflow, runs, dag_id):
    airflow.wait_for_run(dag_id, runs["ids"][dag_id], "success")


def test_no_worker_is_held_while_jobs_are_processed(runs):
    assert (runs["pool"]["deferred_slots"], runs["pool"]["occupied_slots"]) == (runs["deferred"], 0)


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
    assert story[0].startswith(f"Waiting until the job is {awaited} (")
    assert story[1].startswith("Polls every")
    assert "Needs a running triggerer" in story[2]
    [verdict, repeated] = [line for line in story if ", waited " in line]
    assert verdict == repeated, "the worker repeats the triggerer"
    assert max(len(line.splitlines()[0]) for line in story) <= 120, "the page of a task does not wrap lines"
    if task_id == "wait_for_job" and dag_id != "example_batch_process_v1":
        assert any("PROCESSING" in line and "%/min" in line and "left" in line for line in story)
    assert len(story) < 40


def test_nobody_asked_the_service_for_more_than_the_dags_do(runs):
    asked = {name: count for name, count in runs["asked"].items() if count}
    assert asked == {"create": 4 + 8, "analyse": 4, "start": 4 + 8}, "four jobs, and four in each of two groups"


def test_no_secret_is_in_any_log_of_airflow(service, airflow, runs):
    """Everything is logged at DEBUG, that of the libraries included."""
    text = "".join(path.read_text(errors="replace") for path in airflow.home.rglob("*.log"))
    assert "urllib3.connectionpool" in text
    assert service.client_secret not in text
    for token in re.findall(r"eyJ[\w-]+\.(eyJ[\w-]+)", text):  # Airflow's own, if any
        assert "azp" not in base64.urlsafe_b64decode(token + "==").decode()


def test_a_failed_job_is_a_failed_task_with_the_services_own_words(airflow, runs):
    run_id = runs["ids"]["failed"]
    airflow.wait_for_run("example_batch_process", run_id, "failed")
    assert airflow.task_state("example_batch_process", run_id, "wait_for_job") == "failed"
    assert airflow.xcom("example_batch_process", run_id, "wait_for_job")["error"] == "Evalscript broken"
    lines = airflow.log_lines("example_batch_process", run_id, "wait_for_job")
    assert "Evalscript broken" in json.dumps(lines)
    assert "BatchFailed" in json.dumps(lines)


def test_a_group_of_jobs_is_gathered_by_one_task(airflow, runs):
    run_id = runs["ids"][GROUP]
    gathered = airflow.xcom(GROUP, run_id, "gather")
    assert [len(gathered[kind]) for kind in ("done", "failed", "pending")] == [4, 0, 0]
    assert airflow.xcom(GROUP, run_id, "report").startswith("4 jobs are done and cost")
    story = ours(airflow, GROUP, run_id, "gather")
    assert "Waiting until all of 4 Batch Process jobs are done" in story[0]
    assert sum("4 of 4 done" in line and ", waited " in line for line in story) == 2, "the worker repeats it"
    [table] = [line for line in story if line.startswith("Jobs:")]
    assert all(job["id"] in table for job in gathered["done"])
    assert len(story) < 20


def test_a_group_names_the_job_that_failed(airflow, runs):
    run_id = runs["ids"]["failed group"]
    airflow.wait_for_run(GROUP, run_id, "failed")
    known = airflow.xcom(GROUP, run_id, "gather")
    assert [job["id"] for job in known["failed"]] == [runs["bad"]["failed group"]]
    assert "BatchFailed" in json.dumps(airflow.log_lines(GROUP, run_id, "gather"))


def test_nothing_is_written_outside_of_its_home(airflow, runs):
    assert not (Path(os.environ["AIRFLOW_HOME"]) / "airflow.db").exists()
