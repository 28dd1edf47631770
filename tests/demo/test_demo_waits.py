"""A wait for something in Airflow ends when it has happened, or when it cannot happen any more."""

from __future__ import annotations

import pytest

from demo import airflow_rest
from demo.airflow_rest import AirflowRest, WaitedInVainError

LINE = {"timestamp": "12:00", "level": "error", "logger": "x", "event": "Evalscript broken"}


class Scripted(AirflowRest):
    """An Airflow with one run of one task, which has these states one after another and stays in the last one."""

    def __init__(self, *states, run="running"):
        super().__init__("http://127.0.0.1:1")
        self.states, self.run, self.asked = list(states), run, 0

    @property
    def state(self):
        return self.states[min(self.asked, len(self.states) - 1)]

    def task_state(self, *_, **__):
        state, self.asked = self.state, self.asked + 1
        return state

    def dag_run_state(self, *_):
        return self.run

    def task_instances(self, *_):
        return [{"task_id": "wait", "map_index": -1, "state": self.state, "try_number": 1}]

    def log_lines(self, *_, **__):
        return [LINE]


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch):
    monkeypatch.setattr(airflow_rest, "_LONGEST_TURN", 0.0)


def test_it_ends_when_the_task_is_in_that_state():
    Scripted("queued", "running", "running", "running", "running", "running", "deferred").wait_for_task(
        "dag", "run", "wait", "deferred"
    )


@pytest.mark.parametrize("state", ["failed", "upstream_failed", "skipped", "removed", "success"])
def test_it_ends_when_the_task_has_ended_in_another_state(state):
    with pytest.raises(WaitedInVainError) as ended:
        Scripted("queued", state).wait_for_task("dag", "run", "wait", "deferred")
    assert "wait of dag is not deferred, and that cannot change any more" in str(ended.value)
    assert f"wait: {state}" in str(ended.value)


def test_it_ends_when_the_run_is_over_and_the_task_was_never_scheduled():
    with pytest.raises(WaitedInVainError, match="cannot change any more"):
        Scripted(None, run="failed").wait_for_task("dag", "run", "wait", "deferred")


def test_it_ends_when_its_time_is_up():
    with pytest.raises(WaitedInVainError, match="after 0 s"):
        Scripted("up_for_retry").wait_for_task("dag", "run", "wait", "deferred", timeout=0)


def test_a_run_that_ends_otherwise_shows_why():
    with pytest.raises(WaitedInVainError, match="ended as failed and not as success") as ended:
        Scripted("failed", run="failed").wait_for_run("dag", "run", "success")
    assert "Evalscript broken" in str(ended.value)


def test_how_a_run_ended_is_told():
    assert Scripted("failed", run="failed").wait_for_run("dag", "run") == "failed"
