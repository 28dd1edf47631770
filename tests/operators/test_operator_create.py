"""A task creates its job once: whatever happens, the service has one of it in the end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.emulator.samples import sample_request
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.tag import tag_of
from airflow_sentinelhub.operators import batch
from airflow_sentinelhub.operators.ledger import Ledger
from tests.harness.task_runner import ExecutionApi, run
from tests.harness.versions import AIRFLOW, needs_airflow
from tests.operators.conftest import operator

every_api = pytest.mark.parametrize("api", list(BatchApi))
with_store = needs_airflow("3.3", "remembers what an attempt left")


class Task:
    """A task instance, attempt by attempt."""

    def __init__(self, emulator, api="process", **arguments):
        self.emulator, self.api = emulator, api
        self.arguments = {"request": sample_request(BatchApi(api)), **arguments}
        self.execution = ExecutionApi()
        self.attempts = 0

    def attempt(self, **arguments):
        self.attempts += 1
        self.execution.xcoms.clear()  # as Airflow does
        arguments = {"task_id": "create", "sentinelhub_conn_id": "sh", **self.arguments, **arguments}
        task = operator("Create", api=self.api, **arguments)
        return run(task, self.execution, try_number=self.attempts)

    def succeeds(self, **arguments):
        ended = self.attempt(**arguments)
        assert ended.state == "success", ended.error
        return ended.returned["id"]

    def cleared(self):
        self.execution.max_tries = self.attempts
        return self

    @property
    def jobs(self):
        """Ids of the jobs at the service that carry the task's tag, oldest first."""
        found = []
        for job in self.emulator.jobs():
            tag = tag_of(job)
            if tag and (tag.dag_id, tag.run_id, tag.task_id) == ("a_dag", "a_run", "create"):
                found.append(job["id"])
        return found


def posts(emulator):
    return emulator.requests()["actions"]["create"]


def requests_of(emulator):
    return sum(count for api, count in emulator.requests()["by_api"].items() if api != "token")


@pytest.fixture
def busy(emulator):
    """Other people's jobs before, between and after."""
    for api in BatchApi:
        emulator.add_foreign_jobs(api, 30, age=3600, every=200)
    emulator.configure(page_size=10, foreign_jobs_per_page=3)
    return emulator


@pytest.fixture
def without_store(monkeypatch):
    """What Airflow has below 3.3."""
    monkeypatch.setattr(Ledger, "read", lambda self: None)
    monkeypatch.setattr(Ledger, "keep", lambda self, record: None)


@every_api
def test_a_clean_attempt_costs_one_request(busy, clock, api):
    task = Task(busy, api)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert (posts(busy), requests_of(busy)) == (1, 1)
    assert task.jobs == [ended.returned["id"]]
    assert (ended.returned["status"], ended.returned["userAction"]) == ("CREATED", "NONE")
    assert not {"request", "processRequest"} & set(ended.returned)
    assert "Nothing runs" in ended.log
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
    """The service said 502 and meant it: after two minutes it is asked once more."""
    task = Task(emulator)
    emulator.fault(status=502, method="POST", api="process")
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert task.jobs == [ended.returned["id"]]
    assert (posts(emulator), sum(clock.pauses)) == (2, 120)


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
def test_without_a_store_the_tag_is_enough(busy, clock, monkeypatch, without_store, api):
    task = Task(busy, api)
    died(monkeypatch, task)
    busy.advance(400)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert task.jobs == [ended.returned["id"]]
    assert posts(busy) == 1
    assert "has created it before" in ended.log


def died(monkeypatch, task):
    """Run an attempt whose worker dies while it waits for the answer."""
    from airflow_sentinelhub.client.batch import BatchClient

    class Killed(BaseException):
        pass

    create = BatchClient.create

    def dies(self, body):
        create(self, body)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(BatchClient, "create", dies)
        assert task.attempt().state != "success"


@every_api
@with_store
def test_the_worker_dies_after_the_id_was_kept(busy, clock, monkeypatch, api):
    busy.configure(not_found_seconds=60)
    task = Task(busy, api)
    with monkeypatch.context() as patch:
        patch.setattr("airflow_sentinelhub.operators.creating.JobCreation.finish", _killed)
        assert task.attempt().state != "success"
    kept = task.execution.xcoms["return_value"]["id"]
    busy.forget_requests()
    assert [task.succeeds()] == task.jobs == [kept]
    assert posts(busy) == 0
    assert not any("GET" in path and "{id}" not in path for path in busy.requests()["by_path"]), "no list"


def _killed(*_):
    raise KeyboardInterrupt


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
    busy.set_fate(first, steps=[{"status": "DONE", "userAction": "START"}])
    busy.advance(60)
    busy.fault(status=502, method="POST", api="process", carried_out=True)
    second = task.succeeds()
    assert task.jobs == [first, second]
    assert posts(busy) == 2


