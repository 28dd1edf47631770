"""A whole job in one task whose results are verified, and what is told of them."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from airflow.sdk import DAG, Asset

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.emulator import Folder
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi, known_statuses
from airflow_sentinelhub.operators.run import SentinelHubBatchRunOperator
from airflow_sentinelhub.operators.verification import verify
from tests.harness.emulator_fixtures import emulator_on
from tests.harness.s3 import BUCKET, KEY_ID, SECRET
from tests.harness.task_runner import deferred_to, run
from tests.harness.versions import AIRFLOW, through_the_database
from tests.harness.virtual_time import VirtualTime
from tests.operators.conftest import operator
from tests.operators.creations import every_api, requests_of, with_store
from tests.operators.runs import RunTask
from tests.operators.test_operator_actions import asked

V1 = known_statuses(BatchApi.PROCESS_V1)
SCENARIO = {"tile_count": 12, "failed_tiles": 2, "tile_errors": ["Out of memory"], "no_data_tiles": 3}
COUNTS = {
    "process": {"DONE": 10, "FATAL": 2, "PENDING": 0},
    "statistical": {"DONE": 10, "PARTIAL": 0, "FAILED": 2, "UNREADABLE": 0},
    "process_v1": {**dict.fromkeys(V1, 0), "PROCESSED": 10, "FAILED": 2},
}
in_buckets = pytest.mark.parametrize("api", ["process", "statistical"])


def failure(ended):
    """What an attempt failed with: below Airflow 3.3, where a retry would pay for another job, it is for good."""
    for_good = AIRFLOW < (3, 3) and type(ended.error).__name__ == "AirflowFailException"
    return ended.error.__cause__ if for_good else ended.error


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    return tmp_path_factory.mktemp("bucket")


@pytest.fixture(scope="module")
def emulator_on_virtual_time(bucket, s3):
    """A local Sentinel Hub whose jobs deliver to a folder (``file://``) or to S3."""
    folder = Folder(bucket)

    def write(url, content):
        (s3.write if url.startswith("s3://") else folder)(url, content)

    with emulator_on(time := VirtualTime(), write_result=write) as emulator:
        yield emulator, time


@pytest.fixture
def url(bucket, request):
    return f"file://{bucket}/{request.node.name.partition('[')[0]}"


@pytest.fixture
def run_task(emulator, clock, url):
    """Make a task that delivers to the folder, or to ``place``."""

    def run_task(api="process", place=None, keys=None, scenario=None, **arguments):
        emulator.default_scenario({**SCENARIO, **(scenario or {})})
        request = deepcopy(sample_request(BatchApi(api)))
        if api != "process_v1":
            output = request["output"]["delivery"] if api == "process" else request["output"]
            output["s3"] = {"url": place or url, **(keys or {})}
        return RunTask(emulator, clock, api, **{"request": request, **arguments})

    return run_task


def delete(bucket):
    for file in sorted(bucket.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()


def outlet_events(ended):
    return [each["extra"] for each in ended.api.states[-1]["outlet_events"]]


# Enough came out


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("place", ["file", "s3"])
@every_api
def test_enough_came_out(run_task, s3, monkeypatch, api, place, deferrable):
    conn_id = s3.connection(monkeypatch) if place == "s3" else None
    task = run_task(
        api,
        f"s3://{BUCKET}/verified" if place == "s3" else None,
        max_failed_tiles=2,
        storage_conn_id=conn_id,
        deferrable=deferrable,
    )
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert ended.returned["id"] == task.job["id"]
    assert task.counts == COUNTS[api]
    what = "tiles" if api == "process_v1" else "features"
    assert f"Verified: 10 of 12 {what} delivered, 2 may be missing (" in ended.log
    assert ("  2 F" in ended.log) == (api != "process_v1"), "v1 gives no reasons"
    assert "Not verified" not in ended.log
    assert "allow_partial" not in ended.log


@every_api
@pytest.mark.parametrize(("most", "state"), [(0, "failed"), (1, "failed"), (0.1, "failed"), (0.17, "success")])
def test_too_much_failed(run_task, api, most, state):
    task = run_task(api, max_failed_tiles=most)
    ended = task.attempt()
    assert ended.state == state, ended.error
    assert task.counts == COUNTS[api], "the counts are known also when they are not good enough"
    assert ended.returned["id"] == task.job["id"]
    if state == "success":
        return
    assert type(failure(ended)) is exceptions.BatchIncomplete
    assert (failure(ended).failed, failure(ended).total, failure(ended).api) == (2, 12, api)
    assert task.job["id"] in str(ended.error)
    reason = {
        "process": "2 FATAL: Out of memory (33TVM_1, 33TVM_2)",
        "statistical": "2 FAILED: Out of memory (33TVM_1, 33TVM_2)",
        "process_v1": "2 FAILED: no reason given (1, 2)",
    }[api]
    assert reason in str(ended.error)


@pytest.mark.parametrize(("count_no_data", "state"), [(False, "success"), (True, "failed")])
def test_no_data_counts_only_if_asked(run_task, count_no_data, state):
    task = run_task(max_failed_tiles=2, count_no_data=count_no_data)
    ended = task.attempt()
    assert ended.state == state
    if count_no_data:
        assert failure(ended).failed == 5
        assert "3 DONE: No data" in str(ended.error)


def test_intervals_that_failed_make_a_feature_fail(run_task):
    ended = run_task("statistical", scenario={"partial_tiles": 1}, max_failed_tiles=2).attempt()
    assert type(failure(ended)) is exceptions.BatchIncomplete
    assert "1 PARTIAL: EXECUTION_ERROR" in str(ended.error)


def test_what_is_pending_after_the_end_is_looked_at_again_and_counts(run_task, clock):
    task = run_task(scenario={"completion_percentage": 50, "end": "DONE"}, max_failed_tiles=2)
    ended = task.attempt()
    assert type(failure(ended)) is exceptions.BatchIncomplete
    assert task.counts == {"DONE": 4, "FATAL": 2, "PENDING": 6}
    assert (failure(ended).failed, failure(ended).total) == (8, 12)
    assert clock.pauses[-4:] == [1, 2, 5, 10]


# Nothing is asked for


@every_api
def test_nothing_is_read_unless_somebody_asks(run_task, emulator, bucket, api):
    task = run_task(api, scenario={"failed_tiles": 0, "no_data_tiles": 0})
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert task.counts is None
    assert ("Not verified" if api != "process_v1" else "Its tiles were not read") in ended.log
    paths = [each["path"] for each in emulator.requests()["recent"]]
    assert not [path for path in paths if path.endswith("/tiles")]


# PARTIAL

with_partial = pytest.mark.parametrize("api", ["process_v1", "statistical"])


@with_partial
@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        ({}, "BatchPartial"),
        ({"allow_partial": True}, "success"),
        ({"max_failed_tiles": 2}, "success"),
        ({"max_failed_tiles": 1}, "BatchIncomplete"),
        ({"max_failed_tiles": 1, "allow_partial": True}, "BatchIncomplete"),
    ],
)
def test_a_partial_job(run_task, emulator, api, arguments, state):
    task = run_task(api, scenario={"end": "PARTIAL"}, **arguments)
    ended = task.attempt()
    assert (type(failure(ended)).__name__ if ended.error else ended.state) == state
    assert ended.returned["status"] == "PARTIAL"
    assert task.counts == (COUNTS[api] if "max_failed_tiles" in arguments else None)
    assert asked(emulator) == {"create": 1, "start": 1}


