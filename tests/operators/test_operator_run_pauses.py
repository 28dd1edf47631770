"""A task that runs a job lets time pass before it may do something to the job: it owns the job meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_sentinelhub.triggers.run import SentinelHubBatchRunPauseTrigger
from tests.harness.task_runner import deferred_to
from tests.operators.runs import RunTask
from tests.operators.test_operator_actions import asked

PAUSE = "SentinelHubBatchRunPauseTrigger"
with_stops = pytest.mark.parametrize("api", ["process", "statistical"])


def queued_when_time_is_up(emulator, clock, api, **arguments):
    """A task that may stop its job only when the job is analysed."""
    emulator.default_scenario({"queued_seconds": 1500, "processing_seconds": 60_000})
    task = RunTask(emulator, clock, api, execution_timeout=timedelta(seconds=900), **arguments)
    task.begin()
    task.wake()
    assert task.deferrals[-1] == PAUSE, task.ended.error
    return task


@with_stops
def test_a_job_that_is_queued_when_time_is_up_is_stopped_later(emulator, clock, api):
    task = queued_when_time_is_up(emulator, clock, api)
    ended = task.go_on()
    assert (ended.state, type(ended.error).__name__) == ("failed", "BatchTimeout")
    assert task.job["userAction"] == "STOP"
    assert asked(emulator)["start"] == 1


@with_stops
@pytest.mark.parametrize("on_kill", ["stop", "leave"])
def test_a_kill_meanwhile_finds_the_job(emulator, clock, api, on_kill):
    task = queued_when_time_is_up(emulator, clock, api, on_kill=on_kill)
    trigger = SentinelHubBatchRunPauseTrigger(**deferred_to(task.ended)[1])
    assert (trigger.api, trigger.request_id) == (api, task.job["id"])
    assert (trigger.sentinelhub_conn_id, trigger.kill_action) == ("sh", on_kill)


@with_stops
def test_a_pause_is_not_over_before_the_time_of_the_task_is(emulator, clock, api):
    """Airflow does not tell what was waited for, so a triggerer that is away for a while must not end the task."""
    emulator.default_scenario({"end": "STOPPED", "stopped_reason": "UNHEALTHY", "processing_seconds": 300})
    task = RunTask(emulator, clock, api, timeout=timedelta(days=2), resume={"UNHEALTHY": 1})
    began = clock.now()
    task.begin()
    task.wake()
    assert task.deferrals[-1] == PAUSE, task.ended.error
    [pause] = [state for state in task.execution.states if state.get("classpath", "").endswith(PAUSE)]
    given_up_after = seconds_of(pause["trigger_timeout"]) + clock.now() - began
    assert given_up_after >= 2 * 86_400


def seconds_of(duration):
    """Read what Airflow sends as an ISO 8601 duration."""
    from pydantic import TypeAdapter

    return TypeAdapter(timedelta).validate_python(duration).total_seconds()
