"""A task that runs a job is ended on its worker: when its job is stopped, and when it is left."""

from __future__ import annotations

import signal
import threading
from types import SimpleNamespace

import pytest
import structlog
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import TaskStatesResult

from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.kill_rules import KillAction
from airflow_sentinelhub.tasks import kill_handler
from airflow_sentinelhub.tasks.kill_handler import KillHandler
from tests.operators.runs import RunTask
from tests.operators.test_operator_actions import asked

LONG = 60.0
HELD_FOR, TIMEOUT = kill_handler._HELD_FOR, kill_handler._TIMEOUT
"""Seconds that nothing here takes, however busy the machine is."""


class Died(BaseException):
    """The end of a process that Airflow sends SIGKILL."""


def accepted(job):
    """What is said of a job whose stop the service has taken."""
    return f"Stop accepted, what is done or in flight is charged (Batch Process {job['id']})"


@pytest.fixture(autouse=True)
def _enough_time(monkeypatch):
    """Give a busy machine the time to do what it does at the end; a test may set other times."""
    monkeypatch.setattr(kill_handler, "_HELD_FOR", LONG)
    monkeypatch.setattr(kill_handler, "_TIMEOUT", (LONG, LONG))


@pytest.fixture
def told_to_end(monkeypatch, clock):
    """Send a task SIGTERM, once, before or after its worker asks for something, or while it waits."""

    def told_to_end(task, state, where, *, after=False, dies=False):
        cls = BatchClient if where != "sleep" else type(clock)
        asks, left = getattr(cls, where), [1]

        def end():
            task.execution.state = state
            signal.raise_signal(signal.SIGTERM)

        def interrupted(self, *arguments, **options):
            now = bool(left) and left.pop() == 1
            if now and not after:
                end()
            answer = None if now and dies else asks(self, *arguments, **options)
            if now and after:
                end()
            if now and dies:
                raise Died
            return answer

        monkeypatch.setattr(cls, where, interrupted)

    return told_to_end


def begun(emulator, clock, **arguments):
    emulator.default_scenario(
        {"queued_seconds": 0, "analysis_seconds": 0, "ready_seconds": 0, "processing_seconds": 6000}
    )
    return RunTask(emulator, clock, **{"deferrable": False, **arguments})


@pytest.mark.parametrize("state", ["failed", "skipped", "removed"])
def test_it_is_killed_while_it_waits(emulator, clock, told_to_end, state):
    task = begun(emulator, clock)
    told_to_end(task, state, "sleep", dies=True)
    ended = task.begin()
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}
    assert task.job["userAction"] == "STOP"
    assert f"This task was killed. {accepted(task.job)}" in ended.log


@pytest.mark.parametrize("state", ["running", "success", "queued", "scheduled", "up_for_retry", "restarting"])
def test_its_worker_is_shut_down(emulator, clock, told_to_end, state):
    task = begun(emulator, clock)
    told_to_end(task, state, "sleep")
    ended = task.begin()
    assert asked(emulator) == {"create": 1, "start": 1}
    assert ended.state == "success", "it goes on for as long as it may"
    assert f"the task is {state}. The job is left as it is (Batch Process {task.job['id']})" in ended.log


def test_the_user_wants_the_job_to_be_left(emulator, clock, told_to_end):
    task = begun(emulator, clock, on_kill="leave")
    told_to_end(task, "failed", "sleep", dies=True)
    ended = task.begin()
    assert asked(emulator) == {"create": 1, "start": 1}
    assert f"The job is left as it is (Batch Process {task.job['id']})" in ended.log
    assert "on_kill='leave'" in ended.log


@pytest.mark.parametrize("after", [False, True])
def test_it_is_killed_while_it_creates_the_job(emulator, clock, told_to_end, after):
    task = begun(emulator, clock)
    told_to_end(task, "failed", "create", after=after)
    ended = task.begin()
    assert asked(emulator) == {"create": 1, "stop": 1}
    assert (task.job["status"], task.job["userAction"]) == ("CREATED", "NONE")
    assert "before it had a job: nothing is started" in ended.log
    assert (ended.state, type(ended.error)) == ("failed", SentinelHubError)


def test_it_is_killed_just_before_the_start_is_asked_for(emulator, clock, told_to_end):
    task = begun(emulator, clock)
    told_to_end(task, "failed", "get")
    ended = task.begin()
    assert "start" not in asked(emulator)
    assert task.job["userAction"] == "NONE"
    assert (ended.state, type(ended.error)) == ("failed", SentinelHubError)


@pytest.mark.parametrize(("after", "stops"), [(False, 2), (True, 1)])
def test_it_is_killed_during_the_start(emulator, clock, told_to_end, after, stops):
    """Before the service has accepted the start there is nothing to stop, so a stop is asked for once more."""
    task = begun(emulator, clock)
    told_to_end(task, "failed", "start", after=after)
    ended = task.begin()
    assert asked(emulator) == {"create": 1, "start": 1, "stop": stops}
    assert task.job["userAction"] == "STOP"
    assert ended.state == "failed"


