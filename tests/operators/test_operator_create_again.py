"""Retries, clears and workers that died: the next attempt goes on with the job that is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_sentinelhub import exceptions
from tests.harness.versions import AIRFLOW
from tests.operators.creations import Task, died, died_before_the_end, every_api, posts, requests_of, with_store


@every_api
@with_store
def test_the_worker_dies_between_the_post_and_its_answer(busy, clock, monkeypatch, api):
    task = Task(busy, api)
    died(monkeypatch, task)
    assert len(task.jobs) == posts(busy) == 1
    busy.advance(400)
    assert [task.succeeds()] == task.jobs
    assert posts(busy) == 1


@every_api
@with_store
def test_the_worker_dies_and_the_next_attempt_comes_before_the_job_appears(busy, clock, monkeypatch, api):
    busy.configure(not_found_seconds=100)
    task = Task(busy, api)
    died(monkeypatch, task)
    assert [task.succeeds()] == task.jobs
    assert posts(busy) == 1
    assert 100 <= sum(clock.pauses) <= 120


@every_api
@with_store
@pytest.mark.parametrize("answer", [{}, {"id": ""}, {"id": "a\nb"}, {"id": 5}, {"id": "x" * 5000}])
def test_an_answer_without_a_usable_id_loses_no_job(busy, clock, monkeypatch, api, answer):
    from airflow_sentinelhub.client.batch import BatchClient

    create = BatchClient.create

    def odd(self, body):
        create(self, body)
        return answer

    task = Task(busy, api)
    with monkeypatch.context() as patch:
        patch.setattr(BatchClient, "create", odd)
        assert [task.succeeds()] == task.jobs
    assert posts(busy) == 1


@every_api
def test_without_a_store_the_tag_is_enough(busy, clock, monkeypatch, without_store, api):
    task = Task(busy, api)
    died(monkeypatch, task)
    busy.advance(400)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert task.jobs == [ended.returned["id"]]
    assert posts(busy) == 1
    assert "Goes on with the job that is there" in ended.log


@every_api
@with_store
def test_the_worker_dies_after_the_id_was_kept(busy, clock, monkeypatch, api):
    busy.configure(not_found_seconds=60)
    task = Task(busy, api)
    died_before_the_end(monkeypatch, task)
    kept = task.execution.xcoms["return_value"]["id"]
    busy.forget_requests()
    assert [task.succeeds()] == task.jobs == [kept]
    assert posts(busy) == 0
    assert not any("GET" in path and "{id}" not in path for path in busy.requests()["by_path"]), "no list"


@with_store
def test_airflow_loses_the_success(busy, clock):
    """The worker died after it had handed the job on: nobody has cleared anything."""
    task = Task(busy)
    first = task.succeeds()
    assert task.succeeds() == first
    assert (posts(busy), task.jobs) == (1, [first])


@every_api
@with_store
def test_a_finished_attempt_that_is_cleared_runs_anew(busy, clock, api):
    task = Task(busy, api)
    first = task.succeeds()
    second = task.cleared().succeeds()
    assert task.jobs == [first, second]
    assert (posts(busy), requests_of(busy)) == (2, 2)


@with_store
def test_and_does_not_take_the_old_job_when_the_new_answer_is_lost(busy, clock):
    busy.configure(not_found_seconds=30)
    task = Task(busy)
    first = task.succeeds()
    busy.advance(60)
    busy.fault(status=502, method="POST", api="process", carried_out=True)
    second = task.cleared().succeeds()
    assert second != first
    assert task.jobs == [first, second]
    assert posts(busy) == 2


def test_without_a_store_neither_does_a_retry(busy, clock, without_store):
    busy.configure(not_found_seconds=30)
    task = Task(busy)
    first = task.succeeds()
    busy.set_scenario(first, steps=[{"status": "DONE", "userAction": "START"}])
    busy.advance(60)
    busy.fault(status=502, method="POST", api="process", carried_out=True)
    second = task.succeeds()
    assert task.jobs == [first, second]
    assert posts(busy) == 2


@with_store
def test_an_answer_that_is_lost_stays_uncertain_when_the_next_one_is_refused(busy, clock, monkeypatch):
    """The job of the first request appears so late that it is asked for once more, which is refused."""
    busy.configure(not_found_seconds=500)
    task = Task(busy)
    busy.fault(status=502, method="POST", api="process", carried_out=True)
    busy.fault(status=400, method="POST", api="process")
    ended = task.attempt()
    assert type(ended.error) is exceptions.BadRequest
    busy.advance(500)
    assert [task.succeeds()] == task.jobs
    assert posts(busy) == 2


@with_store
def test_an_unfinished_attempt_that_is_cleared_goes_on(busy, clock, monkeypatch):
    task = Task(busy)
    died(monkeypatch, task)
    assert [task.cleared().succeeds()] == task.jobs
    assert posts(busy) == 1


@pytest.mark.parametrize(("status", "again"), [("PROCESSING", False), ("DONE", True), ("STOPPED", True)])
def test_without_a_store_only_what_is_not_over_is_gone_on_with(emulator, clock, without_store, status, again):
    task = Task(emulator)
    first = task.succeeds()
    emulator.set_scenario(first, steps=[{"status": status, "userAction": "START"}])
    second = task.succeeds()
    assert (second != first) is again
    assert posts(emulator) == 1 + again


@with_store
@pytest.mark.parametrize("end", ["FAILED", "gone"])
def test_a_job_that_is_no_use_any_more(emulator, clock, monkeypatch, end):
    task = Task(emulator)
    died_before_the_end(monkeypatch, task)
    [first] = task.jobs
    if end == "gone":
        emulator.remove_job(first)
    else:
        emulator.set_scenario(first, steps=[{"status": "FAILED"}])
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert ended.returned["id"] != first
    assert posts(emulator) == 2
    assert ": a new job is created and will be charged" in ended.log


def test_a_refusal_is_not_searched_for(emulator, clock):
    """What was refused does not exist; with the store a retry knows that."""
    task = Task(emulator)
    emulator.fault(status=400, method="POST", api="process", message="Unknown collection.")
    ended = task.attempt()
    assert type(ended.error) is exceptions.BadRequest
    assert "Unknown collection." in str(ended.error)
    emulator.forget_requests()
    task.succeeds()
    assert requests_of(emulator) == (1 if AIRFLOW >= (3, 3) else 2)


def test_without_a_store_it_ends_at_the_dag_run(emulator, clock, monkeypatch, without_store):
    emulator.add_foreign_jobs("process", 50, age=100_000, every=1000)
    emulator.configure(page_size=10)
    began = datetime.fromtimestamp(clock.now(), UTC) - timedelta(seconds=55_000)
    monkeypatch.setattr("tests.harness.task_runner._START", began.isoformat())
    task = Task(emulator)
    task.attempts = 1
    emulator.forget_requests()
    task.succeeds()
    assert emulator.requests()["by_path"]["GET /api/v2/batch/process"] == 1


def test_tasks_do_not_take_each_others_jobs(emulator, clock, without_store):
    first = Task(emulator, task_id="create")
    first.succeeds()
    other = Task(emulator, task_id="other")
    other.attempts = 1
    assert other.succeeds() != first.jobs[0]
    assert posts(emulator) == 2
