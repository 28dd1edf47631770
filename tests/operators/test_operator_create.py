"""One attempt to create a job: whatever becomes of the answer, the service has one of it in the end."""

from __future__ import annotations

import json

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.operators import batch
from tests.harness.versions import AIRFLOW
from tests.operators.conftest import operator
from tests.operators.creations import Task, every_api, posts, requests_of


@every_api
def test_a_clean_attempt_costs_one_request(busy, clock, api):
    task = Task(busy, api)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert (posts(busy), requests_of(busy)) == (1, 1)
    assert task.jobs == [ended.returned["id"]]
    assert (ended.returned["status"], ended.returned["userAction"]) == ("CREATED", "NONE")
    assert not {"request", "processRequest"} & set(ended.returned)
    assert "nothing runs or is charged" in ended.log
    if AIRFLOW >= (3, 3):
        [record] = task.execution.store.values()
        assert (record["value"]["id"], record["value"]["finished"]) == (ended.returned["id"], True)


@pytest.mark.parametrize("fault", [
    {"status": 502}, {"kind": "drop"}, {"kind": "cut"}, {"kind": "truncated"}, {"kind": "html"}, {"kind": "empty"},
])  # fmt: skip
@every_api
def test_the_answer_is_lost(busy, clock, api, fault):
    task = Task(busy, api)
    busy.fault(method="POST", api=api, carried_out=True, **fault)
    job_id = task.succeeds()
    assert task.jobs == [job_id]
    assert posts(busy) == 1


@every_api
def test_the_answer_is_lost_and_the_job_appears_late(busy, clock, api):
    busy.configure(not_found_seconds=100)
    task = Task(busy, api)
    busy.fault(status=504, method="POST", api=api, carried_out=True)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert task.jobs == [ended.returned["id"]]
    assert posts(busy) == 1
    assert 100 <= sum(clock.pauses) <= 120
    assert "not in the list (yet)" in ended.log


def test_it_surely_was_not_created(emulator, clock):
    """The service said 502 and meant it: after five minutes it is asked once more."""
    task = Task(emulator)
    emulator.fault(status=502, method="POST", api="process")
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert task.jobs == [ended.returned["id"]]
    assert (posts(emulator), sum(clock.pauses)) == (2, 300)


def test_it_goes_on_like_that(emulator, clock):
    task = Task(emulator)
    emulator.fault(status=502, method="POST", api="process", times=2)
    ended = task.attempt()
    assert type(ended.error) is exceptions.JobMayExist
    assert (posts(emulator), task.jobs) == (2, [])
    task.succeeds()
    assert (posts(emulator), len(task.jobs)) == (3, 1)


@every_api
def test_a_busy_service_gets_one_job(emulator, clock, api):
    task = Task(emulator, api)
    emulator.fault(status=429, method="POST", api="process", retry_after="1", times=2)
    assert [task.succeeds()] == task.jobs


def test_mapped_tasks_and_the_output_of_another_task(emulator):
    from airflow.sdk import DAG, task

    from tests.harness.versions import through_the_database

    with DAG("a_dag", schedule=None) as dag:

        @task
        def make_request():
            return {}

        made = make_request()
        single = operator("Create", task_id="create", request=made)
        mapped = batch.SentinelHubBatchCreateOperator.partial(task_id="mapped").expand(
            request=[{"n": 1}, {"n": 2}]
        )
    assert single.upstream_task_ids == {"make_request"}
    assert set(through_the_database(dag).task_ids) == {"make_request", "create", "mapped"}
    unmapped = mapped.unmap({"request": {"n": 1, "accessKey": "A-KEY"}})
    assert unmapped.request == {"n": 1, "accessKey": "***** (1)"}


@pytest.mark.parametrize("units", [None, 10])
def test_an_account_that_may_not(emulator, clock, units):
    task = Task(emulator)
    if units is None:
        emulator.fault(status=403, method="POST", api="process", shape="none")
    else:
        emulator.configure(processing_units=units)
    ended = task.attempt()
    assert type(ended.error) is exceptions.Forbidden
    assert "a plan that includes it" in str(ended.error)
    assert "1,000 processing units" in str(ended.error)