# What can go wrong in the seconds that are left


class Airflow:
    """Answers when it may, and one at a time, as Airflow does."""

    def __init__(self, state):
        self.state, self.lock = state, threading.Lock()

    def send(self, message):
        with self.lock:
            if isinstance(self.state, Exception):
                raise self.state
            return TaskStatesResult(task_states={"a_run": {"run": self.state}})


def killed(guard):
    """Wait for its thread, and tell whether the task was killed."""
    guard._helper.join(LONG)
    return guard._killed


@pytest.fixture
def kill(emulator, monkeypatch):
    """Kill a task that has a job."""
    ended = []

    def kill(state, job_id, lock=None, **options):
        played = Airflow(state)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", played, raising=False)
        task = SimpleNamespace(dag_id="a_dag", run_id="a_run", task_id="run", map_index=-1)
        config = SentinelHubHook("sh").get_config()
        guard = KillHandler(BatchApi.PROCESS, config, task, structlog.get_logger(), action=KillAction.STOP)
        guard.job_id = job_id
        ended.append(guard)
        return guard, played

    yield kill
    for guard in ended:
        if guard._helper:
            guard._helper.join(LONG)


def test_the_signal_comes_in_the_middle_of_a_call_to_airflow(emulator, kill, monkeypatch):
    """Such a call holds a lock that is given back only after the signal handler has returned."""
    monkeypatch.setattr(kill_handler, "_HELD_FOR", 0.2)
    job_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    guard, airflow = kill("failed", job_id)
    with structlog.testing.capture_logs() as lines:
        with airflow.lock:
            guard.on_kill()
            assert emulator.job(job_id)["userAction"] == "START"
        monkeypatch.setattr(kill_handler, "_HELD_FOR", LONG)
        assert killed(guard)
    assert emulator.job(job_id)["userAction"] == "STOP"
    told = [line["event"] for line in lines]
    assert f"The job may be running (Batch Process {job_id})" in told[0]
    assert "has not yet told why" in told[1]
    assert "This task was killed." in told[-1], told


def test_airflow_does_not_tell_the_state_in_time(emulator, kill, monkeypatch):
    monkeypatch.setattr(kill_handler, "_HELD_FOR", 0.2)
    job_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    guard, airflow = kill("running", job_id)
    with structlog.testing.capture_logs() as lines, airflow.lock:
        guard.on_kill()
        assert not guard._killed
    assert f"The job is left as it is (Batch Process {job_id})" in str(lines)
    assert emulator.job(job_id)["userAction"] == "START"


def test_airflow_is_away(emulator, kill):
    job_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    guard, _ = kill(RuntimeError("gone"), job_id)
    with structlog.testing.capture_logs() as lines:
        guard.on_kill()
        assert not killed(guard)
    assert f"The job is left as it is (Batch Process {job_id})" in str(lines)
    assert emulator.job(job_id)["userAction"] == "START"


def test_the_service_hangs(emulator, kill, monkeypatch):
    """The task is held up for a while only, and Airflow ends it a moment later."""
    monkeypatch.setattr(kill_handler, "_HELD_FOR", 0.2)
    job_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    emulator.fault("hang", method="POST", path="/stop$")
    guard, _ = kill("failed", job_id)
    with structlog.testing.capture_logs() as lines:
        guard.on_kill()
        assert guard._helper.is_alive()
        emulator.stop()  # which breaks the connection
        guard._helper.join(LONG)
        emulator.start()
    assert f"COULD NOT BE STOPPED, may go on spending processing units (Batch Process {job_id})" in str(lines)
    assert lines[-1]["log_level"] == "error"


def test_a_request_ends_before_airflow_ends_the_process(emulator, kill, monkeypatch):
    """Airflow sends SIGKILL 5 seconds after SIGTERM."""
    assert HELD_FOR < 5
    assert sum(TIMEOUT) < 5
    monkeypatch.setattr(kill_handler, "_TIMEOUT", TIMEOUT)
    made, make_client = [], kill_handler.make_client
    monkeypatch.setattr(
        kill_handler, "make_client", lambda *a, **given: made.append(given) or make_client(*a, **given)
    )
    guard, _ = kill("failed", emulator.add_job("process", steps=[{"status": "PROCESSING"}]))
    with structlog.testing.capture_logs():
        guard.on_kill()
        guard._helper.join(LONG)
    assert [given["timeout"] for given in made] == [TIMEOUT]


def test_what_is_done_already_is_no_error(emulator, kill):
    guard, _ = kill("failed", emulator.add_job("process", steps=[{"status": "DONE"}]))
    with structlog.testing.capture_logs() as lines:
        guard.on_kill()
        assert killed(guard)
    first, last = [line for line in lines if line["log_level"] != "debug"]
    assert "may be running" in first["event"]
    assert last["log_level"] == "info"
    assert "done before it could be stopped" in str(lines)
