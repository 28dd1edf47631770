"""
Jobs end, and start a DAG in a real Airflow, while its triggerer is killed.

Each job has exactly one event of the asset, and exactly one task that handles it, whenever it ended.
"""

from __future__ import annotations

import re
import time

import pytest

from demo.airflow_rest import TIMEOUT, AirflowRestError
from tests.harness.shared_airflow import EVENT_EXAMPLE, EVENTS_CONNECTION
from tests.harness.versions import needs_airflow

pytestmark = [pytest.mark.system, needs_airflow("3.3", "has a state store of assets")]

OURS = "airflow_sentinelhub"
DAG_ID = EVENT_EXAMPLE.stem
PROCESSING = [{"status": "PROCESSING", "completionPercentage": 42}]
DONE = [{"status": "DONE", "completionPercentage": 100, "costPU": 250}]


class Watched:
    """A service whose jobs start a DAG."""

    def __init__(self, service, airflow):
        self.service, self.airflow = service, airflow
        self._told_before = len(self._triggerer_log())

    def _triggerer_log(self):
        return (self.airflow.component_logs / "triggerer.log").read_text(errors="replace")

    def told(self):
        """What we have told in the triggerer's log, since the DAG is there."""
        return [line for line in self._triggerer_log()[self._told_before :].splitlines() if OURS in line]

    @property
    def looks(self):
        """How often the list of jobs was asked for."""
        return sum(
            request["method"] == "GET" and request["path"].endswith("/batch/process")
            for request in self.service.requests()["recent"]
        )

    def until(self, what, condition):
        self.airflow.wait_until(condition, f"{what} does not come", story=lambda: str(self.payloads()))

    def until_noted(self):
        """Wait until what was seen is noted: the list is not asked for before that."""
        before = self.looks
        self.until("a look", lambda: self.looks >= before + 2)

    def payloads(self):
        """What has come as events of the asset."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                events = self.airflow.request("GET", "/assets/events", params={"limit": 100})["asset_events"]
                return [event["extra"]["payload"] for event in events if "payload" in event["extra"]]
            except AirflowRestError as error:
                # Airflow 3.3.2 cannot show an event while the run that it has started is queued.
                if error.status != 500 or time.monotonic() > deadline:
                    raise
            time.sleep(0.3)

    def reports(self):
        """What the tasks of all runs of the DAG say of the jobs."""
        texts = []
        for run in self.airflow.request("GET", f"/dags/{DAG_ID}/dagRuns")["dag_runs"]:
            self.airflow.wait_for_run(DAG_ID, run["dag_run_id"], "success")
            for task in self.airflow.task_instances(DAG_ID, run["dag_run_id"]):
                if task["task_id"] == "report":
                    texts.append(
                        self.airflow.xcom(DAG_ID, run["dag_run_id"], "report", map_index=task["map_index"])
                    )
        return texts


@pytest.fixture(scope="module")
def watched(events_service, airflow):
    events_service.add_job("process", steps=DONE)  # ended before anybody looks
    example = EVENT_EXAMPLE.read_text(encoding="utf-8")
    here = example.replace("EventTrigger(", f'EventTrigger(sentinelhub_conn_id="{EVENTS_CONNECTION}", ')
    assert here != example
    place = airflow.dags_folder / EVENT_EXAMPLE.name
    watched = Watched(events_service, airflow)
    place.write_text(here, encoding="utf-8")
    yield watched
    place.unlink()


def test_each_job_that_ends_starts_the_dag_once_though_the_triggerer_is_killed(watched):
    service, airflow = watched.service, watched.airflow
    jobs = [service.add_job("process", steps=PROCESSING) for _ in range(3)]
    watched.until_noted()

    service.set_scenario(jobs[0], steps=DONE)
    watched.until("the event", watched.payloads)
    watched.until_noted()
    airflow.kill("triggerer")
    service.set_scenario(jobs[1], steps=DONE)
    jobs.append(service.add_job("process", steps=DONE))  # begins and ends while nobody looks
    service.set_scenario(jobs[2], steps=[{"status": "FAILED", "error": "not of interest"}])
    airflow.start("triggerer")

    watched.until("all events", lambda: len(watched.payloads()) >= 3)
    watched.until_noted()

    ended = sorted(job for job in jobs if job != jobs[2])
    assert sorted(payload["id"] for payload in watched.payloads()) == ended
    assert not any(payload["event"]["may_be_repeated"] for payload in watched.payloads())
    watched.until("a task for each job", lambda: len(watched.reports()) >= 3)
    assert sorted(watched.reports()) == [f"Job {job} is DONE and cost 250 PU." for job in ended]


def test_it_leaves_no_secret_in_the_logs_and_no_error(watched):
    text = "".join(path.read_text(errors="replace") for path in watched.airflow.home.rglob("*.log"))
    assert watched.service.client_secret not in text
    ours = watched.told()
    assert len([line for line in ours if "for ends of Batch Process jobs" in line]) == 2, "both triggerers"
    assert not [line for line in ours if re.search(r"\[(warning|error)", line)]
