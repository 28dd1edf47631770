"""Actions on a job by who may block: what is asked for again, and what it comes to."""

from __future__ import annotations

import pytest

from airflow_sentinelhub import clock as package_clock
from airflow_sentinelhub import exceptions
from airflow_sentinelhub.hooks.client_factory import make_client
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, BatchJob, JobStatus, MissingJob
from airflow_sentinelhub.jobs.action_rules import Action, NothingToDo, ServiceCall
from airflow_sentinelhub.operators.job_action_client import MISSED_GRACE, JobActionClient

GONE = "6aa8765a-0000-4000-8000-000000000000"


@pytest.fixture
def of(emulator, clock, monkeypatch):
    """Make the client of a job; ``warnings`` has what it wrote."""
    monkeypatch.setenv("AIRFLOW_CONN_SH", emulator.airflow_connection)
    opened = make_client(SentinelHubHook("sh").get_config(), BatchApi.PROCESS)
    warnings = []

    def of(job_id, **given):
        return JobActionClient(opened, job_id, package_clock.sleep, warnings.append, **given)

    of.warnings = warnings
    yield of
    opened.close()


def job_of(emulator, job_id):
    return BatchJob.from_payload(BatchApi.PROCESS, emulator.job(job_id))


def test_a_job_is_read_with_one_request(emulator, of):
    job_id = emulator.add_job("process", status="CREATED")
    emulator.forget_requests()
    assert of(job_id).fetch(seen=False).status is JobStatus.CREATED
    assert emulator.requests()["by_api"]["process"] == 1
    assert of.warnings == []


def test_a_job_that_is_missed_for_once_is_read_again(emulator, of):
    job_id = emulator.add_job("process", status="CREATED")
    emulator.fault(status=404, method="GET", api="process", times=1)
    assert isinstance(of(job_id).fetch(seen=True), BatchJob)
    assert len(of.warnings) == 1


def test_a_job_that_stays_missing_is_given_up_after_the_grace(of, clock):
    began = clock.now()
    assert isinstance(of(GONE).fetch(seen=True), MissingJob)
    assert clock.now() - began >= MISSED_GRACE


def test_a_job_of_another_api_is_not_waited_for(of, clock):
    began = clock.now()
    assert isinstance(of(GONE, is_elsewhere=lambda _: True).fetch(seen=False), MissingJob)
    assert clock.now() == began


@pytest.mark.parametrize(
    ("call", "status", "name"),
    [
        (ServiceCall.ANALYSE, "CREATED", "analyse"),
        (ServiceCall.START, "CREATED", "start"),
        (ServiceCall.STOP, "PROCESSING", "stop"),
    ],
)
def test_what_the_service_accepts_is_asked_for_once(emulator, of, call, status, name):
    job_id = emulator.add_job("process", steps=[{"status": status, "userAction": "NONE"}])
    emulator.forget_requests()
    assert of(job_id).ask(call) is None
    assert emulator.requests()["actions"][name] == 1


def test_what_the_state_forbids_is_returned(emulator, of):
    job_id = emulator.add_job("process", steps=[{"status": "DONE"}])
    assert isinstance(of(job_id).ask(ServiceCall.START), exceptions.BadRequest | exceptions.Conflict)


def test_what_no_state_allows_is_raised(emulator, of):
    job_id = emulator.add_job("process", status="CREATED")
    emulator.fault(status=403, method="POST", api="process", times=None)
    with pytest.raises(exceptions.Forbidden):
        of(job_id).ask(ServiceCall.START)


def test_an_action_is_confirmed_when_the_job_shows_it(emulator, of):
    job_id = emulator.add_job("process", steps=[{"status": "PROCESSING", "userAction": "START"}])
    before = job_of(emulator, job_id)
    assert of(job_id).ask(ServiceCall.STOP) is None
    shows, job = of(job_id).confirm(Action.STOP, before)
    assert isinstance(shows, NothingToDo)
    assert job.status is JobStatus.STOPPED


def test_an_action_that_the_job_does_not_show_is_not_confirmed(emulator, of, clock):
    job_id = emulator.add_job("process", steps=[{"status": "PROCESSING", "userAction": "START"}])
    before, began = job_of(emulator, job_id), clock.now()
    shows, job = of(job_id).confirm(Action.STOP, before)
    assert shows is None
    assert job.status is JobStatus.PROCESSING
    assert clock.now() > began, "it was read more than once"
