"""
Disasters in the middle of a wait, in a real Airflow.

Whatever happens, each wait ends with the right verdict, once, and nothing is stopped at the service that nobody
stopped. A test puts a job into the service that is processed for ever, waits until it is watched, lets the
disaster happen, and then lets the job end.
"""

from __future__ import annotations

import json
import time

import pytest

pytestmark = pytest.mark.system

OURS = "airflow_sentinelhub"
PROCESSING = [{"status": "PROCESSING", "completionPercentage": 42}]


class Watched:
    """A job, and the run of a DAG that waits for it."""

    def __init__(self, service, airflow, dag_id="wait"):
        self.service, self.airflow, self.dag_id = service, airflow, dag_id
        self.job_id = service.add_job("process", steps=PROCESSING)
        self.run_id = airflow.trigger(dag_id, {"request_id": self.job_id})

    @property
    def looks(self):
        """Requests that told of the job: for it alone, or for the list of all jobs."""
        return sum(
            request["method"] == "GET"
            and request["status"] == 200
            and (self.job_id in request["path"] or request["path"].endswith("/batch/process"))
            for request in self.service.requests()["recent"]
        )

    @property
    def state(self):
        return self.airflow.task_state(self.dag_id, self.run_id, "wait")

    def until_watched(self, timeout=60):
        """Wait until somebody has looked at the job once more than now."""
        before, deadline = self.looks, time.monotonic() + timeout
        while self.looks <= before:
            self.airflow.check()
            assert time.monotonic() < deadline, f"nobody watches the job; the task is {self.state}"
            time.sleep(0.3)
        return self

    def end(self, **step):
        self.service.set_fate(self.job_id, steps=[{"status": "DONE", "completionPercentage": 100, **step}])

    def ended(self, timeout=90):
        self.airflow.wait_for_run(self.dag_id, self.run_id, timeout=timeout)
        return self.state

    def log(self, try_number=1):
        lines = self.airflow.log_lines(self.dag_id, self.run_id, "wait", try_number=try_number)
        return [line["event"] for line in lines if OURS in str(line["logger"]) and line["level"] != "debug"]

    def verdicts(self, try_number=1):
        return [line for line in self.log(try_number) if ", waited " in line]


@pytest.fixture(autouse=True)
def calm(service):
    """After each disaster: the service is as before, and nobody was stopped who was not to be."""
    service.forget_requests()
    yield
    service.clear_faults()
    actions = service.requests()["actions"]
    assert not any(count for name, count in actions.items() if name != "create"), actions


@pytest.fixture
def watched(service, airflow):
    """Two jobs that are watched: one will be done, the other will fail."""
    return [job.until_watched() for job in [Watched(service, airflow), Watched(service, airflow)]]


def assert_right_verdicts(watched, **timeout):
    """Let the jobs end, and see that their tasks say so, once."""
    good, bad = watched
    assert [job.state for job in watched] == ["deferred", "deferred"]
    good.end()
    bad.end(status="FAILED", error="Evalscript broken")
    assert (good.ended(**timeout), bad.ended(**timeout)) == ("success", "failed")
    assert good.airflow.xcom("wait", good.run_id, "wait")["status"] == "DONE"
    assert len(good.verdicts()) == 2, "the trigger's, and the worker repeats it"
    assert sum("Evalscript broken" in line for line in bad.log()) == 1, "the worker's is the exception"


def test_triggerer_is_stopped_and_started(airflow, watched):
    airflow.stop("triggerer")
    airflow.start("triggerer")
    watched[0].until_watched()
    assert_right_verdicts(watched)


def test_triggerer_is_killed_and_started(airflow, watched):
    airflow.kill("triggerer")
    time.sleep(3)
    airflow.start("triggerer")
    watched[0].until_watched()
    assert_right_verdicts(watched)


def test_triggerer_freezes_and_another_one_takes_over(airflow, watched):
    airflow.freeze("triggerer")
    try:
        frozen_at = time.monotonic()
        airflow.start("triggerer", "-2")
        watched[0].until_watched(timeout=60)
        time.sleep(max(0.0, 40 - (time.monotonic() - frozen_at)))
        assert [job.state for job in watched] == ["deferred", "deferred"]
    finally:
        airflow.thaw("triggerer")
    time.sleep(5)
    assert_right_verdicts(watched)
    airflow.stop("triggerer-2")