@with_store
@with_partial
def test_a_retry_judges_a_partial_job_again(run_task, emulator, api):
    task = run_task(api, scenario={"end": "PARTIAL"}, max_failed_tiles=1)
    assert type(task.attempt().error) is exceptions.BatchIncomplete
    ended = task.attempt(max_failed_tiles=2)
    assert ended.state == "success", ended.error
    assert asked(emulator) == {"create": 1, "start": 1}


# Later attempts


@with_store
@every_api
@pytest.mark.parametrize("again", ["retry", "clear"])
def test_after_too_much_failed_the_next_attempt_only_counts_again(run_task, emulator, api, again):
    task = run_task(api, max_failed_tiles=0)
    task.attempt()
    emulator.forget_requests()
    ended = (task.cleared() if again == "clear" else task).attempt()
    assert type(failure(ended)) is exceptions.BatchIncomplete
    assert asked(emulator) == {}
    ended = (task.cleared() if again == "clear" else task).attempt(max_failed_tiles=0.5)
    assert ended.state == "success", ended.error
    assert asked(emulator) == {}
    assert len(emulator.jobs()) == 1


@with_store
@in_buckets
def test_a_storage_that_may_not_be_read_is_read_by_the_retry(run_task, emulator, s3, monkeypatch, api):
    conn_id = s3.connection(monkeypatch)
    task = run_task(api, f"s3://{BUCKET}/away", max_failed_tiles=2, storage_conn_id=conn_id)
    task.begin()
    wake_until_done(task, emulator)
    with s3.checking_keys():
        ended = task.wake()
    assert (ended.state, type(failure(ended))) == ("failed", exceptions.ResultsUnavailable)
    assert ended.returned["status"] == "DONE"
    assert task.counts is None
    emulator.forget_requests()
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert task.counts == COUNTS[api]
    assert asked(emulator) == {}
    assert requests_of(emulator) <= 4


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_storage_that_is_away_is_waited_for(run_task, clock, monkeypatch, deferrable):
    left = [3]

    def away(*args, **kwargs):
        left[0] -= 1
        if left[0] >= 0:
            raise exceptions.StorageUnavailable("The bucket is away.")
        return verify(*args, **kwargs)

    monkeypatch.setattr("airflow_sentinelhub.operators.run_results.verify", away)
    task = run_task(max_failed_tiles=2, deferrable=deferrable)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert ended.log.count("its results cannot be read now") == 3
    assert task.deferrals.count("SentinelHubBatchRunPauseTrigger") == (3 if deferrable else 0)
    assert task.counts == COUNTS["process"]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_that_runs_again_while_its_results_are_out_of_reach_is_waited_for(
    run_task, emulator, monkeypatch, deferrable
):
    calls = []

    def away(*args, **kwargs):
        calls.append(emulator.jobs()[0]["status"])
        if len(calls) > 1:
            return verify(*args, **kwargs)
        steps = [{"status": "PROCESSING", "seconds": 600}, {"status": "DONE"}]
        emulator.set_scenario(emulator.jobs()[0]["id"], steps=steps)
        raise exceptions.StorageUnavailable("The bucket is away.")

    monkeypatch.setattr("airflow_sentinelhub.operators.run_results.verify", away)
    task = run_task(max_failed_tiles=2, deferrable=deferrable)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert calls == ["DONE", "DONE"], "nothing is read before it is done again"
    assert ended.log.count("Waiting until") == 2
    assert asked(emulator) == {"create": 1, "start": 1}
    assert ended.returned["status"] == "DONE"


