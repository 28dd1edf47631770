"""A restart waits until the service allows it, without a worker, and ends if it never does."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import BatchApi
from tests.harness.task_runner import ExecutionApi, deferred_to, run
from tests.operators.conftest import operator
from tests.operators.test_operator_actions import asked, requests_of, running

with_stops = pytest.mark.parametrize("api", [BatchApi.PROCESS, BatchApi.STATISTICAL])


@pytest.fixture
def stopped(emulator):
    def stopped(api="process", reason="USER_ACTION", minutes=10):
        scenario = {"end": "STOPPED", "stopped_reason": reason, "processing_seconds": 500}
        job_id = emulator.add_job(
            api, scenario={"processing_seconds": 100_000} if reason == "USER_ACTION" else scenario
        )
        emulator.advance(600)
        if reason == "USER_ACTION":
            _stop(emulator, api, job_id)
        else:
            while emulator.job(job_id)["status"] != "STOPPED":
                emulator.advance(1)
        emulator.advance(minutes * 60)
        emulator.forget_requests()
        return job_id

    return stopped


def _stop(emulator, api, job_id):
    ended = run(operator("Stop", task_id="stop", api=api, request_id=job_id, sentinelhub_conn_id="sh"))
    assert ended.returned["status"] == "STOPPED", ended.error


@with_stops
@pytest.mark.parametrize(
    ("reason", "minutes", "wait"),
    [
        ("USER_ACTION", 10, 20),
        ("USER_ACTION", 31, None),
        ("OUT_OF_PU", 10, 50),
        ("OUT_OF_PU", 61, None),
        ("UNHEALTHY", 29, 1),
    ],
)
def test_the_lock_is_waited_out_and_not_asked_against(emulator, act, stopped, api, reason, minutes, wait):
    job_id = stopped(api, reason, minutes)
    ended = act("Restart", job_id, api)
    assert (ended.state, ended.returned["userAction"]) == ("success", "START"), ended.error
    assert ended.returned["status"] in ("ANALYSIS_DONE", "PROCESSING")
    assert asked(emulator) == {"start": 1}
    assert requests_of(emulator) == (3 if wait is None else 4), "a wait costs one look"
    assert [round(each / 60) for each in ended.waits] == ([] if wait is None else [wait])
    if wait:
        assert "refuses a restart for" in ended.log
        assert "No worker is held until" in ended.log


def test_what_is_deferred_is_plain_and_holds_no_secret(emulator, clock, stopped):
    job_id = stopped()
    ended = run(operator("Restart", task_id="act", request_id=job_id, sentinelhub_conn_id="sh"))
    _, kwargs, next_kwargs = deferred_to(ended)
    assert set(kwargs) == {"until"}
    assert json.loads(json.dumps(next_kwargs)) == next_kwargs
    assert next_kwargs["checkpoint"]["job_id"] == job_id
    assert emulator.client_secret not in json.dumps([kwargs, next_kwargs])
    wait = kwargs["until"] - clock.now()
    assert ended.message.trigger_timeout > timedelta(seconds=wait), "Airflow's own timeout comes after ours"
    assert asked(emulator) == {}


def test_on_a_worker_if_that_is_wanted(emulator, act, clock, stopped):
    ended = act("Restart", stopped(), deferrable=False)
    assert ended.state == "success", ended.error
    assert ended.waits == []
    assert "holds its worker until" in ended.log
    assert max(clock.pauses) == pytest.approx(20 * 60 + 15, abs=1)


def test_somebody_restarts_it_during_the_wait(emulator, act, stopped):
    job_id = stopped(reason="UNHEALTHY")

    def staff(waits):
        emulator.set_scenario(job_id, steps=[{"status": "PROCESSING"}])

    ended = act("Restart", job_id, between=staff)
    assert (ended.state, ended.returned["status"]) == ("success", "PROCESSING"), ended.error
    assert "Under way" in ended.log
    assert asked(emulator) == {}


def test_a_job_that_is_deleted_during_the_wait(emulator, act, clock, stopped):
    job_id = stopped()
    ended = act("Restart", job_id, between=lambda waits: emulator.remove_job(job_id))
    assert type(ended.error) is exceptions.BatchNotFound
    assert "It was there before" in str(ended.error)
    assert "It was there before: it is asked for once more" in ended.log
    assert "a new job may need a moment" not in ended.log
    assert clock.pauses == [5.0] * 60


def test_somebody_has_just_restarted_it(emulator, act, stopped):
    """STOPPED may linger; the user action tells."""
    job_id = emulator.add_job(
        "process", steps=[{"status": "STOPPED", "stoppedStatusReason": "USER_ACTION"}], user_action="START"
    )
    ended = act("Restart", job_id)
    assert (ended.state, ended.returned["status"]) == ("success", "STOPPED")
    assert "Started again already" in ended.log
    assert asked(emulator) == {}


def test_the_start_of_a_job_that_ran_out_of_units_is_no_restart(emulator, act, stopped):
    """Its user action is still the START under which it ran."""
    job_id = stopped(reason="OUT_OF_PU", minutes=61)
    assert emulator.job(job_id)["userAction"] == "START"
    assert act("Restart", job_id).returned["status"] != "STOPPED"
    assert asked(emulator) == {"start": 1}


def test_a_job_that_is_stopped_again_during_the_wait_is_left(emulator, act, stopped):
    job_id = stopped()

    def again(waits):
        emulator.advance(1900)
        run(operator("Restart", task_id="other", request_id=job_id, sentinelhub_conn_id="sh"))
        _stop(emulator, "process", job_id)
        emulator.forget_requests()

    ended = act("Restart", job_id, between=again)
    assert type(ended.error) is exceptions.BatchNotRestartable
    assert "STOPPED AGAIN while this task waited" in str(ended.error)
    assert ended.returned["status"] == "STOPPED"
    assert asked(emulator) == {}


def test_a_lock_that_is_longer_than_known_is_waited_out_too(emulator, act, stopped):
    job_id = stopped()
    emulator.configure(restart_seconds=45 * 60)
    ended = act("Restart", job_id)
    assert ended.state == "success", ended.error
    assert [round(wait / 60) for wait in ended.waits] == [20, 5, 5, 5]
    assert asked(emulator) == {"start": 4}
    assert "cannot be restarted yet" in ended.log


def test_a_service_that_goes_on_refusing_is_not_asked_for_ever(emulator, act, stopped):
    job_id = stopped()
    emulator.configure(restart_seconds=1e6)
    ended = act("Restart", job_id)
    assert type(ended.error) is exceptions.BatchNotRestartable
    assert "cannot be restarted yet" in str(ended.error)
    assert "1,000 processing units" in str(ended.error)
    assert sum(ended.waits) == pytest.approx(80 * 60, abs=60)


def test_a_job_that_is_about_to_stop_is_waited_for(emulator, act):
    job_id = emulator.add_job("process", scenario={"analysis_seconds": 300})
    emulator.advance(100)
    stop = operator("Stop", task_id="stop", request_id=job_id, sentinelhub_conn_id="sh")
    assert run(stop).returned["status"] == "ANALYSING"
    ended = act("Restart", job_id)
    assert (ended.state, ended.returned["userAction"]) == ("success", "START"), ended.error
    assert asked(emulator) == {"stop": 1, "start": 1}
    assert [round(wait / 60) for wait in ended.waits][-1] == pytest.approx(30, abs=2)


@pytest.mark.parametrize("deferrable", [True, False])
def test_execution_timeout_holds_while_deferred(emulator, act, stopped, deferrable):
    """Airflow does not enforce it then; what cannot be in time fails at once."""
    job_id = stopped()
    ended = act("Restart", job_id, deferrable=deferrable, execution_timeout=timedelta(minutes=15))
    assert type(ended.error) is exceptions.BatchTimeout
    assert "execution_timeout" in str(ended.error)
    assert job_id in str(ended.error)
    assert asked(emulator) == {}


def test_execution_timeout_is_one_of_the_whole_task(emulator, act, stopped):
    job_id = stopped()
    emulator.configure(restart_seconds=1e6)
    ended = act("Restart", job_id, execution_timeout=timedelta(minutes=40))
    assert type(ended.error) is exceptions.BatchTimeout
    assert 30 * 60 < sum(ended.waits) <= 40 * 60


def test_a_triggerer_that_comes_too_late_for_execution_timeout(emulator, act, stopped):
    job_id = stopped()

    def late(waits):
        emulator.advance(2 * 3600)

    ended = act("Restart", job_id, between=late, execution_timeout=timedelta(minutes=40))
    assert type(ended.error) is exceptions.BatchTimeout
    assert asked(emulator) == {}


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        ({"error": "Trigger timeout"}, "is one running"),
        ({"error": "Trigger failure", "traceback": ["Traceback: something broke"]}, "Trigger failure"),
    ],
)
def test_a_trigger_that_never_fired(emulator, failure, says):
    job_id = running(emulator)
    api = ExecutionApi(next_method="__fail__", next_kwargs=failure)
    ended = run(operator("Restart", task_id="act", request_id=job_id, sentinelhub_conn_id="sh"), api)
    assert type(ended.error) is exceptions.SentinelHubError
    assert says in str(ended.error)
    assert "left alone" in str(ended.error)