def test_scheduler_is_killed(airflow, watched):
    airflow.kill("scheduler")
    watched[0].until_watched()
    airflow.start("scheduler")
    assert_right_verdicts(watched)


def test_service_is_down_for_a_minute(service, airflow, watched):
    service.stop()
    time.sleep(60)
    service.start()
    watched[0].until_watched(timeout=60)
    watched[1].until_watched(timeout=60)
    assert_right_verdicts(watched)
    told = [line for line in watched[0].log() if "Waiting on, until" in line or "answers again" in line]
    assert len(told) == 2, f"once when it began, once when it was over: {told}"


def test_token_is_revoked(service, watched):
    tokens = service.requests()["by_api"].get("token", 0)
    service.revoke_tokens()
    watched[0].until_watched()
    watched[1].until_watched()
    assert_right_verdicts(watched)
    assert service.requests()["by_api"]["token"] - tokens == 1, "one new token for all waits of the triggerer"
    assert not any("401" in line for line in watched[0].log()), "nothing that a person would have to know"


def test_secret_is_rotated_in_the_connection(service, airflow):
    stored = json.loads(service.airflow_connection)
    connection = {
        "connection_id": "stored",
        "conn_type": stored["conn_type"],
        "login": stored["login"],
        "password": stored["password"],
        "host": stored["host"],
        "extra": json.dumps(stored["extra"]),
    }
    airflow.request("POST", "/connections", json=connection)
    job = Watched(service, airflow, "wait_with_stored_connection").until_watched()
    old = service.client_secret
    try:
        service.rotate_secret("the-new-secret")
        service.revoke_tokens()
        time.sleep(4)
        assert job.state == "deferred"
        airflow.request("PATCH", "/connections/stored", json={**connection, "password": "the-new-secret"})
        job.until_watched(timeout=90)
        job.end()
        assert job.ended() == "success"
        assert any("connection is read and tried again" in line for line in job.log())
        assert not any("the-new-secret" in line for line in job.log())
    finally:
        service.rotate_secret(old)
        airflow.request("DELETE", "/connections/stored")


def test_task_is_cleared_while_deferred(airflow, watched):
    good, bad = watched
    airflow.clear("wait", good.run_id, ["wait"])
    good.until_watched()
    airflow.wait_for_task("wait", good.run_id, "wait", "deferred")
    good.end()
    bad.end(status="FAILED")
    assert (good.ended(), bad.ended()) == ("success", "failed")
    assert not good.verdicts(try_number=1)
    assert len(good.verdicts(try_number=2)) == 2


def test_task_is_marked_failed_while_deferred(airflow, watched):
    for job in watched:
        airflow.mark("wait", job.run_id, "wait", "failed")
    assert [job.ended() for job in watched] == ["failed", "failed"]
    time.sleep(4)
    looks = [job.looks for job in watched]
    time.sleep(4)
    assert [job.looks for job in watched] == looks, "nobody watches any longer"
    for job in watched:
        assert job.service.job(job.job_id)["status"] == "PROCESSING", "the job goes on"


@pytest.mark.parametrize(
    ("dag_id", "error", "says"),
    [
        ("wait_with_timeout", "AirflowSensorTimeout", "8 s (timeout)"),
        ("wait_with_execution_timeout", "BatchTimeout", "8 s (execution_timeout)"),
    ],
)
def test_time_is_up(service, airflow, dag_id, error, says):
    job = Watched(service, airflow, dag_id)
    assert job.ended() == "failed"
    lines = json.dumps(airflow.log_lines(dag_id, job.run_id, "wait"))
    assert error in lines
    assert says in lines
    assert "PROCESSING 42 %" in lines
    assert airflow.xcom(dag_id, job.run_id, "wait")["status"] == "PROCESSING", "what is known of the job is kept"
    assert service.job(job.job_id)["status"] == "PROCESSING", "the job goes on"