@with_store
def test_a_storage_that_stays_away_is_not_waited_for_longer_than_is_tolerated(
    run_task, clock, monkeypatch, emulator
):
    def away(*args, **kwargs):
        raise exceptions.StorageUnavailable("The bucket is away.")

    with monkeypatch.context() as patch:
        patch.setattr("airflow_sentinelhub.operators.run_results.verify", away)
        task = run_task(max_failed_tiles=2, outage_tolerance=6 * 3600)
        ended = task.attempt()
    assert (ended.state, type(failure(ended))) == ("failed", exceptions.StorageUnavailable)
    assert 5 <= task.deferrals.count("SentinelHubBatchRunPauseTrigger") <= 20
    emulator.forget_requests()
    ended = task.attempt()
    assert ended.state == "success", ended.error
    assert asked(emulator) == {}


def wake_until_done(task, emulator):
    """Let the job come to its end (and deliver) before the worker wakes."""
    emulator.advance(3600)
    assert task.job["status"] == "DONE"


@in_buckets
def test_results_that_are_gone(run_task, bucket, emulator, api):
    task = run_task(api, max_failed_tiles=2)
    task.begin()
    wake_until_done(task, emulator)
    delete(bucket)
    ended = task.wake()
    assert (ended.state, type(failure(ended))) == ("failed", exceptions.ResultsUnavailable)
    assert "storage_conn_id reaches another account" in str(ended.error)
    assert task.counts is None


@in_buckets
@pytest.mark.parametrize("why", ["BatchIncomplete", "ResultsUnavailable"])
def test_without_a_store_no_retry_pays_for_another_job(run_task, emulator, bucket, forgetful, api, why):
    task = run_task(api, max_failed_tiles=1)
    task.begin()
    wake_until_done(task, emulator)
    if why == "ResultsUnavailable":
        delete(bucket)
    ended = task.wake()
    assert (ended.state, type(ended.error).__name__) == ("failed", "AirflowFailException")
    assert type(ended.error.__cause__).__name__ == why
    assert str(ended.error).startswith(str(ended.error.__cause__))
    assert "before Airflow 3.3 it cannot remember its job" in str(ended.error)
    assert task.counts == (COUNTS[api] if why == "BatchIncomplete" else None)


