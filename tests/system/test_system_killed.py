"""
A real Airflow in which tasks that run a job are killed before their workers can hear of it.

Its workers ask only every hour whether their tasks may go on. Each task is held at one point until it is
killed, so what it does next it does as a killed task.
"""

from __future__ import annotations

import sqlite3

import pytest

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.jobs.creation_tag import tag_of
from demo.local_airflow import LocalAirflow
from tests.harness.shared_airflow import ROOT

pytestmark = pytest.mark.system

TASKS = {"alone": [-1], "alone_on_worker": [-1], "many": [0, 1, 2], "many_on_worker": [0, 1]}
AT = {
    "mark": {"alone": ["deferring"], "alone_on_worker": ["started"]},
    "dagrun_timeout": {"alone": ["started"], "alone_on_worker": ["created"]},
    "fail_fast": {"alone": ["deferring"], "alone_on_worker": ["started"]},
}
"""Where each task is held, as ``dags/killed/killed.py`` has it."""

AT_MAPPED = {"many": ["created", "started", "deferring"], "many_on_worker": ["created", "started"]}
INSTANCES = [(task_id, index) for task_id, indexes in TASKS.items() for index in indexes]
CASES = [
    pytest.param(way, task_id, index, id=f"{way}-{task_id}-{({**at, **AT_MAPPED})[task_id][max(0, index)]}")
    for way, at in AT.items()
    for task_id, index in INSTANCES
]


@pytest.fixture(scope="module")
def service():
    with Emulator(speed=1) as emulator:
        emulator.default_scenario(
            {"queued_seconds": 0, "analysis_seconds": 0, "ready_seconds": 0, "processing_seconds": 1e7}
        )
        yield emulator


@pytest.fixture(scope="module")
def airflow(service, migrated_database, tmp_path_factory):
    with LocalAirflow(
        tmp_path_factory.mktemp("airflow"),
        ROOT / "tests" / "system" / "dags" / "killed",
        connections={"sentinelhub_default": service.airflow_connection},
        # A supervisor may notice the end of its task only at the next heartbeat, so each task has its own place.
        env={
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "3600",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "36000",
            "AIRFLOW__CORE__PARALLELISM": "32",
        },
        database=migrated_database,
    ) as airflow:
        yield airflow


class Killed:
    """A run of a DAG whose tasks are all held, killed, and let go on."""

    def __init__(self, service, airflow, folder, way):
        self.service, self.airflow, self.way = service, airflow, way
        self.dag_id, self.folder = f"killed_by_{way}", folder
        self.run_id = airflow.trigger(self.dag_id, {"folder": str(folder)})
        self.until(lambda: all((folder / f"{t}-{i}").exists() for t, i in INSTANCES), "not all tasks are held")
        getattr(self, f"kill_by_{way}")()
        self.until(lambda: {self.state(t, i) for t, i in INSTANCES} <= {"failed", "skipped"}, "not all are killed")
        (folder / "go-on").touch()

    def kill_by_mark(self):
        for task_id, index in INSTANCES:
            self.airflow.mark(self.dag_id, self.run_id, task_id, "failed", index)

    def kill_by_dagrun_timeout(self):
        # The run began long ago, for the scheduler: no task races against a clock.
        with sqlite3.connect(self.airflow.home / "airflow.db", timeout=120) as database:
            began = "update dag_run set start_date = '2026-01-01 00:00:00.000000' where run_id = ?"
            database.execute(began, [self.run_id])

    def kill_by_fail_fast(self):
        (self.folder / "fail").touch()

    def until(self, happened, what):
        self.airflow.wait_until(happened, what, story=lambda: self.airflow.story(self.dag_id, self.run_id))

    def state(self, task_id, index):
        return self.airflow.task_state(self.dag_id, self.run_id, task_id, index)

    def job(self, task_id, index):
        [job] = [
            job
            for job in self.service.jobs()
            if (tag := tag_of(job)) and (tag.run_id, tag.task_id, tag.map_index) == (self.run_id, task_id, index)
        ]
        return job

    def log(self, task_id, index):
        lines = self.airflow.log_lines(self.dag_id, self.run_id, task_id, map_index=index)
        return "\n".join(str(line["event"]) for line in lines)

    def tells(self, task_id, index, text):
        self.until(lambda: text in self.log(task_id, index), f"the log of {task_id} {index} does not say {text!r}")


@pytest.fixture(scope="module")
def runs(service, airflow, tmp_path_factory):
    """The runs by the way in which their tasks are killed, each made when it is first asked for."""
    made = {}

    def run(way):
        if way not in made:
            made[way] = Killed(service, airflow, tmp_path_factory.mktemp(way), way)
        return made[way]

    return run


@pytest.mark.parametrize(("way", "task_id", "index"), CASES)
def test_no_job_starts_or_runs_on(runs, way, task_id, index):
    run = runs(way)
    at = {**AT[way], **AT_MAPPED}[task_id][max(0, index)]
    if at == "created":
        run.tells(task_id, index, "Nothing to stop")
        assert run.job(task_id, index)["status"] == "CREATED"
    else:
        accepted = "Stop accepted, what is done or in flight is charged"
        run.tells(task_id, index, f"{accepted} (Batch Process {run.job(task_id, index)['id']})")
        assert run.job(task_id, index)["userAction"] == "STOP"
    told = run.log(task_id, index)
    assert ("before it was deferred" in told) == (at == "deferring")
    assert "The worker is told to end" not in told
    assert run.state(task_id, index) in ("failed", "skipped")
