"""A job that stands still: what each attempt makes of it, and what its user is told."""

from __future__ import annotations

import pytest

from airflow_sentinelhub import exceptions
from tests.harness.task_runner import deferred_to
from tests.operators.creations import with_store
from tests.operators.runs import RunTask
from tests.operators.test_operator_actions import asked

with_stops = pytest.mark.parametrize("api", ["process", "statistical"])
DEAR = {"cost": 1000.0, "processing_seconds": 6000}


@with_store
@with_stops
@pytest.mark.parametrize("again", ["retry", "clear"])
def test_what_was_too_dear_is_not_even_started_before_the_limit_is_raised(emulator, clock, api, again):
    emulator.default_scenario(DEAR)
    task = RunTask(emulator, clock, api, max_cost_pu=300)
    first = task.attempt().error
    emulator.advance(7200)
    ended = (task.cleared() if again == "clear" else task).attempt()
    assert (ended.state, type(ended.error)) == ("failed", exceptions.BatchCostExceeded)
    assert (ended.error.spent, ended.error.limit, ended.error.job_id) == (first.spent, 300, task.job["id"])
    assert "300 PU, STOPPED 31 %" in str(ended.error)
    assert "then raise max_cost_pu,\nand clear this task" in str(ended.error)
    assert task.deferrals == ["SentinelHubBatchRunTrigger"], "no lock is waited out for nothing"
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
    assert ended.returned["status"] == "STOPPED"
    ended = task.cleared().attempt(max_cost_pu=2000)
    assert ended.state == "success", ended.error
    assert asked(emulator) == {"create": 1, "start": 2, "stop": 1}


@with_store
def test_a_retry_while_the_stop_is_under_way_says_the_same(emulator, clock):
    emulator.default_scenario(DEAR)
    task = RunTask(emulator, clock, max_cost_pu=300)
    task.attempt()
    emulator.set_scenario(
        task.job["id"], {"steps": [{"status": "PROCESSING", "userAction": "STOP", "cost": 350.0}]}
    )
    ended = task.attempt()
    assert (type(ended.error), ended.error.spent) == (exceptions.BatchCostExceeded, 350)
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}


@with_stops
def test_a_job_that_the_service_stops_is_not_resumed_if_it_is_too_dear(emulator, clock, api):
    emulator.default_scenario(
        {"end": "STOPPED", "stopped_reason": "OUT_OF_PU", "cost": 1000.0, "processing_seconds": 60}
    )
    ended = RunTask(emulator, clock, api, max_cost_pu=300, resume={"OUT_OF_PU": 1}, poke_interval=3600).attempt()
    assert type(ended.error) is exceptions.BatchCostExceeded
    assert ended.error.spent == 500
    assert asked(emulator) == {"create": 1, "start": 1}


@with_store
@with_stops
def test_the_user_is_told_what_lets_it_go_on(emulator, clock, api):
    emulator.default_scenario({"end": "STOPPED"})
    task = RunTask(emulator, clock, api)
    for ended in (task.attempt(), task.attempt()):
        assert type(ended.error) is exceptions.BatchStopped
        assert "Somebody stopped it" in str(ended.error)
        assert "A clear of this task starts it again" in str(ended.error)
        assert "SentinelHubBatchRestartOperator" not in str(ended.error)
        assert ended.error.reason == "USER_ACTION"
    assert asked(emulator) == {"create": 1, "start": 1}


@with_store
@with_stops
def test_an_attempt_that_finds_its_job_stopped_resumes_it_as_often_as_is_left(emulator, clock, api):
    """The worker or the triggerer of the attempt before was lost while the job ran."""
    scenario = {"end": "STOPPED", "stopped_reason": "OUT_OF_PU", "processing_seconds": 300}
    emulator.default_scenario(scenario)
    task = RunTask(emulator, clock, api, resume={"OUT_OF_PU": 1})
    task.begin()
    emulator.advance(3600)
    task.begin()
    assert "as resume says (1 of 1)" in task.ended.log
    assert task.deferrals[-1] == "SentinelHubBatchRunPauseTrigger", "the lock is not over"
    task.wake()
    assert task.deferrals[-1] == "SentinelHubBatchRunTrigger"
    emulator.set_scenario(task.job["id"], scenario)
    emulator.advance(7200)
    ended = task.attempt()
    assert type(ended.error) is exceptions.BatchStopped
    assert ended.error.reason == "OUT_OF_PU"
    assert asked(emulator) == {"create": 1, "start": 2}


