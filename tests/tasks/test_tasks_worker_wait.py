"""A wait on a worker: when it polls, sleeps, is rescheduled, and what it remembers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_sentinelhub.jobs import BatchApi, Deadlines, Outcome, WaitGoal, WaitPolicy
from airflow_sentinelhub.tasks.worker_wait import AirflowRescheduleException, WorkerWait
from airflow_sentinelhub.waits.wait import WaitSpec

POLICY = WaitPolicy(poke_interval=60.0, analysis_poke_interval=10.0, start_grace=None)


class Log:
    def __init__(self):
        self.warnings = []

    def warning(self, text, *_):
        self.warnings.append(text)

    def log(self, *_, **__):
        pass


class Store(dict):
    def set(self, key, value, **_):
        self[key] = value


@pytest.fixture
def waiting(virtual_emulator, virtual_time, monkeypatch):
    """Make a wait for a job as a task's attempt would."""
    monkeypatch.setenv("AIRFLOW_CONN_SH", virtual_emulator.airflow_connection)

    def waiting(job_id, *, store=None, attempt=1, policy=POLICY, lasts=7200.0, **given):
        began = virtual_time.now()
        ti = SimpleNamespace(try_number=attempt, get_first_reschedule_date=lambda context: None)
        context = {"ti": ti} | ({} if store is None else {"task_state_store": store})
        deadlines = Deadlines(began, timeout_at=began + lasts)
        terms = WaitSpec(BatchApi.PROCESS, job_id, WaitGoal.COMPLETION, policy, deadlines)
        waiting.log = Log()
        return WorkerWait(context, terms, "sh", waiting.log, **given)

    return waiting


def test_poking_sleeps_between_polls(virtual_emulator, virtual_time, waiting):
    job_id = virtual_emulator.add_job(
        "process", steps=[{"status": "PROCESSING", "seconds": 150}, {"status": "DONE"}]
    )
    assert waiting(job_id).verdict().outcome is Outcome.DONE
    assert virtual_time.pauses == [60.0, 60.0, 60.0]


def test_a_rescheduled_one_ends_its_process_instead(virtual_emulator, virtual_time, waiting):
    job_id = virtual_emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    began, store = virtual_time.now(), Store()
    with pytest.raises(AirflowRescheduleException) as again:
        waiting(job_id, store=store, reschedule=True).verdict()
    assert again.value.reschedule_date.timestamp() == began + 60
    assert virtual_time.pauses == []
    assert list(store) == ["sentinelhub_wait"]


def test_the_next_process_goes_on_with_the_deadlines_of_the_first(virtual_emulator, virtual_time, waiting):
    job_id = virtual_emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    store = Store()
    with pytest.raises(AirflowRescheduleException):
        waiting(job_id, store=store, reschedule=True, lasts=100).verdict()
    virtual_emulator.advance(100)
    assert waiting(job_id, store=store, reschedule=True).verdict().outcome is Outcome.TIMEOUT


def test_another_attempt_begins_anew(virtual_emulator, virtual_time, waiting):
    job_id = virtual_emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    store = Store()
    with pytest.raises(AirflowRescheduleException):
        waiting(job_id, store=store, reschedule=True, lasts=100).verdict()
    virtual_emulator.advance(100)
    with pytest.raises(AirflowRescheduleException):
        waiting(job_id, store=store, reschedule=True, attempt=2).verdict()


def test_without_a_store_what_may_not_last_is_read_again_at_once(virtual_emulator, virtual_time, waiting):
    job_id = virtual_emulator.add_job("process", steps=[{"status": "STOPPED", "userAction": "STOP"}])
    assert waiting(job_id, reschedule=True).verdict().outcome is Outcome.STOPPED
    assert virtual_time.pauses
    assert max(virtual_time.pauses) <= 10.0


def test_without_a_store_stall_timeout_is_refused_in_the_log(virtual_emulator, waiting):
    job_id = virtual_emulator.add_job("process", status="DONE")
    policy = WaitPolicy(60.0, 10.0, start_grace=None, stall_timeout=600.0)
    waiting(job_id, reschedule=True, policy=policy)
    assert waiting.log.warnings == ["stall_timeout has no effect in mode='reschedule' below Airflow 3.3."]


@pytest.mark.parametrize(("longer", "slept"), [(300.0, 300.0), (5.0, 60.0), (1e9, 7200.0)])
def test_a_users_backoff_makes_pauses_longer_but_not_beyond_the_deadline(
    virtual_emulator,
    virtual_time,
    waiting,
    longer,
    slept,
):
    job_id = virtual_emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    wait = waiting(job_id, next_poke_interval=lambda began, passed, pokes: longer)
    wait.verdict()
    assert virtual_time.pauses[0] == slept
