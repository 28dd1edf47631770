"""A job that stands still: what each attempt makes of it, and what its user is told."""

from __future__ import annotations

import pytest

from airflow_sentinelhub import exceptions
from tests.operators.creations import with_store
from tests.operators.runs import RunTask
from tests.operators.test_operator_actions import asked

with_stops = pytest.mark.parametrize("api", ["process", "statistical"])
DEAR = {"cost": 1000.0, "processing_seconds": 6000}


@with_store
@with_stops
@pytest.mark.parametrize("again", ["retry", "clear"])
def test_what_was_too_dear_is_not_even_started_before_the_limit_is_raised(emulator, clock, api, again):
    emulator.default_fate(DEAR)
    task = RunTask(emulator, clock, api, max_cost_pu=300)
    first = task.attempt().error
    emulator.advance(7200)
    ended = (task.cleared() if again == "clear" else task).attempt()
    assert (ended.state, type(ended.error)) == ("failed", exceptions.BatchCostExceeded)
    assert (ended.error.spent, ended.error.limit, ended.error.job_id) == (first.spent, 300, task.job["id"])
    assert "is STOPPED" in str(ended.error)
    assert "then raise max_cost_pu and clear this task" in str(ended.error)
    assert task.deferrals == ["SentinelHubBatchRunTrigger"], "no lock is waited out for nothing"
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
    assert ended.returned["status"] == "STOPPED"
    ended = task.cleared().attempt(max_cost_pu=2000)
    assert ended.state == "success", ended.error
    assert asked(emulator) == {"create": 1, "start": 2, "stop": 1}


@with_store
def test_a_retry_while_the_stop_is_under_way_says_the_same(emulator, clock):
    emulator.default_fate(DEAR)
    task = RunTask(emulator, clock, max_cost_pu=300)
    task.attempt()
    emulator.set_fate(task.job["id"], {"steps": [{"status": "PROCESSING", "userAction": "STOP", "cost": 350.0}]})
    ended = task.attempt()
    assert (type(ended.error), ended.error.spent) == (exceptions.BatchCostExceeded, 350)
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}


@with_stops
def test_a_job_that_the_service_stops_is_not_resumed_if_it_is_too_dear(emulator, clock, api):
    emulator.default_fate(
        {"end": "STOPPED", "stopped_reason": "OUT_OF_PU", "cost": 1000.0, "processing_seconds": 60}
    )
    ended = RunTask(emulator, clock, api, max_cost_pu=300, resume={"OUT_OF_PU": 1}, poke_interval=3600).attempt()
    assert type(ended.error) is exceptions.BatchCostExceeded
    assert ended.error.spent == 500
    assert asked(emulator) == {"create": 1, "start": 1}


@with_store
@with_stops
def test_the_user_is_told_what_lets_it_go_on(emulator, clock, api):
    emulator.default_fate({"end": "STOPPED"})
    task = RunTask(emulator, clock, api)
    for ended in (task.attempt(), task.attempt()):
        assert type(ended.error) is exceptions.BatchStopped
        assert "somebody stopped it" in str(ended.error)
        assert "A clear of this task starts it again" in str(ended.error)
        assert "SentinelHubBatchRestartOperator" not in str(ended.error)
        assert ended.error.reason == "USER_ACTION"
    assert asked(emulator) == {"create": 1, "start": 1}


# Without a store


@with_stops
def test_without_a_store_the_user_is_told_what_starts_it_again(emulator, clock, forgetful, api):
    emulator.default_fate({"end": "STOPPED"})
    task = RunTask(emulator, clock, api)
    for ended in (task.attempt(), task.cleared().attempt()):
        assert type(ended.error) is exceptions.BatchStopped
        assert "for SentinelHubBatchRestartOperator" in str(ended.error)
    assert asked(emulator) == {"create": 1, "start": 1}


@with_stops
def test_without_a_store_what_was_too_dear_spends_nothing_more(emulator, clock, forgetful, api):
    emulator.default_fate(DEAR)
    task = RunTask(emulator, clock, api, max_cost_pu=300)
    assert type(task.attempt().error) is exceptions.BatchCostExceeded
    emulator.advance(7200)
    assert type(task.attempt().error) is exceptions.BatchCostExceeded
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