@with_store
def test_an_answer_that_is_lost_stays_uncertain_when_the_next_one_is_refused(busy, clock, monkeypatch):
    """The job of the first request appears so late that it is asked for once more, which is refused."""
    busy.configure(not_found_seconds=300)
    task = Task(busy)
    busy.fault(status=502, method="POST", api="process", carried_out=True)
    busy.fault(status=400, method="POST", api="process")
    ended = task.attempt()
    assert type(ended.error) is exceptions.BadRequest
    busy.advance(300)
    assert [task.succeeds()] == task.jobs
    assert posts(busy) == 2


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
    emulator.set_fate(first, steps=[{"status": status, "userAction": "START"}])
    second = task.succeeds()
    assert (second != first) is again
    assert posts(emulator) == 1 + again


@with_store
@pytest.mark.parametrize("end", ["FAILED", "gone"])
def test_a_job_that_is_no_use_any_more(emulator, clock, monkeypatch, end):
    task = Task(emulator)
    with monkeypatch.context() as patch:
        patch.setattr("airflow_sentinelhub.operators.creating.JobCreation.finish", _killed)
        task.attempt()
    [first] = task.jobs
    if end == "gone":
        emulator.remove_job(first)
    else:
        emulator.set_fate(first, steps=[{"status": "FAILED"}])
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert ended.returned["id"] != first
    assert posts(emulator) == 2
    assert "a new one is created" in ended.log


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


@every_api
@with_store
@pytest.mark.parametrize(
    "before", ["it finished", "its worker died with the id", "its worker died without the id"]
)
def test_a_job_from_another_request_is_stopped_first(busy, clock, monkeypatch, api, before):
    task = Task(busy, api)
    if before == "it finished":
        task.succeeds()
        task.cleared()
    elif before == "its worker died with the id":
        with monkeypatch.context() as patch:
            patch.setattr("airflow_sentinelhub.operators.creating.JobCreation.finish", _killed)
            task.attempt()
    else:
        died(monkeypatch, task)
    [first] = task.jobs
    busy.set_fate(first, steps=[{"status": "PROCESSING", "userAction": "START"}])
    second = task.succeeds(request=changed(api))
    assert task.jobs == [first, second]
    old = busy.job(first)
    assert (old["userAction"], busy.job(second)["userAction"]) == ("START", "NONE") or old["status"] in (
        "STOPPED",
        "CANCELED",
    )
    action = BatchApi(api).facts.stop_action
    assert busy.requests()["actions"][action] == 1
    recent = [each for each in busy.requests()["recent"] if each["method"] == "POST" and "batch" in each["path"]]
    assert [each["path"].endswith(action) for each in recent] == [False, True, False], "stopped before"


def changed(api):
    request = sample_request(BatchApi(api))
    place = request["aggregation"] if api == "statistical" else request["processRequest"]
    place["evalscript"] += "\n// changed"
    return request


@every_api
def test_one_that_nobody_started_is_left(busy, clock, without_store, api):
    task = Task(busy, api)
    first = task.succeeds()
    ended = task.attempt(request=changed(api))
    assert ended.state == "success", ended.error
    assert task.jobs == [first, ended.returned["id"]]
    assert "costs nothing, so it is left as it is" in ended.log
    assert not any(busy.requests()["actions"][action] for action in ("stop", "cancel"))


def test_one_that_cannot_be_stopped_prevents_another(emulator, clock, without_store):
    task = Task(emulator)
    first = task.succeeds()
    emulator.set_fate(first, steps=[{"status": "PROCESSING", "userAction": "START"}])
    fault = emulator.fault(status=400, method="POST", path="stop$", message="Not now.", times=None)
    ended = task.attempt(request=changed("process"))
    assert type(ended.error) is exceptions.BatchActionImpossible
    assert "Not now." in str(ended.error)
    assert task.jobs == [first]
    emulator.clear_faults(fault)
    assert task.succeeds(request=changed("process")) == task.jobs[-1] != first


def test_the_search_ends_at_jobs_older_than_the_first_attempt(emulator, clock):
    emulator.add_foreign_jobs("process", 500, age=100_000, every=100)
    emulator.configure(page_size=10)
    task = Task(emulator)
    emulator.fault(status=502, method="POST", api="process", carried_out=True)
    emulator.forget_requests()
    task.succeeds()
    # 10 minutes of slack, in which 6 other jobs were created.
    assert emulator.requests()["by_path"]["GET /api/v2/batch/process"] == 1


def test_without_a_store_it_ends_at_the_dag_run(emulator, clock, monkeypatch, without_store):
    emulator.add_foreign_jobs("process", 50, age=100_000, every=1000)
    emulator.configure(page_size=10)
    began = datetime.fromtimestamp(clock.time(), UTC) - timedelta(seconds=55_000)
    monkeypatch.setattr("tests.harness.task_runner._START", began.isoformat())
    task = Task(emulator)
    task.attempts = 1
    emulator.forget_requests()
    task.succeeds()
    assert emulator.requests()["by_path"]["GET /api/v2/batch/process"] == 1


def test_an_outage_while_it_searches(emulator, clock, monkeypatch):
    monkeypatch.setattr("airflow_sentinelhub.client.retry.Patience.pause", lambda *_: None)
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


def test_tasks_do_not_take_each_others_jobs(emulator, clock, without_store):
    first = Task(emulator, task_id="create")
    first.succeeds()
    other = Task(emulator, task_id="other")
    other.attempts = 1
    assert other.succeeds() != first.jobs[0]
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