# Without a store


@with_stops
def test_without_a_store_the_user_is_told_what_starts_it_again(emulator, clock, forgetful, api):
    emulator.default_scenario({"end": "STOPPED"})
    task = RunTask(emulator, clock, api)
    for ended in (task.attempt(), task.cleared().attempt()):
        assert type(ended.error) is exceptions.BatchStopped
        assert "use SentinelHubBatchRestartOperator" in str(ended.error)
    assert asked(emulator) == {"create": 1, "start": 1}


@with_stops
def test_without_a_store_what_was_too_dear_spends_nothing_more(emulator, clock, forgetful, api):
    emulator.default_scenario(DEAR)
    task = RunTask(emulator, clock, api, max_cost_pu=300)
    assert type(task.attempt().error) is exceptions.BatchCostExceeded
    emulator.advance(7200)
    assert type(task.attempt().error) is exceptions.BatchCostExceeded
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}


# ``dag.test()`` loses what was known before a wait


def resumed(task, event):
    task.execution.next_method, task.execution.next_kwargs = "execute_complete", {"event": event}
    return task._on_worker()


def watched(task):
    """What the trigger fires in the end."""
    _, kwargs, _ = deferred_to(task.ended)
    return task._watch(kwargs)


@with_store
def test_a_wait_that_has_lost_everything_begins_again_with_its_job(emulator, clock):
    task = RunTask(emulator, clock)
    task.begin()
    ended = resumed(task, watched(task))
    assert ended.state == "success", ended.error
    assert asked(emulator) == {"create": 1, "start": 1}
    assert task.job["id"] == ended.returned["id"]


def test_without_a_store_it_goes_on_with_what_was_fired(emulator, clock, forgetful):
    task = RunTask(emulator, clock)
    task.begin()
    ended = resumed(task, watched(task))
    assert ended.state == "success", ended.error
    assert asked(emulator) == {"create": 1, "start": 1}
    assert task.job["id"] == ended.returned["id"]


def test_without_a_store_a_job_that_is_too_dear_is_stopped_all_the_same(emulator, clock, forgetful):
    emulator.default_scenario(DEAR)
    task = RunTask(emulator, clock, max_cost_pu=300)
    task.begin()
    ended = resumed(task, watched(task))
    assert type(ended.error) is exceptions.BatchCostExceeded
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}


def test_without_a_store_a_pause_ends_in_an_error_and_not_in_another_job(emulator, clock, forgetful):
    emulator.default_scenario(
        {"end": "STOPPED", "stopped_reason": "OUT_OF_PU", "cost": 1000.0, "processing_seconds": 60}
    )
    task = RunTask(emulator, clock, resume={"OUT_OF_PU": 1})
    task.begin()
    task.wake()
    assert task.deferrals[-1] == "SentinelHubBatchRunPauseTrigger"
    ended = resumed(task, {"until": clock.now()})
    assert (ended.state, type(ended.error)) == ("failed", exceptions.SentinelHubError)
    assert f"Job {task.job['id']} was left alone" in str(ended.error)
    assert asked(emulator) == {"create": 1, "start": 1}


def test_an_xcom_that_cannot_be_pushed_keeps_no_job_from_its_stop(emulator, clock, monkeypatch):
    emulator.default_scenario({"cost": 1000.0, "processing_seconds": 6000})
    task = RunTask(emulator, clock, max_cost_pu=300)
    task.begin()

    def away(*_):
        raise ConnectionError("the API server is away")

    monkeypatch.setattr("airflow_sentinelhub.operators.run_report.RunReport.push", away)
    task.wake()
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
