"""A task that owns a job is ended while it is deferred: when its job is stopped, and when it is left."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import uuid
from types import SimpleNamespace

import pytest
import structlog
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetTaskStates, TaskStatesResult

from airflow_sentinelhub import clock
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.triggers import kill
from airflow_sentinelhub.triggers.run import SentinelHubBatchRunPauseTrigger, SentinelHubBatchRunTrigger
from airflow_sentinelhub.triggers.triggerer_log import log_in_triggerer
from tests.harness.versions import deserialize, serialize
from tests.harness.virtual_time import run_on_the_clock
from tests.triggers.test_trigger_batch import arguments

PROCESSING = [{"status": "PROCESSING", "completionPercentage": 42}]
ENDLESS = 86_400.0
"""Seconds that nothing here takes."""


class Airflow:
    """What answers a triggerer that asks for the state of a task."""

    def __init__(self, state, map_index=-1):
        self.state, self.map_index, self.asked = state, map_index, []

    def send(self, message):
        if isinstance(message, GetTaskStates):  # below 3.3 also what is to be masked in the log
            self.asked.append(message)
        if isinstance(self.state, Exception):
            raise self.state
        name = "run" if self.map_index < 0 else f"run_{self.map_index}"
        others = {} if self.map_index < 0 else {"run_7": "failed"}
        own = {} if self.state == "gone" else {name: self.state}
        return TaskStatesResult(task_states={"a_run": {**others, **own}})


@pytest.fixture
def airflow(monkeypatch):
    """Let Airflow say that the task is in this state."""

    def say(state, map_index=-1):
        played = Airflow(state, map_index)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", played, raising=False)
        return played

    return say


def a_task(map_index=-1):
    return SimpleNamespace(
        id=uuid.uuid4(), dag_id="a_dag", run_id="a_run", task_id="run", map_index=map_index, try_number=1
    )


def waiting(request_id, *, api="process", map_index=-1, **given):
    trigger = SentinelHubBatchRunTrigger(**arguments(request_id=request_id, api=api, **given))
    trigger.task_instance = a_task(map_index)
    return trigger


def pausing(request_id, **given):
    trigger = SentinelHubBatchRunPauseTrigger(
        until=clock.now() + ENDLESS, api="process", request_id=request_id, sentinelhub_conn_id="sh", **given
    )
    trigger.task_instance = a_task()
    return trigger


def killed(trigger, again=None):
    """
    Kill a trigger as Airflow does, and let it end what it does then.

    :param again: called every second until it is done; Airflow cancels again every second.
    """

    async def scene():
        killing = asyncio.create_task(trigger.on_kill())
        while not killing.done() or kill._UNDER_WAY:
            await asyncio.sleep(1)
            if again and again():
                killing.cancel()
        await killing

    with structlog.testing.capture_logs() as lines:
        run_on_the_clock(scene())
    return [line for line in lines if line["log_level"] != "debug"]


def told(lines):
    return "\n".join(str(line["event"]) for line in lines)


def in_the_triggerers_log(caplog):
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "airflow_sentinelhub.triggers.triggerer_log"
    ]


def stops(emulator):
    actions = emulator.requests()["actions"]
    return actions["stop"] + actions["cancel"]


every_trigger = pytest.mark.parametrize("make", [waiting, pausing])


@every_trigger
@pytest.mark.parametrize("state", ["failed", "skipped", "removed"])
def test_a_killed_task_stops_its_job(emulator, airflow, make, state):
    airflow(state)
    request_id = emulator.add_job("process", steps=PROCESSING)
    lines = killed(make(request_id))
    assert emulator.job(request_id)["userAction"] == "STOP"
    assert stops(emulator) == 1
    removed = "warning" if state == "removed" else "info"
    assert [line["log_level"] for line in lines] == ["info", removed, "warning", "warning"]
    first, why, asked, last = (line["event"] for line in lines)
    assert first == f"The wait was ended from outside, Airflow is asked why (Batch Process {request_id})"
    assert f"killed (it is {state}): the job is asked to stop (Batch Process {request_id})" in why
    assert ("renamed or deleted in its DAG file" in why) == (state == "removed")
    assert f"Stop accepted, what is done or in flight is charged (Batch Process {request_id})" in asked
    assert last.startswith("STOPPED (USER_ACTION)")
    assert f"Batch Process {request_id})" in last
    assert "PU so far" in last


@every_trigger
@pytest.mark.parametrize(
    "state",
    [
        "success",
        "queued",
        "scheduled",
        "running",
        "deferred",
        "up_for_retry",
        "restarting",
        "upstream_failed",
        None,
    ],
)
def test_anything_else_leaves_it(emulator, airflow, make, state):
    airflow(state)
    request_id = emulator.add_job("process", steps=PROCESSING)
    _, line = killed(make(request_id))
    assert stops(emulator) == 0
    assert line["log_level"] == "info"
    assert (
        line["event"] == f"The task is {state or 'no_status'}: the job was left alone (Batch Process {request_id})"
    )


@every_trigger
@pytest.mark.parametrize(
    ("state", "action", "why", "choice"),
    [
        ("gone", "stop", "Airflow does not know the task any more: was its DAG deleted?", ""),
        (
            "removed",
            "stop_unless_removed",
            "This task was renamed or deleted in its DAG file.",
            ", on_kill='stop_unless_removed'",
        ),
    ],
)
def test_a_job_that_nobody_has_any_more_is_named_in_both_logs(
    emulator, airflow, caplog, make, state, action, why, choice
):
    airflow(state)
    request_id = emulator.add_job("process", steps=PROCESSING)
    _, line = killed(make(request_id, kill_action=action))
    assert stops(emulator) == 0
    assert line["log_level"] == "warning"
    assert line["event"].startswith(f"{why} LEFT AS IT IS{choice} (Batch Process {request_id})\nIf")
    assert " ".join(line["event"].splitlines()) in in_the_triggerers_log(caplog)


@every_trigger
def test_it_is_stopped_unless_the_task_was_removed(emulator, airflow, make):
    airflow("failed")
    killed(make(emulator.add_job("process", steps=PROCESSING), kill_action="stop_unless_removed"))
    assert stops(emulator) == 1


@every_trigger
def test_what_becomes_of_the_job_of_a_removed_task_is_in_the_triggerers_own_log(emulator, airflow, caplog, make):
    airflow("removed")
    request_id = emulator.add_job("process", steps=PROCESSING)
    killed(make(request_id))
    why, asked, last = in_the_triggerers_log(caplog)
    assert "renamed or deleted in its DAG file" in why
    assert "Stop accepted" in asked
    assert last.startswith("STOPPED (USER_ACTION)")
    assert f"Batch Process {request_id})" in last
    assert "PU so far" in last


def test_a_line_for_the_triggerers_own_log_names_no_trigger():
    """Airflow sends a line to the log of a task by the trigger that the context of the caller names."""
    seen = []

    class Handler(logging.Handler):
        def emit(self, record):
            seen.append((record.getMessage(), structlog.contextvars.get_contextvars()))

    logger, handler = logging.getLogger("airflow_sentinelhub.triggers.triggerer_log"), Handler()
    logger.addHandler(handler)
    with structlog.contextvars.bound_contextvars(trigger_id=7):
        log_in_triggerer(logging.WARNING, "a 100 % job")
    logger.removeHandler(handler)
    assert seen == [("a 100 % job", {})]


@pytest.mark.parametrize("api", ["statistical", "process_v1"])
def test_in_the_other_apis_too(emulator, airflow, api):
    airflow("failed")
    request_id = emulator.add_job(api, steps=PROCESSING)
    killed(waiting(request_id, api=api))
    assert emulator.job(request_id)["userAction"] == ("CANCEL" if api == "process_v1" else "STOP")


@pytest.mark.parametrize(("state", "stopped"), [("failed", 1), ("deferred", 0)])
def test_of_mapped_tasks_only_the_own_state_counts(emulator, airflow, state, stopped):
    played = airflow(state, map_index=2)
    killed(waiting(emulator.add_job("process", steps=PROCESSING), map_index=2))
    assert stops(emulator) == stopped
    assert {(each.map_index, *each.task_ids, *each.run_ids) for each in played.asked} == {(2, "run", "a_run")}


def test_a_job_may_be_left_on_purpose(emulator, airflow, caplog):
    airflow("failed")
    request_id = emulator.add_job("process", steps=PROCESSING)
    _, line = killed(waiting(request_id, kill_action="leave"))
    assert stops(emulator) == 0
    assert f"killed (it is failed). LEFT AS IT IS, on_kill='leave' (Batch Process {request_id})" in line["event"]
    assert " ".join(line["event"].splitlines()) in in_the_triggerers_log(caplog)


def test_a_job_that_is_to_be_left_is_no_warning_when_nobody_has_killed_the_task(emulator, airflow):
    airflow("deferred")
    _, line = killed(waiting(emulator.add_job("process", steps=PROCESSING), kill_action="leave"))
    assert line["log_level"] == "info"


def test_to_be_cancelled_again_and_again_asks_once_and_to_the_end(emulator, airflow, time, monkeypatch):
    airflow("failed")
    request_id = emulator.add_job("process", steps=PROCESSING)
    stop_now, under_way, answers, cancelled = kill.stop_now, threading.Event(), threading.Event(), []

    def end_slowly(*given):
        under_way.set()  # from here on, time passes meanwhile
        assert answers.wait(60)
        under_way.clear()
        return stop_now(*given)

    def again():
        cancelled.append(under_way.is_set())
        if sum(cancelled) == 5:
            answers.set()
        return True

    monkeypatch.setattr(kill, "stop_now", end_slowly)
    monkeypatch.setattr(time, "hanging", lambda: int(under_way.is_set() and not answers.is_set()))
    lines = killed(waiting(request_id), again=again)
    assert sum(cancelled) >= 5
    assert stops(emulator) == 1
    assert emulator.job(request_id)["userAction"] == "STOP"
    assert "Stop accepted" in told(lines)


def test_after_its_event_it_asks_for_nothing(emulator, airflow):
    played = airflow("failed")
    trigger = waiting(emulator.add_job("process", steps=[{"status": "DONE"}]))

    async def scene():
        async for _ in trigger.run():
            # What Airflow does to a trigger that does not return at once.
            await trigger.on_kill()

    with structlog.testing.capture_logs():
        run_on_the_clock(scene())
    assert (stops(emulator), played.asked) == (0, [])


def test_after_its_pause_it_asks_for_nothing(emulator, airflow):
    played = airflow("failed")
    trigger = pausing(emulator.add_job("process", steps=PROCESSING))
    trigger.until = 0

    async def scene():
        async for _ in trigger.run():
            await trigger.on_kill()

    asyncio.run(scene())
    assert (stops(emulator), played.asked) == (0, [])


@pytest.fixture
def impatient(emulator, airflow, monkeypatch):
    """A trigger on whose kill Airflow does not wait at all."""
    airflow("failed")
    monkeypatch.setattr(kill, "_TIME_TO_KILL", 0.0)
    return waiting(emulator.add_job("process", steps=PROCESSING))


def test_what_takes_longer_than_airflow_waits_goes_on_without_it(emulator, impatient, caplog):
    caplog.set_level(logging.INFO)

    async def scene():
        await impatient.on_kill()
        [ending] = kill._UNDER_WAY
        await ending

    with structlog.testing.capture_logs() as lines:
        run_on_the_clock(scene())
    assert not kill._UNDER_WAY
    assert emulator.job(impatient.request_id)["userAction"] == "STOP"
    assert "What becomes of the job is told here, or in" in told(lines[:2])
    assert "Stop accepted" in told(lines)
    assert "is asked to stop" in in_the_triggerers_log(caplog)[0], "also what would be for the task's log alone"


def test_a_triggerer_that_is_stopped_meanwhile_says_so(impatient):
    async def scene():
        await impatient.on_kill()
        await asyncio.sleep(0)

    with structlog.testing.capture_logs() as lines:
        asyncio.run(scene())
    assert lines[-1]["log_level"] == "error"
    assert (
        f"The triggerer ends: the job may go on, stop it yourself (Batch Process {impatient.request_id})"
        in told(lines)
    )


def test_an_airflow_that_does_not_tell_the_state_leaves_the_job(emulator, airflow):
    airflow(RuntimeError("the API server is away"))
    lines = killed(waiting(emulator.add_job("process", steps=PROCESSING)))
    assert stops(emulator) == 0
    assert lines[-1]["log_level"] == "error"
    assert "NOT STOPPED (" in told(lines)


def test_what_is_over_is_no_error(emulator, airflow):
    airflow("failed")
    request_id = emulator.add_job("process", steps=[{"status": "DONE"}])
    lines = killed(waiting(request_id))
    assert {line["log_level"] for line in lines} == {"info"}
    assert "done before it could be stopped" in told(lines)


def test_a_new_job_that_is_404_is_stopped_all_the_same(emulator, airflow, monkeypatch):
    monkeypatch.setattr(kill, "_FIRST_PAUSE", 0.1)
    airflow("failed")
    request_id = emulator.add_job("process", steps=PROCESSING)
    emulator.fault(status=404, path=request_id, times=4)  # two stops, and a look after each
    lines = killed(waiting(request_id))
    assert emulator.job(request_id)["userAction"] == "STOP"
    assert "It is asked again for 5 min." in told(lines)


def test_what_is_gone_is_no_error(emulator, airflow, monkeypatch):
    monkeypatch.setattr(kill, "_MISSING_FOR", 0.0)
    airflow("failed")
    lines = killed(waiting("6aa8765a-0000-4000-8000-00000000dead"))
    assert {line["log_level"] for line in lines} == {"info"}
    assert "Nothing to stop: gone, 404" in told(lines)


def test_what_was_asked_before_is_not_asked_again(emulator, airflow):
    airflow("failed")
    request_id = emulator.add_job(
        "process", scenario={"analysis_seconds": ENDLESS}, status="ANALYSING", user_action="STOP"
    )
    lines = killed(waiting(request_id))
    assert "Asked for before" in told(lines)
    assert {line["log_level"] for line in lines[:-1]} == {"info"}


@every_trigger
def test_a_queued_job_is_asked_again_until_it_is_analysed(emulator, airflow, make):
    airflow("failed")
    request_id = emulator.add_job("process", scenario={"queued_seconds": 10 * ENDLESS})

    def analysed():
        if stops(emulator) == 1:
            emulator.set_scenario(request_id, steps=[{"status": "ANALYSING"}])
        return False

    lines = killed(make(request_id), again=analysed)
    assert stops(emulator) > 1
    assert "It is asked again for 15 min." in told(lines)
    assert emulator.job(request_id)["userAction"] == "STOP"
    assert "Stop accepted" in told(lines)


def test_a_job_that_stays_queued_is_an_error_that_says_what_to_do(emulator, airflow, time):
    airflow("failed")
    began = time.now()
    lines = killed(waiting(emulator.add_job("process", scenario={"queued_seconds": 10 * ENDLESS})))
    assert lines[-1]["log_level"] == "error"
    assert "COULD NOT BE STOPPED" in told(lines)
    assert "SentinelHubBatchStopOperator" in told(lines)
    assert 15 * 60 <= time.now() - began <= 16 * 60


def test_a_queued_job_of_a_task_that_is_cleared_meanwhile_is_left(emulator, airflow):
    played = airflow("failed")

    def cleared():
        played.state = "queued" if stops(emulator) else played.state
        return False

    lines = killed(waiting(emulator.add_job("process", scenario={"queued_seconds": 10 * ENDLESS})), again=cleared)
    assert "The task is queued: the job was left alone (Batch Process" in told(lines)


@pytest.mark.parametrize("status", [403, 500])
def test_a_refusal_or_an_outage_is_an_error_that_says_what_to_do(emulator, airflow, status):
    airflow("failed")
    request_id = emulator.add_job("process", steps=PROCESSING)
    emulator.fault(status=status, method="POST", path="/stop$", times=None)
    lines = killed(waiting(request_id))
    assert lines[-1]["log_level"] == "error"
    assert f"COULD NOT BE STOPPED, may go on spending processing units (Batch Process {request_id})" in told(lines)


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_is_busy_or_away_is_asked_again(emulator, airflow, status):
    airflow("failed")
    request_id = emulator.add_job("process", steps=PROCESSING)
    emulator.fault(status=status, method="POST", path="/stop$", times=3)
    lines = killed(waiting(request_id))
    assert emulator.job(request_id)["userAction"] == "STOP"
    assert "Stop accepted" in told(lines[-2:-1])
    assert "STOPPED (USER_ACTION)" in told(lines[-1:])
    assert stops(emulator) >= 4


def test_a_connection_that_is_broken_is_an_error_and_shows_no_secret(emulator, airflow, monkeypatch):
    airflow("failed")
    monkeypatch.setenv("AIRFLOW_CONN_SH", json.dumps({"conn_type": "sentinelhub", "password": "s3cr3t"}))
    lines = killed(waiting(emulator.add_job("process", steps=PROCESSING)))
    assert stops(emulator) == 0
    assert lines[-1]["log_level"] == "error"
    assert "NOT STOPPED (" in told(lines)
    assert "s3cr3t" not in json.dumps(lines, default=str)


def test_a_bug_of_our_own_is_an_error_in_the_log(emulator, airflow, monkeypatch):
    airflow("failed")

    async def broken(hook):
        raise RuntimeError("a bug")

    monkeypatch.setattr(SentinelHubHook, "aget_config", broken)
    lines = killed(waiting(emulator.add_job("process", steps=PROCESSING)))
    assert stops(emulator) == 0
    assert lines[-1]["log_level"] == "error"


def test_dag_test_gives_a_trigger_no_task(emulator, airflow):
    airflow("failed")
    trigger = waiting(emulator.add_job("process", steps=PROCESSING))
    trigger.task_instance = None
    killed(trigger)
    assert stops(emulator) == 0


@every_trigger
def test_it_survives_the_database(make):
    trigger = make("6aa8765a-0000-4000-8000-000000000000", kill_action="leave")
    classpath, kwargs = trigger.serialize()
    assert classpath == f"{type(trigger).__module__}.{type(trigger).__name__}"
    restored = deserialize(json.loads(json.dumps(serialize(kwargs))))
    again = type(trigger)(**restored, of_a_newer_version=True)
    assert again.serialize() == (classpath, kwargs)
    assert again.kill_action == "leave"
    old = {name: value for name, value in kwargs.items() if name != "kill_action"}
    assert type(trigger)(**old).kill_action == "stop"
