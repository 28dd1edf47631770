"""A task that runs a job is killed, and its worker is not told: nothing starts, or runs on, unseen."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.tasks import last_deferral, own_state
from airflow_sentinelhub.triggers.run import SentinelHubBatchRunPauseTrigger, SentinelHubBatchRunTrigger
from tests.harness.versions import needs_airflow
from tests.operators.runs import RunTask
from tests.operators.test_operator_actions import asked, running

KILLED = ["failed", "skipped", "removed"]
SUPERSEDED = ["queued", "restarting", "scheduled", "up_for_retry", "success", None, "gone"]
both_modes = pytest.mark.parametrize("deferrable", [True, False])
LONG = {"queued_seconds": 0, "analysis_seconds": 0, "ready_seconds": 0, "processing_seconds": 6000}


def accepted(job):
    """What is said of a job whose stop the service has taken."""
    return f"Stop accepted, what is done or in flight is charged (Batch Process {job['id']})"


@pytest.fixture
def becomes(monkeypatch):
    """Let Airflow give a task another state while its worker asks the service for something, or defers."""

    def becomes(task, state, *, during, of=BatchClient, time=1):
        asks, calls = getattr(of, during), []

        def meanwhile(self, *arguments, **options):
            answer = asks(self, *arguments, **options)
            calls.append(during)
            if len(calls) == time:
                task.execution.state = state
            return answer

        monkeypatch.setattr(of, during, meanwhile)

    return becomes


@pytest.fixture
def refused(becomes):
    """Give a task another state after it was last asked for, and before Airflow gets the deferral."""

    def refused(task, state, trigger=SentinelHubBatchRunTrigger):
        # The operator serialises its trigger before the last question, and Airflow does after it.
        becomes(task, state, during="serialize", of=trigger, time=2)

    return refused


@pytest.fixture
def task(emulator, clock):
    def task(**arguments):
        emulator.default_scenario(LONG)
        return RunTask(emulator, clock, **arguments)

    return task


# Before the service is asked to start the job


@both_modes
@pytest.mark.parametrize("state", KILLED)
def test_killed_before_the_start(emulator, task, becomes, state, deferrable):
    run = task(deferrable=deferrable)
    becomes(run, state, during="create")
    ended = run.begin()
    assert asked(emulator) == {"create": 1, "stop": 1}
    assert (run.job["status"], run.job["userAction"]) == ("CREATED", "NONE")
    assert "Nothing to stop" in ended.log
    assert "COULD NOT" not in ended.log
    assert (ended.state, type(ended.error)) == ("failed", SentinelHubError)
    assert f"killed (it is {state}); nothing is started for Batch Process job {run.job['id']}" in str(ended.error)


@both_modes
def test_killed_before_the_start_and_the_job_is_to_be_left(emulator, task, becomes, deferrable):
    run = task(deferrable=deferrable, on_kill="leave")
    becomes(run, "failed", during="create")
    ended = run.begin()
    assert asked(emulator) == {"create": 1}
    assert f"LEFT AS IT IS, on_kill='leave' (Batch Process {run.job['id']})" in ended.log
    assert "on_kill='leave'" in ended.log


@both_modes
@pytest.mark.parametrize("state", SUPERSEDED)
def test_another_attempt_or_none_goes_on(emulator, task, becomes, state, deferrable):
    run = task(deferrable=deferrable)
    becomes(run, state, during="create")
    ended = run.begin()
    assert asked(emulator) == {"create": 1}
    assert (ended.state, type(ended.error)) == ("failed", SentinelHubError)
    assert run.job["id"] in str(ended.error)
    nothing = state in ("success", "gone")
    assert ("Nothing goes on with it" in str(ended.error)) == nothing
    assert ("The next attempt goes on with it" in str(ended.error)) == (not nothing)


def test_the_answer_to_a_start_was_lost_before(emulator, task, becomes):
    """The job may run, so it is stopped."""
    emulator.fault("drop", carried_out=True, times=None, method="POST", path="/start$")
    run = task()
    becomes(run, "failed", during="get", time=2)
    ended = run.begin()
    assert ended.state == "failed"
    assert run.job["userAction"] == "STOP"


def test_killed_before_the_restart(emulator, clock, becomes):
    emulator.default_scenario({"end": "STOPPED", "stopped_reason": "UNHEALTHY", "processing_seconds": 300})
    run = RunTask(emulator, clock, resume={"UNHEALTHY": 1})
    run.begin()
    run.wake()
    assert run.deferrals[-1] == "SentinelHubBatchRunPauseTrigger", run.ended.error
    run.execution.state = "failed"
    ended = run.wake()
    assert (ended.state, type(ended.error)) == ("failed", SentinelHubError)
    assert "restart" not in asked(emulator)
    assert run.job["status"] == "STOPPED"


@both_modes
def test_airflow_gives_no_answer(emulator, clock, task, monkeypatch, deferrable):
    released = threading.Event()
    monkeypatch.setattr(own_state, "state_of", lambda _: released.wait(300))
    run = task(deferrable=deferrable)
    began, clock.is_unanswered = clock.now(), lambda: True
    ended = run.begin()
    released.set()
    assert asked(emulator) == {"create": 1}
    assert clock.now() - began == 30
    assert type(ended.error) is SentinelHubError
    assert not isinstance(ended.error, AirflowFailException), "a retry may succeed"
    assert f"within 30 s), so nothing is started for Batch Process job {run.job['id']}" in str(ended.error)


def test_airflow_fails_to_answer(emulator, task, monkeypatch):
    def fails(_):
        raise RuntimeError("API_SERVER_ERROR")

    monkeypatch.setattr(own_state, "state_of", fails)
    run = task()
    ended = run.begin()
    assert asked(emulator) == {"create": 1}
    assert "RuntimeError: API_SERVER_ERROR" in str(ended.error)
    monkeypatch.undo()


def test_a_retry_goes_on_after_no_answer(emulator, task, monkeypatch):
    run = task()
    with monkeypatch.context() as away:
        away.setattr(own_state, "state_of", lambda _: 1 / 0)
        run.begin()
    run.begin()
    assert run.ended.state == "deferred", run.ended.error
    assert asked(emulator) == {"create": 1, "start": 1}


# Between the start and the deferral


@pytest.mark.parametrize(
    "arguments", [{}, {"deferrable": False}, {"deferrable": False, "wait_for_completion": False}]
)
@pytest.mark.parametrize("state", KILLED)
def test_killed_during_the_start(emulator, task, becomes, arguments, state):
    run = task(**arguments)
    becomes(run, state, during="start")
    ended = run.begin()
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
    assert run.job["userAction"] == "STOP"
    assert (ended.state, type(ended.error)) == ("failed", SentinelHubError)
    assert f"This task was killed. {accepted(run.job)}" in ended.log


def test_killed_during_the_start_and_the_job_is_to_be_left(emulator, task, becomes):
    run = task(on_kill="leave")
    becomes(run, "failed", during="start")
    ended = run.begin()
    assert asked(emulator) == {"create": 1, "start": 1}
    assert f"LEFT AS IT IS, on_kill='leave' (Batch Process {run.job['id']})" in ended.log


@both_modes
@pytest.mark.parametrize("state", SUPERSEDED)
def test_another_attempt_or_none_goes_on_with_a_job_that_runs(emulator, task, becomes, state, deferrable):
    run = task(deferrable=deferrable)
    becomes(run, state, during="start")
    ended = run.begin()
    assert asked(emulator) == {"create": 1, "start": 1}
    assert ended.state == "failed"
    assert f"{run.job['id']} is left as it is" in str(ended.error)


def test_a_job_that_is_queued_is_asked_to_stop_until_it_can_be(emulator, clock, becomes):
    """The service documents a stop from ANALYSING on."""
    emulator.default_scenario({"queued_seconds": 20, "processing_seconds": 6000})
    run = RunTask(emulator, clock)
    becomes(run, "failed", during="start")
    ended = run.begin()
    assert run.job["userAction"] == "STOP"
    assert asked(emulator)["stop"] > 1
    assert "COULD NOT BE STOPPED" in ended.log, "the process may be ended before it can"
    assert ended.log.rstrip().rfind("was asked to stop") > ended.log.rfind("COULD NOT BE STOPPED")


@pytest.mark.parametrize("state", ["queued", "running", RuntimeError("away")])
def test_a_task_that_is_cleared_meanwhile_keeps_its_job(emulator, clock, monkeypatch, state):
    emulator.default_scenario({"queued_seconds": 20, "processing_seconds": 6000})
    answers = iter(["running", "failed", state])
    monkeypatch.setattr(own_state, "state_of", lambda _: given(next(answers)))
    ended = RunTask(emulator, clock).begin()
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
    told = "not known (RuntimeError: away)" if isinstance(state, Exception) else state
    assert f"The state of the task is {told} now. The job is left as it is (Batch Process" in ended.log


def given(answer):
    if isinstance(answer, Exception):
        raise answer
    return answer


def test_no_answer_after_the_start_ends_no_wait(emulator, task, becomes, monkeypatch):
    """A job that runs needs an owner, and this attempt may be the last one."""
    run = task()
    answers = iter(["running", RuntimeError("away")])
    monkeypatch.setattr(own_state, "state_of", lambda _: given(next(answers)))
    monkeypatch.setattr(last_deferral, "remember", lambda _: None)
    ended = run.begin()
    assert ended.state == "deferred", ended.error
    assert f"(RuntimeError: away). If it was killed, Batch Process job {run.job['id']} goes on" in ended.log


def test_killed_before_a_pause(emulator, clock, becomes):
    emulator.default_scenario({"end": "STOPPED", "stopped_reason": "UNHEALTHY", "processing_seconds": 300})
    run = RunTask(emulator, clock, resume={"UNHEALTHY": 1})
    run.begin()
    run.execution.state = "failed"
    ended = run.wake()
    assert run.deferrals == ["SentinelHubBatchRunTrigger"]
    assert (ended.state, type(ended.error)) == ("failed", SentinelHubError)
    assert run.job["status"] == "STOPPED"


# The deferral itself


listened = needs_airflow("3.2", "It calls listeners after a deferral that was refused.")


@listened
@pytest.mark.parametrize("state", KILLED)
def test_killed_just_before_airflow_gets_the_deferral(emulator, task, refused, state):
    run = task()
    refused(run, state)
    ended = run.run_to_a_refusal()
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
    assert run.job["userAction"] == "STOP"
    assert run.execution.states == [], "no trigger exists"
    assert f"This task was killed (it is {state}) before it was deferred" in ended.log
    assert f"This task was killed. {accepted(run.job)}" in ended.log


@listened
def test_killed_just_before_airflow_gets_the_deferral_and_the_job_is_to_be_left(emulator, task, refused):
    run = task(on_kill="leave")
    refused(run, "failed")
    ended = run.run_to_a_refusal()
    assert asked(emulator) == {"create": 1, "start": 1}
    assert f"LEFT AS IT IS, on_kill='leave' (Batch Process {run.job['id']})" in ended.log


@listened
def test_killed_just_before_airflow_gets_a_pause(emulator, clock, refused):
    emulator.default_scenario({"end": "STOPPED", "stopped_reason": "UNHEALTHY", "processing_seconds": 300})
    run = RunTask(emulator, clock, resume={"UNHEALTHY": 1})
    run.begin()
    refused(run, "failed", SentinelHubBatchRunPauseTrigger)
    ended = run.run_to_a_refusal(run.wake)
    assert asked(emulator)["stop"] == 1
    assert "before it was deferred" in ended.log


@listened
@pytest.mark.parametrize("state", ["queued", "restarting", "success", None])
def test_a_deferral_is_refused_for_another_reason(emulator, task, refused, state):
    run = task()
    refused(run, state)
    ended = run.run_to_a_refusal()
    assert asked(emulator) == {"create": 1, "start": 1}
    assert "killed" not in ended.log


def test_a_deferral_that_airflow_takes_up_says_nothing_more(emulator, task):
    run = task()
    ended = run.begin()
    assert ended.state == "deferred", ended.error
    assert asked(emulator) == {"create": 1, "start": 1}
    events = [line["event"] for line in ended.lines]
    after = ended.lines[events.index("Pausing task as DEFERRED. ") :]
    assert [line["event"] for line in after if line["log_level"] in ("warning", "error")] == []


def test_the_listener_costs_other_tasks_nothing():
    """Airflow loads it in every process."""
    code = """