# Outlets


@every_api
@pytest.mark.parametrize("most", [None, 2])
def test_the_event_of_an_asset(run_task, url, api, most):
    scenario = None if most else {"failed_tiles": 0, "no_data_tiles": 0}
    assets = [Asset("ndvi"), Asset("also_ndvi")]
    task = run_task(api, scenario=scenario, max_failed_tiles=most, outlets=assets)
    ended = task.attempt()
    assert ended.state == "success", ended.error
    expected = {
        "request_id": task.job["id"],
        "cost_pu": None if api == "process_v1" else 250.0,
        "counts": COUNTS[api] if most else None,
        "delivery_url": None if api == "process_v1" else f"{url}/{task.job['id']}",
    }
    assert outlet_events(ended) == [expected, expected]


def test_what_only_triggers_a_dag_needs_no_event(run_task):
    from airflow.sdk import AssetAlias

    ended = run_task(max_failed_tiles=2, outlets=[AssetAlias("some")]).attempt()
    assert ended.state == "success", ended.error


def test_a_task_that_fails_has_no_event(run_task):
    ended = run_task(max_failed_tiles=0, outlets=[Asset("ndvi")]).attempt()
    assert ended.state == "failed"
    assert not any(each.get("outlet_events") for each in ended.api.states)


def test_outlets_without_waiting(run_task):
    task = run_task(wait_for_completion=False, outlets=[Asset("ndvi")])
    [extra] = outlet_events(task.attempt())
    assert (extra["request_id"], extra["counts"]) == (task.job["id"], None)


@every_api
def test_what_verification_costs(run_task, emulator, api):
    def cost(**arguments):
        emulator.reset()
        task = run_task(api, scenario={"failed_tiles": 0}, deferrable=True, **arguments)
        task.begin()
        emulator.advance(3600)
        emulator.forget_requests()
        assert task.wake().state == "success", task.ended.error
        return requests_of(emulator)

    before = cost()
    assert cost(max_failed_tiles=0) - before == (2 if api == "process_v1" else 1)
    assert cost(outlets=[Asset("ndvi")]) - before == 1


# What is kept


def test_the_job_is_known_also_when_it_cannot_be_started(run_task, emulator):
    task = run_task()
    emulator.fault(status=403, method="POST", path="start$", times=None)
    ended = task.attempt()
    assert ended.state == "failed"
    assert ended.api.xcoms["request_id"] == ended.returned["id"] == task.job["id"]
    emulator.clear_faults()


def test_without_xcom_nothing_is_pushed(run_task):
    ended = run_task(max_failed_tiles=2, do_xcom_push=False).attempt()
    assert (ended.state, ended.api.xcoms) == ("success", {})


@with_store
@pytest.mark.parametrize(("again", "jobs"), [("retry", 1), ("clear", 2)])
def test_after_a_success_only_a_clear_runs_a_new_job(run_task, emulator, again, jobs):
    """A worker may die between its success and the moment at which Airflow knows of it."""
    task = run_task(max_failed_tiles=2)
    for ended in (task.attempt(), (task.cleared() if again == "clear" else task).attempt()):
        assert ended.state == "success", ended.error
    assert asked(emulator) == {"create": jobs, "start": jobs}


# What the trigger is told


@pytest.mark.parametrize("on_kill", ["stop", "stop_unless_removed", "leave"])
@pytest.mark.parametrize(("is_local", "settles"), [(True, 0), (False, 10)])
def test_what_the_trigger_is_told(run_task, clock, monkeypatch, on_kill, is_local, settles):
    monkeypatch.setattr("airflow_sentinelhub.client.config.ClientConfig.is_local", is_local)
    task = run_task(
        on_kill=on_kill, on_timeout="leave", max_cost_pu=7, allow_partial=True, stall_timeout=5, start_grace=6
    )
    task.begin()
    _, kwargs, _ = deferred_to(task.ended)
    assert kwargs["kill_action"] == on_kill
    assert kwargs["fire_not_before"] == pytest.approx(clock.now() + settles if settles else 0, abs=1)
    told = {**kwargs, **kwargs["policy"]}
    told = {name: told[name] for name in ("max_cost_pu", "allow_partial", "stall_timeout", "start_grace")}
    assert told == {"max_cost_pu": 7, "allow_partial": True, "stall_timeout": 5, "start_grace": 6}
    assert (kwargs["deadlines"]["stops_job"], kwargs["goal"]) == (False, "completion")


