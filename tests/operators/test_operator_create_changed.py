"""A request that has changed between two attempts: the job from the old one is stopped first."""

from __future__ import annotations

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import BatchApi
from tests.operators.creations import Task, changed, died, died_before_the_end, every_api, with_store


@every_api
@with_store
@pytest.mark.parametrize(
    "before", ["it finished", "its worker died with the id", "its worker died without the id"]
)
def test_a_job_from_another_request_is_stopped_first(busy, clock, monkeypatch, api, before):
    task = Task(busy, api)
    if before == "it finished":
        task.succeeds()
        task.cleared()
    elif before == "its worker died with the id":
        died_before_the_end(monkeypatch, task)
    else:
        died(monkeypatch, task)
    [first] = task.jobs
    busy.set_scenario(first, steps=[{"status": "PROCESSING", "userAction": "START"}])
    second = task.succeeds(request=changed(api))
    assert task.jobs == [first, second]
    old = busy.job(first)
    action = BatchApi(api).spec.stop_action
    ended = {"stop": ("STOPPED", "STOP"), "cancel": ("CANCELED", "CANCEL")}[action]
    assert (old["status"], old["userAction"], busy.job(second)["userAction"]) == (*ended, "NONE")
    assert busy.requests()["actions"][action] == 1
    recent = [each for each in busy.requests()["recent"] if each["method"] == "POST" and "batch" in each["path"]]
    assert [each["path"].endswith(action) for each in recent] == [False, True, False], "stopped before"


@every_api
def test_one_that_nobody_started_is_left(busy, clock, without_store, api):
    task = Task(busy, api)
    first = task.succeeds()
    ended = task.attempt(request=changed(api))
    assert ended.state == "success", ended.error
    assert task.jobs == [first, ended.returned["id"]]
    assert "Left as it is: it was not started and costs nothing" in ended.log
    assert not any(busy.requests()["actions"][action] for action in ("stop", "cancel"))


def test_one_that_cannot_be_stopped_prevents_another(emulator, clock, without_store):
    task = Task(emulator)
    first = task.succeeds()
    emulator.set_scenario(first, steps=[{"status": "PROCESSING", "userAction": "START"}])
    fault = emulator.fault(status=400, method="POST", path="stop$", message="Not now.", times=None)
    ended = task.attempt(request=changed("process"))
    assert type(ended.error) is exceptions.BatchActionImpossible
    assert "Not now." in str(ended.error)
    assert task.jobs == [first]
    emulator.clear_faults(fault)
    assert task.succeeds(request=changed("process")) == task.jobs[-1] != first