import sys
import airflow_sentinelhub
import airflow.listeners, airflow.providers.common.compat.sdk
from airflow.providers.common.compat.sdk import AirflowPlugin
before = set(sys.modules)
from airflow_sentinelhub.plugin.airflow_plugin import SentinelHubPlugin
from airflow_sentinelhub.plugin.deferral_listener import before_stopping
before_stopping(object())
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(
        [
            "airflow_sentinelhub.plugin",
            "airflow_sentinelhub.plugin.airflow_plugin",
            "airflow_sentinelhub.plugin.deferral_listener",
        ]
    )


# Operators that do one thing to a job


@pytest.mark.parametrize("state", [*KILLED, "restarting", "success", None])
@pytest.mark.parametrize("name", ["Start", "Analyse"])
def test_an_operator_that_starts_something(emulator, act, monkeypatch, name, state):
    monkeypatch.setattr(own_state, "state_of", lambda _: state)
    job_id = emulator.add_job("process", status="CREATED")
    ended = act(name, job_id)
    assert asked(emulator) == {}
    assert (ended.state, type(ended.error)) == ("failed", SentinelHubError)
    assert job_id in str(ended.error)


def test_an_operator_that_restarts_a_job(emulator, act, monkeypatch):
    job_id = emulator.add_job("process", status="STOPPED")
    emulator.advance(2 * 3600)
    monkeypatch.setattr(own_state, "state_of", lambda _: "failed")
    ended = act("Restart", job_id)
    assert asked(emulator) == {}
    assert type(ended.error) is SentinelHubError


def test_an_operator_that_stops_a_job_asks_nothing_of_airflow(emulator, act, monkeypatch):
    monkeypatch.setattr(own_state, "state_of", lambda _: 1 / 0)
    assert act("Stop", running(emulator)).state == "success"
    assert asked(emulator) == {"stop": 1}
