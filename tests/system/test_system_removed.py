"""A task is renamed in its DAG file, or its DAG is deleted, while it is deferred: what becomes of its job."""

from __future__ import annotations

import pytest

from tests.harness.shared_airflow import HELD, STAGE
from tests.harness.versions import needs_airflow

pytestmark = [pytest.mark.system, needs_airflow("3.3", "tells a trigger of a kill")]

FILE = """
from datetime import datetime

from airflow.sdk import DAG

from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.operators.batch import SentinelHubBatchRunOperator

with DAG("{dag_id}", schedule=None, start_date=datetime(2026, 1, 1)):
    SentinelHubBatchRunOperator(
        task_id="{task_id}",
        request=sample_request(BatchApi.PROCESS),
        poke_interval=1,
        analysis_poke_interval=1,
        on_kill="{on_kill}",
    )
"""
RUNNING = {"queued_seconds": 0, "analysis_seconds": 0, "ready_seconds": 0, "processing_seconds": 100 * STAGE}


class Deployed:
    """A DAG file with one task that runs a job, which is processed while the task is deferred."""

    def __init__(self, service, airflow, dag_id, on_kill="stop"):
        self.service, self.airflow, self.dag_id, self.on_kill = service, airflow, dag_id, on_kill
        self.file = airflow.dags_folder / f"{dag_id}.py"
        self.write("old_name")
        self.run_id = airflow.trigger(dag_id)
        airflow.wait_until_deferred(dag_id, self.run_id, "old_name")
        # The newest job may be that of a task which was renamed in the test before, as Airflow runs it then.
        self.job_id = airflow.xcom(dag_id, self.run_id, "old_name", "request_id")
        airflow.wait_until(lambda: self.job["status"] == "PROCESSING", "its job is not processed")

    @property
    def job(self):
        return self.service.job(self.job_id)

    def write(self, task_id):
        self.file.write_text(
            FILE.format(dag_id=self.dag_id, task_id=task_id, on_kill=self.on_kill), encoding="utf-8"
        )

    def until(self, happened, what):
        self.airflow.wait_until(happened, what, story=lambda: self.triggerer_lines())

    def until_told(self, text):
        self.until(lambda: any(text in line for line in self.triggerer_lines()), f"nothing says {text!r}")

    def triggerer_lines(self):
        """What the triggerer's own log says of the job."""
        log = (self.airflow.component_logs / "triggerer.log").read_text(encoding="utf-8", errors="replace")
        return [line for line in log.splitlines() if self.job_id in line and "triggerer_log" in line]


@pytest.fixture
def deploy(service, airflow):
    deployed = []

    def deploy(dag_id, **given):
        service.default_scenario(RUNNING)
        deployed.append(Deployed(service, airflow, dag_id, **given))
        return deployed[-1]

    yield deploy
    service.default_scenario(HELD)
    for each in deployed:
        each.file.unlink(missing_ok=True)


def test_a_task_is_renamed(deploy):
    dag = deploy("renamed")
    dag.write("new_name")
    dag.until(lambda: dag.job["userAction"] == "STOP", "its job is not stopped")
    dag.until_told("renamed or deleted in its DAG file")
    dag.until_told("STOPPED (USER_ACTION)")


def test_a_task_is_renamed_and_its_job_is_to_be_left_then(deploy):
    dag = deploy("renamed_and_left", on_kill="stop_unless_removed")
    dag.write("new_name")
    dag.until_told("LEFT AS IT IS, on_kill='stop_unless_removed'")
    assert dag.job["userAction"] == "START"


def test_a_dag_is_deleted(deploy):
    dag = deploy("deleted")
    dag.file.unlink()
    # Without locks for rows, as on SQLite, Airflow's scheduler ends if a run is deleted at which it just works.
    dag.airflow.stop("scheduler")
    try:
        dag.airflow.request("DELETE", f"/dags/{dag.dag_id}")
        dag.until_told("was its DAG deleted?")
    finally:
        dag.airflow.start("scheduler")
    assert dag.job["userAction"] == "START"
