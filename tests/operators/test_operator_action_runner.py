"""One action on a job, from the first poll until the job shows it."""

from __future__ import annotations

import logging

import pytest

from airflow_sentinelhub import clock as package_clock
from airflow_sentinelhub import exceptions
from airflow_sentinelhub.hooks.client_factory import make_client
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import Action, ActionState, BatchApi
from airflow_sentinelhub.operators.action_runner import ActionContext, ActionRunner

log = logging.getLogger(__name__)

ANALYSED = {"status": "ANALYSIS_DONE", "userAction": "ANALYSE"}
RUNNING = {"status": "PROCESSING", "userAction": "START"}


class Stay:
    """What a task lends: it sleeps in virtual time, and keeps what it is told."""

    def __init__(self, **given):
        self.seen, self.kept, self.waits = [], [], []
        self.context = ActionContext(
            **{
                "log": log,
                "connect": self._connect,
                "wait": self._wait,
                "sleep": package_clock.sleep,
                "keep": lambda job: self.kept.append(job.raw_status),
                "seen": lambda job: self.seen.append(job.raw_status),
                **given,
            }
        )

    def _connect(self, api):
        return make_client(SentinelHubHook("sh").get_config(), api)

    def _wait(self, until, action_state):
        self.waits.append(until - package_clock.now())
        package_clock.sleep(self.waits[-1])


@pytest.fixture
def act(emulator, clock, monkeypatch):
    """Act on a job; returns the job, and what the task was told."""
    monkeypatch.setenv("AIRFLOW_CONN_SH", emulator.airflow_connection)

    def act(action, job_id, **given):
        act.stay = Stay(**given)
        emulator.forget_requests()
        with act.stay.context.connect(BatchApi.PROCESS) as client:
            return ActionRunner(client, action, job_id, ActionState(), act.stay.context).job()

    return act


def asked(emulator):
    return {name: count for name, count in emulator.requests()["actions"].items() if count}


@pytest.mark.parametrize(
    ("action", "status", "called", "shows"),
    [
        (Action.ANALYSE, "CREATED", {"analyse": 1}, "ANALYSE"),
        (Action.START, "ANALYSIS_DONE", {"start": 1}, "START"),
        (Action.STOP, "PROCESSING", {"stop": 1}, "STOP"),
    ],
)
def test_it_is_asked_for_once_and_shown_by_the_job(emulator, act, action, status, called, shows):
    job_id = emulator.add_job("process", status=status)
    assert act(action, job_id).user_action.value == shows
    assert asked(emulator) == called
    assert act.stay.kept == []


@pytest.mark.parametrize(
    ("action", "step"),
    [
        (Action.START, RUNNING),
        (Action.START, {"status": "DONE", "userAction": "START"}),
        (Action.STOP, {"status": "STOPPED", "userAction": "STOP"}),
        (Action.STOP, {"status": "DONE", "userAction": "START"}),
    ],
)
def test_what_is_done_already_is_not_asked_for(emulator, act, action, step):
    job_id = emulator.add_job("process", steps=[step])
    assert act(action, job_id).id == job_id
    assert asked(emulator) == {}
    assert act.stay.seen == [step["status"]]


def test_what_the_state_forbids_keeps_the_job_and_is_an_error(emulator, act):
    job_id = emulator.add_job("process", steps=[{"status": "FAILED", "userAction": "START", "error": "broken"}])
    with pytest.raises(exceptions.BatchError) as error:
        act(Action.START, job_id)
    assert (error.value.job_id, act.stay.kept, asked(emulator)) == (job_id, ["FAILED"], {})


def test_a_state_that_comes_later_is_waited_for(emulator, act):
    job_id = emulator.add_job("process", status="ANALYSING", scenario={"analysis_seconds": 90})
    act(Action.START, job_id)
    assert asked(emulator) == {"start": 1}
    assert sum(act.stay.waits) > 0


def test_a_question_before_asking_can_forbid_it(emulator, act):
    job_id = emulator.add_job("process", steps=[ANALYSED])

    def refuse():
        raise RuntimeError("the task was killed")

    with pytest.raises(RuntimeError, match="killed"):
        act(Action.START, job_id, before_asking=refuse)
    assert asked(emulator) == {}


def test_what_was_accepted_and_never_shown_is_an_error(emulator, act):
    job_id = emulator.add_job("process", steps=[ANALYSED])
    emulator.fault(status=200, method="POST", api="process", times=1)
    with pytest.raises(exceptions.BatchActionIgnored, match="START IGNORED, accepted"):
        act(Action.START, job_id)
    assert act.stay.kept == ["ANALYSIS_DONE"]


def test_a_job_that_is_nowhere_is_not_found(act):
    with pytest.raises(exceptions.BatchNotFound):
        act(Action.START, "6aa8765a-0000-4000-8000-000000000000")


def test_an_outage_that_outlasts_the_retries_is_itself(emulator, act):
    job_id = emulator.add_job("process", steps=[ANALYSED])
    emulator.fault(status=503, method="POST", api="process", times=None)
    with pytest.raises(exceptions.ServiceUnavailable):
        act(Action.START, job_id)
