"""Whether a task still runs, asked before it starts a job and before it leaves its worker."""

from __future__ import annotations

import logging

import pytest

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.tasks import kill_check
from airflow_sentinelhub.tasks.kill_check import KillCheck
from airflow_sentinelhub.tasks.own_state import OwnState

JOB_ID = "57902398-0000-4000-8000-000000000000"
NO_ANSWER = OwnState(error="it has not answered within 30 s")


@pytest.fixture
def check(monkeypatch, caplog):
    """Make a check whose task is in a state; ``stopped`` has what it was asked to stop."""
    stopped = []

    def check(own):
        monkeypatch.setattr(kill_check, "fetch_own_state", lambda *_: own)
        log = logging.getLogger("task")
        return KillCheck(BatchApi.PROCESS, None, log, lambda *given: stopped.append(given))

    check.stopped = stopped
    return check


@pytest.mark.parametrize("question", ["before_start", "while_started"])
def test_a_task_that_runs_goes_on(check, question):
    getattr(check(OwnState("running")), question)(JOB_ID)
    assert check.stopped == []


@pytest.mark.parametrize("question", ["before_start", "while_started"])
@pytest.mark.parametrize("state", ["failed", "skipped", "removed"])
def test_a_task_that_was_killed_starts_nothing_and_stops_its_job(check, question, state):
    with pytest.raises(SentinelHubError, match=f"was killed .it is {state}.; nothing is started for") as error:
        getattr(check(OwnState(state)), question)(JOB_ID)
    assert (error.value.job_id, error.value.api) == (JOB_ID, "process")
    assert check.stopped == [(JOB_ID, state)]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (None, "Airflow does not know this task any more, .* Nothing goes on with it."),
        ("success", "was marked as a success, .* unless the task is cleared"),
        ("scheduled", "is over for Airflow .the task is scheduled, as after a clear., .* next attempt goes on"),
        ("deferred", "is over for Airflow .the task is deferred, as after a clear., .* next attempt goes on"),
    ],
)
@pytest.mark.parametrize(("question", "what"), [("before_start", "is not started"), ("while_started", "is left")])
def test_another_end_of_the_attempt_leaves_the_job(check, question, what, state, says):
    with pytest.raises(SentinelHubError, match=says) as error:
        getattr(check(OwnState(state)), question)(JOB_ID)
    assert f"job {JOB_ID} {what}" in str(error.value)
    assert check.stopped == []


def test_without_an_answer_nothing_is_started(check):
    with pytest.raises(SentinelHubError, match=r"does not tell whether this task still runs .it has"):
        check(NO_ANSWER).before_start(JOB_ID)
    assert check.stopped == []


@pytest.mark.parametrize("question", ["while_started", "after_deferral"])
def test_without_an_answer_a_started_job_goes_on_and_is_named(check, caplog, question):
    getattr(check(NO_ANSWER), question)(JOB_ID)
    assert f"If it was killed, Batch Process job {JOB_ID} goes on." in caplog.text
    assert check.stopped == []


@pytest.mark.parametrize(
    ("state", "stops"),
    [
        ("failed", True),
        ("skipped", True),
        ("removed", True),
        ("deferred", False),
        ("success", False),
        (None, False),
    ],
)
def test_after_a_deferral_only_a_kill_stops_the_job(check, state, stops):
    check(OwnState(state)).after_deferral(JOB_ID)
    assert check.stopped == ([(JOB_ID, state)] if stops else [])
