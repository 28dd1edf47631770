"""A real Airflow stops jobs from another DAG, one of them after a wait in the triggerer."""

from __future__ import annotations

import pytest

from demo.airflow_rest import AirflowRestError
from demo.task_log import lines_of_package
from tests.system.conftest import STOP_DAG as DAG

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def runs(airflow, stopping):
    """A job that runs, one that is done, and one that cannot be stopped before its analysis."""
    for run_id in stopping["ids"].values():
        airflow.wait_for_run(DAG, run_id, "success")
    return stopping


def story(airflow, run_id):
    lines = airflow.log_lines(DAG, run_id, "stop_job")
    return [line["event"] for line in lines_of_package(lines) if line["level"] != "debug"]


def test_all_runs_succeed(airflow, runs):
    states = {name: airflow.dag_run_state(DAG, run_id) for name, run_id in runs["ids"].items()}
    assert states == {"running": "success", "done": "success", "queued": "success"}


@pytest.mark.parametrize(
    ("name", "says"), [("running", "is STOPPED"), ("done", "was done before"), ("queued", "Job")]
)
def test_the_job_reaches_the_next_task(service, airflow, runs, name, says):
    job = airflow.xcom(DAG, runs["ids"][name], "stop_job")
    assert job["id"] == runs["jobs"][name]
    assert "request" not in job
    assert says in airflow.xcom(DAG, runs["ids"][name], "report")
    if name != "done":
        assert service.job(runs["jobs"][name])["userAction"] == "STOP"


def test_each_job_is_stopped_once_and_the_queued_one_when_that_is_possible(service, runs):
    asked = service.requests()["actions"]
    assert {name: count for name, count in asked.items() if count} == {"stop": 3}


def test_the_log_tells_of_the_wait_in_a_few_lines(airflow, runs):
    told = story(airflow, runs["ids"]["queued"])
    assert "No worker is held until" in "\n".join(told)
    assert "Stop accepted" in told[-1]
    assert len(told) == 5, told


def test_without_a_job_nothing_runs(airflow, runs):
    with pytest.raises(AirflowRestError, match="request_id"):
        airflow.trigger(DAG)
