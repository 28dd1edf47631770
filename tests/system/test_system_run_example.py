"""A real Airflow runs a whole job in one task, and goes on with what came out of it."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.emulator import Folder
from airflow_sentinelhub.emulator.object_store import ObjectStore
from demo.task_log import lines_of_package
from tests.harness.shared_airflow import HELD, STAGE

pytestmark = pytest.mark.system

DAG = "example_batch_run"
SCENARIOS = {"whole": {}, "partial": {"failed_tiles": 2}, "incomplete": {"failed_tiles": 20}}
BRANCH = {"whole": "use_everything", "partial": "use_what_is_there"}


@pytest.fixture(scope="module")
def bucket(service, tmp_path_factory):
    """A bucket for the results of jobs, which the other tests do without."""
    folder, before = tmp_path_factory.mktemp("bucket"), service.service.buckets
    service.service.buckets = ObjectStore(Folder(folder))
    yield f"file://{folder}"
    service.service.buckets = before


@pytest.fixture(scope="module")
def runs(service, airflow, bucket):
    """Runs in which everything comes out, in which little is missing, and in which too much is."""
    service.forget_requests()
    ids, jobs = {}, {}
    for name, scenario in SCENARIOS.items():
        service.next_scenario(
            {**HELD, "tile_count": 100, "tile_errors": ["Out of memory"], **scenario}, api="process"
        )
        ids[name] = airflow.trigger(DAG, {"bucket": f"{bucket}/{name}"})
        airflow.wait_until_deferred(DAG, ids[name], "run_country")
        jobs[name] = airflow.xcom(DAG, ids[name], "run_country", key="request_id")
    service.advance(20 * STAGE)
    states = {name: airflow.wait_for_run(DAG, run_id) for name, run_id in ids.items()}
    return {"ids": ids, "jobs": jobs, "states": states, "asked": service.requests()["actions"]}


def states(airflow, run_id):
    return {task["task_id"]: task["state"] for task in airflow.task_instances(DAG, run_id)}


def test_how_the_runs_end(runs):
    assert runs["states"] == {"whole": "success", "partial": "success", "incomplete": "failed"}


@pytest.mark.parametrize("name", BRANCH)
def test_the_branch_is_that_of_what_came_out(airflow, runs, name):
    run_id = runs["ids"][name]
    taken, other = BRANCH[name], ({*BRANCH.values()} - {BRANCH[name]}).pop()
    found = states(airflow, run_id)
    assert (found[taken], found[other], found["publish"]) == ("success", "skipped", "success")
    assert found["tell_what_is_missing"] == "skipped"
    said = airflow.xcom(DAG, run_id, taken)
    assert said.startswith("Everything is there" if name == "whole" else "2 of 100 features are missing")
    assert airflow.xcom(DAG, run_id, "publish") == f"Published what job {runs['jobs'][name]} delivered."


def test_what_is_missing_is_told_although_the_task_failed(airflow, runs):
    run_id = runs["ids"]["incomplete"]
    found = states(airflow, run_id)
    assert found["run_country"] == "failed"
    assert {found[task] for task in (*BRANCH.values(), "publish")} == {"upstream_failed"}
    told = airflow.xcom(DAG, run_id, "tell_what_is_missing")
    assert told.startswith(f"Too little came out of job {runs['jobs']['incomplete']}: ")
    assert "'FATAL': 20" in told


def test_each_job_is_created_and_started_once_also_where_the_task_is_retried(runs):
    assert {name: count for name, count in runs["asked"].items() if count} == {"create": 3, "start": 3}


@pytest.mark.parametrize("name", BRANCH)
def test_the_event_of_the_asset(airflow, runs, bucket, name):
    events = airflow.request("GET", "/assets/events", params={"source_run_id": runs["ids"][name]})["asset_events"]
    [extra] = [event["extra"] for event in events]
    failed = SCENARIOS[name].get("failed_tiles", 0)
    job_id = runs["jobs"][name]
    told = {key: extra[key] for key in ("request_id", "cost_pu", "counts", "delivery_url")}
    assert told == {
        "request_id": job_id,
        "cost_pu": 250,
        "counts": {"DONE": 100 - failed, "FATAL": failed, "PENDING": 0},
        "delivery_url": f"{bucket}/{name}/{job_id}",
    }


def test_the_log_tells_the_story(airflow, runs):
    lines = airflow.log_lines(DAG, runs["ids"]["partial"], "run_country")
    story = [line["event"] for line in lines_of_package(lines) if line["level"] != "debug"]
    told = "\n".join(story)
    for words in ("Created; nothing runs", "Start accepted", "Waiting until the job is done (", "DONE, 250 PU"):
        assert words in told
    assert "  2 FATAL: Out of memory" in story
    assert story[-1].startswith("Verified: 98 of 100 features delivered, 5 may be missing (NDVI of Luxembourg, ")
    assert len(story) < 30