# Secrets


@in_buckets
@pytest.mark.parametrize("most", [0, 2])
def test_no_key_is_anywhere(run_task, emulator, s3, monkeypatch, api, most):
    keys = {"accessKey": KEY_ID, "secretAccessKey": SECRET}
    task = run_task(
        api,
        f"s3://{BUCKET}/secret",
        keys,
        scenario={"tile_errors": [f"No access with {KEY_ID}"]},
        max_failed_tiles=most,
        storage_conn_id=s3.connection(monkeypatch),
        outlets=[Asset("ndvi")],
    )
    task.begin()
    shown = [deferred_to(task.ended)]
    ended = task.go_on()
    assert ended.state == ("success" if most else "failed"), ended.error
    api_calls = ended.api
    shown += [
        ended.lines,
        api_calls.xcoms,
        api_calls.rendered,
        api_calls.store,
        api_calls.states,
        str(ended.error),
    ]
    everything = json.dumps(shown, default=str)
    for secret in (KEY_ID, SECRET, emulator.client_secret):
        assert secret not in everything


# DAGs


def test_what_is_templated(run_task, url):
    assert set(SentinelHubBatchRunOperator.template_fields) == {
        "request",
        "description",
        "delivery_conn_id",
        "sentinelhub_conn_id",
        "storage_conn_id",
        "max_cost_pu",
        "max_failed_tiles",
        "start_grace",
        "stall_timeout",
        "outage_tolerance",
    }
    task = run_task(place=f"{url}/{{{{ run_id }}}}", max_failed_tiles=2, outlets=[Asset("ndvi")])
    ended = task.attempt(
        description="of {{ run_id }}", sentinelhub_conn_id="{{ 'sh' }}", storage_conn_id="{{ None or '' }}"
    )
    assert ended.state == "success", ended.error
    assert task.job["request"]["description"].startswith("of a_run")
    assert outlet_events(ended)[0]["delivery_url"] == f"{url}/a_run/{task.job['id']}"


def test_a_storage_connection_that_is_templated(run_task, s3, monkeypatch):
    conn_id = s3.connection(monkeypatch)
    task = run_task(place=f"s3://{BUCKET}/templated", max_failed_tiles=2)
    ended = task.attempt(storage_conn_id=f"{{{{ '{conn_id}' }}}}")
    assert ended.state == "success", ended.error


def test_it_can_be_stored_and_mapped(run_task):
    request = run_task().arguments["request"]
    every_argument = {
        "max_cost_pu": 10,
        "max_failed_tiles": 0.1,
        "resume": {"OUT_OF_PU": 1},
        "on_kill": "leave",
        "on_timeout": "leave",
        "outlets": [Asset("ndvi")],
    }
    with DAG("a_dag", schedule=None) as dag:
        SentinelHubBatchRunOperator(task_id="one", request=request, **every_argument)
        SentinelHubBatchRunOperator.partial(task_id="many", **every_argument).expand(request=[request, request])
        SentinelHubBatchRunOperator.partial(task_id="each", request=request).expand_kwargs(
            [{"max_failed_tiles": 1}, {"max_cost_pu": 5.0}]
        )
    assert set(through_the_database(dag).task_ids) == {"one", "many", "each"}


def test_a_mapped_task_runs(run_task, emulator):
    made = run_task(max_failed_tiles=0).arguments["request"]
    with DAG("a_dag", schedule=None):
        mapped = SentinelHubBatchRunOperator.partial(
            task_id="many", sentinelhub_conn_id="sh", max_failed_tiles=2, resume={"UNHEALTHY": 1}
        ).expand(request=[made])
    ended = run(mapped.unmap({**mapped.partial_kwargs, "task_id": "many", "request": made}))
    _, kwargs, next_kwargs = deferred_to(ended)
    [job] = emulator.jobs()
    assert kwargs["request_id"] == next_kwargs["state"]["job_id"] == job["id"]
    assert kwargs["policy"]["allow_partial"] is True


def test_an_argument_of_a_mapped_task_that_makes_no_sense():
    with DAG("a_dag", schedule=None), pytest.raises(ValueError, match="on_kill must be"):
        operator("Run", task_id="x", request={}, on_kill="never")