def test_the_search_ends_at_jobs_older_than_the_first_attempt(emulator, clock):
    emulator.add_foreign_jobs("process", 500, age=100_000, every=100)
    emulator.configure(page_size=10)
    task = Task(emulator)
    emulator.fault(status=502, method="POST", api="process", carried_out=True)
    emulator.forget_requests()
    task.succeeds()
    # 10 minutes of slack, in which 6 other jobs were created.
    assert emulator.requests()["by_path"]["GET /api/v2/batch/process"] == 1


def test_an_outage_while_it_searches(emulator, clock, monkeypatch):
    monkeypatch.setattr("airflow_sentinelhub.client.retry.RetryBudget.pause", lambda *_: None)
    task = Task(emulator)
    emulator.fault(status=502, method="POST", api="process", carried_out=True)
    emulator.fault(status=503, method="GET")
    ended = task.attempt()
    assert type(ended.error) is exceptions.JobMayExist
    assert [task.succeeds()] == task.jobs
    assert posts(emulator) == 1


def test_a_request_that_cannot_carry_the_tag(emulator, clock):
    request = sample_request(BatchApi.STATISTICAL)
    del request["aggregation"]["evalscript"]
    request["aggregation"]["evalscriptReference"] = {"s3": {"url": "s3://my-bucket/e.js"}}
    task = Task(emulator, "statistical", request=request)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert "cannot carry a tag" in ended.log
    emulator.fault(status=502, method="POST", api="statistical", carried_out=True)
    lost = Task(emulator, "statistical", request=request).attempt()
    assert type(lost.error) is exceptions.JobMayExist
    assert posts(emulator) == 2


def test_on_kill_asks_nothing(emulator):
    operator("Create", task_id="create", request={}, sentinelhub_conn_id="sh").on_kill()
    assert requests_of(emulator) == 0


@pytest.mark.parametrize(
    ("description", "sent"), [(None, "Max NDVI"), ("NDVI of {{ params.where }}", "NDVI of Corsica")]
)
def test_descriptions(emulator, clock, description, sent):
    task = Task(emulator, description=description, params={"where": "Corsica"})
    job = emulator.job(task.succeeds())
    assert job["request"]["description"].startswith(f"{sent} [airflow dag=a_dag run=a_run task=create map=-1 at=")


def test_statistical_has_no_description():
    with pytest.raises(ValueError, match="no descriptions"):
        operator("Create", task_id="create", request={}, api="statistical", description="x")


def test_json_is_what_it_returns(emulator, clock):
    ended = Task(emulator).attempt()
    assert json.loads(json.dumps(ended.returned)) == ended.returned


@every_api
def test_the_service_says_that_nothing_arrived(busy, clock, api):
    """A passing fault of the service, which public clients wait out; the job is created once."""
    task = Task(busy, api)
    busy.fault(status=400, message="Request body should be non-empty.", method="POST", api=api, times=2)
    job_id = task.succeeds()
    assert task.jobs == [job_id]
    assert posts(busy) == 3


def test_the_service_goes_on_saying_that_nothing_arrived(emulator, clock):
    task = Task(emulator)
    emulator.fault(
        status=400, message="Request body should be non-empty.", method="POST", api="process", times=None
    )
    ended = task.attempt()
    assert type(ended.error) is exceptions.ServiceUnavailable
    assert task.jobs == []
    emulator.clear_faults()
    task.succeeds()
    assert len(task.jobs) == 1


def without_an_end(monkeypatch):
    def endless(self, **_):
        yield []
        raise exceptions.InvalidPayload("a list without an end")

    monkeypatch.setattr("airflow_sentinelhub.client.batch.BatchClient.list", endless)


def test_the_answer_is_lost_and_the_list_has_no_end(emulator, clock, monkeypatch):
    """What cannot be looked through must not pass for a list without the job."""
    task = Task(emulator)
    emulator.fault(kind="drop", method="POST", api="process", carried_out=True)
    with monkeypatch.context() as patch:
        without_an_end(patch)
        assert type(task.attempt().error) is exceptions.JobMayExist
        again = task.attempt()
        assert type(again.error) is exceptions.InvalidPayload
    assert (posts(emulator), len(task.jobs)) == (1, 1)
    job_id = task.succeeds()
    assert (posts(emulator), task.jobs) == (1, [job_id])
