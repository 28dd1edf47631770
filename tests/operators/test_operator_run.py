"""A whole job in one task: created, started, waited for, ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_sentinelhub import exceptions
from tests.harness.versions import needs_airflow
from tests.operators.creations import every_api, requests_of
from tests.operators.runs import RunTask
from tests.operators.test_operator_actions import asked

with_stops = pytest.mark.parametrize("api", ["process", "statistical"])
with_store = needs_airflow("3.3", "remembers what an attempt left")


@every_api
def test_a_job_from_its_request_to_its_end(emulator, clock, api):
    task = RunTask(emulator, clock, api)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert ended.returned["status"] == "DONE"
    assert ended.returned["costPU"] if api != "process_v1" else True
    assert not {"request", "processRequest"} & set(ended.returned)
    assert task.execution.xcoms["request_id"] == ended.returned["id"] == task.job["id"]
    if api != "process_v1":
        assert task.execution.xcoms["cost_pu"] == {task.job["id"]: ended.returned["costPU"]}
    assert task.deferrals == ["SentinelHubBatchRunTrigger"]
    assert asked(emulator) == {"create": 1, "start": 1}
    assert "Waiting until" in ended.log
    assert "max_failed_tiles" in ended.log
    assert ended.log.count("DONE") >= 1


@every_api
def test_on_a_worker(emulator, clock, api):
    task = RunTask(emulator, clock, api, deferrable=False)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert (ended.returned["status"], task.deferrals) == ("DONE", [])
    assert asked(emulator) == {"create": 1, "start": 1}


@every_api
def test_what_a_whole_job_costs_in_requests(emulator, clock, api):
    task = RunTask(emulator, clock, api)
    task.begin()
    assert task.ended.state == "deferred", task.ended.error
    assert requests_of(emulator) == 4, "create, a look, start, a look"


@every_api
def test_without_waiting(emulator, clock, api):
    task = RunTask(emulator, clock, api, wait_for_completion=False)
    ended = task.attempt()
    assert (ended.state, ended.returned["userAction"], task.deferrals) == ("success", "START", [])


@every_api
@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        ({"end": "FAILED", "error": "Out of luck"}, exceptions.BatchFailed),
        ({"fails_in_analysis": True}, exceptions.BatchFailed),
    ],
)
def test_a_job_that_fails(emulator, clock, api, scenario, error):
    emulator.default_scenario(scenario)
    ended = RunTask(emulator, clock, api).attempt()
    assert ended.state == "failed"
    assert isinstance(ended.error, error)
    assert isinstance(ended.error, AirflowFailException)
    assert ended.returned["status"] == "FAILED"


@with_stops
def test_a_job_that_somebody_stops_is_left_stopped(emulator, clock, api):
    emulator.default_scenario({"end": "STOPPED"})
    task = RunTask(emulator, clock, api)
    ended = task.attempt()
    assert (ended.state, type(ended.error)) == ("failed", exceptions.BatchStopped)
    assert asked(emulator) == {"create": 1, "start": 1}
    ended = task.attempt()
    assert type(ended.error) is exceptions.BatchStopped, "a retry is nobody's wish that it goes on"
    assert asked(emulator) == {"create": 1, "start": 1}


@with_store
@with_stops
def test_a_clear_lets_a_stopped_job_go_on(emulator, clock, api):
    emulator.default_scenario({"end": "STOPPED", "processing_seconds": 600})
    task = RunTask(emulator, clock, api)
    task.attempt()
    ended = task.cleared().attempt()
    assert ended.state == "success", ended.error
    assert (ended.returned["status"], task.job["id"]) == ("DONE", ended.returned["id"])
    assert asked(emulator) == {"create": 1, "start": 2}
    assert "SentinelHubBatchRunPauseTrigger" in task.deferrals, "the lock is waited out"


# Cost


@with_stops
def test_a_job_that_gets_too_dear_is_stopped(emulator, clock, api):
    emulator.default_scenario({"cost": 1000.0, "processing_seconds": 6000})
    task = RunTask(emulator, clock, api, max_cost_pu=300)
    ended = task.attempt()
    assert (ended.state, type(ended.error)) == ("failed", exceptions.BatchCostExceeded)
    assert 300 < ended.error.spent < 400
    assert ended.error.limit == 300
    assert "300 PU" in str(ended.error)
    assert "raise max_cost_pu" in str(ended.error)
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
    assert task.job["userAction"] == "STOP"
    assert ended.returned["costPU"] > 300


@with_store
@with_stops
def test_a_retry_of_what_was_too_dear_spends_nothing(emulator, clock, api):
    emulator.default_scenario({"cost": 1000.0, "processing_seconds": 6000})
    task = RunTask(emulator, clock, api, max_cost_pu=300)
    task.attempt()
    emulator.advance(7200)
    before = task.job["costPU"] if "costPU" in task.job else task.job["costPu"]
    ended = task.attempt()
    assert ended.state == "failed"
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
    assert (task.job.get("costPU") or task.job.get("costPu")) == before


@with_store
@with_stops
def test_with_a_higher_limit_a_clear_goes_on(emulator, clock, api):
    emulator.default_scenario({"cost": 1000.0, "processing_seconds": 6000})
    task = RunTask(emulator, clock, api, max_cost_pu=300)
    task.attempt()
    ended = task.cleared().attempt(max_cost_pu=2000)
    assert ended.state == "success", ended.error
    assert asked(emulator) == {"create": 1, "start": 2, "stop": 1}
    assert task.job["id"] == ended.returned["id"]


def test_what_was_done_before_its_cost_was_seen_is_a_success(emulator, clock):
    emulator.default_scenario({"cost": 1000.0, "processing_seconds": 1})
    ended = RunTask(emulator, clock, max_cost_pu=300).attempt()
    assert ended.state == "success", ended.error
    assert "It cost more than max_cost_pu" in ended.log


# Time


@with_stops
@pytest.mark.parametrize(
    ("limit", "error"),
    [({"timeout": 900}, "AirflowFailException"), ({"execution_timeout": timedelta(seconds=900)}, "BatchTimeout")],
)
def test_time_is_up_and_the_job_is_stopped(emulator, clock, api, limit, error):
    emulator.default_scenario({"processing_seconds": 6000})
    task = RunTask(emulator, clock, api, **limit)
    ended = task.attempt()
    assert (ended.state, type(ended.error).__name__) == ("failed", error)
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
    assert task.job["userAction"] == "STOP"
    assert next(iter(limit)) in str(ended.error)
    assert "It is stopped (on_timeout)" in str(ended.error)
    assert "left alone" not in ended.log


@with_stops
def test_time_is_up_and_the_job_is_left(emulator, clock, api):
    emulator.default_scenario({"processing_seconds": 6000})
    ended = RunTask(emulator, clock, api, timeout=900, on_timeout="leave").attempt()
    assert ended.state == "failed"
    assert asked(emulator) == {"create": 1, "start": 1}
    assert "The job was left alone" in str(ended.error)


@with_store
@with_stops
def test_a_retry_goes_on_with_what_a_time_limit_has_stopped(emulator, clock, api):
    emulator.default_scenario({"processing_seconds": 2000})
    task = RunTask(emulator, clock, api, execution_timeout=timedelta(seconds=900))
    task.attempt()
    ended = task.attempt(execution_timeout=timedelta(hours=3))
    assert ended.state == "success", ended.error
    assert asked(emulator) == {"create": 1, "start": 2, "stop": 1}
    assert task.job["id"] == ended.returned["id"]


@with_stops
@pytest.mark.parametrize(("on_timeout", "stops"), [("stop", {"stop": 1}), ("leave", {})])
def test_the_triggerer_is_not_heard_of(emulator, clock, api, on_timeout, stops):
    emulator.default_scenario({"processing_seconds": 6000})
    task = RunTask(emulator, clock, api, timeout=900, on_timeout=on_timeout)
    task.begin()
    emulator.advance(1200)
    ended = task.unheard("Trigger timeout")
    assert ended.state == "failed"
    assert asked(emulator) == {"create": 1, "start": 1, **stops}
    assert "is one running?" in str(ended.error)
    assert task.job["id"] in str(ended.error)


def test_a_trigger_that_crashes_stops_nothing(emulator, clock):
    emulator.default_scenario({"processing_seconds": 6000})
    task = RunTask(emulator, clock)
    task.begin()
    ended = task.unheard("Trigger failure")
    assert (ended.state, type(ended.error)) == ("failed", exceptions.SentinelHubError)
    assert asked(emulator) == {"create": 1, "start": 1}
    assert f"{task.job['id']} was left alone" in str(ended.error)


# Resume


@with_stops
@pytest.mark.parametrize(("reason", "lock"), [("OUT_OF_PU", 60), ("UNHEALTHY", 30)])
def test_a_job_that_the_service_stops_is_started_again(emulator, clock, api, reason, lock):
    emulator.default_scenario({"end": "STOPPED", "stopped_reason": reason, "processing_seconds": 300})
    task = RunTask(emulator, clock, api, resume={"OUT_OF_PU": 2, "UNHEALTHY": 1})
    task.begin()
    task.wake()
    assert task.deferrals[-1] == "SentinelHubBatchRunPauseTrigger", task.ended.error
    began = clock.now()
    task.wake()
    assert lock * 60 - 300 < clock.now() - began < lock * 60 + 60
    ended = task.go_on()
    assert ended.state == "success", ended.error
    assert asked(emulator) == {"create": 1, "start": 2}
    assert "as resume says (1 of" in ended.log


@with_stops
def test_it_is_started_again_only_so_often(emulator, clock, api):
    scenario = {"end": "STOPPED", "stopped_reason": "UNHEALTHY", "processing_seconds": 300}
    emulator.default_scenario(scenario)
    task = RunTask(emulator, clock, api, resume={"UNHEALTHY": 2})
    task.begin()
    for _ in range(10):
        if task.ended.state != "deferred":
            break
        if task.deferrals[-1] == "SentinelHubBatchRunTrigger":
            emulator.set_scenario(task.job["id"], scenario)
        task.wake()
    assert (task.ended.state, type(task.ended.error)) == ("failed", exceptions.BatchStopped)
    assert asked(emulator) == {"create": 1, "start": 3}


@with_stops
def test_another_reason_than_the_users_is_not_resumed(emulator, clock, api):
    emulator.default_scenario({"end": "STOPPED", "stopped_reason": "UNHEALTHY"})
    ended = RunTask(emulator, clock, api, resume={"OUT_OF_PU": 2}).attempt()
    assert type(ended.error) is exceptions.BatchStopped
    assert asked(emulator) == {"create": 1, "start": 1}


# Arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"on_kill": "cancel"}, "on_kill must be 'stop'"),
        ({"on_timeout": None}, "on_timeout must be 'stop'"),
        ({"max_cost_pu": 0}, "max_cost_pu must be a number"),
        ({"max_cost_pu": True}, "max_cost_pu must be a number"),
        ({"max_cost_pu": "10"}, "max_cost_pu must be a number"),
        ({"max_cost_pu": float("nan")}, "max_cost_pu must be a number"),
        ({"max_cost_pu": 10, "api": "process_v1"}, "v1 does not tell what a job has cost"),
        ({"max_failed_tiles": 1.5}, "max_failed_tiles must be"),
        ({"max_failed_tiles": -1}, "max_failed_tiles must be"),
        ({"max_failed_tiles": True}, "max_failed_tiles must be"),
        ({"resume": {"out_of_pu": 1}}, "resume: a job is stopped for"),
        ({"resume": {"OUT_OF_PU": -1}}, "resume: how often"),
        ({"resume": {"OUT_OF_PU": True}}, "resume: how often"),
        ({"resume": {"OUT_OF_PU": 1}, "api": "process_v1"}, "never STOPPED"),
        ({"wait_for_completion": False, "max_failed_tiles": 0}, "wait_for_completion=False ends"),
        ({"poke_interval": -1}, "poke_interval must be"),
        ({"timeout": None}, "timeout must be"),
    ],
)
def test_arguments_that_make_no_sense(arguments, said):
    from airflow_sentinelhub.operators.batch import SentinelHubBatchRunOperator

    with pytest.raises(ValueError, match=said):
        SentinelHubBatchRunOperator(task_id="run", request={}, **arguments)
