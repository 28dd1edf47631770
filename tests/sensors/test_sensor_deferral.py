"""What a sensor does on the worker before and after the triggerer waits: nothing that costs a request."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import responses
from airflow.sdk import DAG, Asset
from airflow.sdk.exceptions import AirflowException

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.clock import replaced_by
from airflow_sentinelhub.jobs import BatchApi, BatchJob, Outcome, Verdict
from airflow_sentinelhub.sensors import batch
from airflow_sentinelhub.sensors.batch import SentinelHubBatchJobSensor, SentinelHubBatchProcessJobSensor
from tests.harness.task_runner import ExecutionApi, deferred_to, run
from tests.harness.versions import through_the_database
from tests.harness.virtual_time import VirtualTime

REQUEST_ID = "6aa8765a-0000-4000-8000-000000000000"
SECRET = "s3cr3t-of-the-client"
ALL = {
    "SentinelHubBatchJobSensor": ("process_v1", "completion", 120.0),
    "SentinelHubBatchProcessJobSensor": ("process", "completion", 120.0),
    "SentinelHubBatchStatisticalJobSensor": ("statistical", "completion", 30.0),
    "SentinelHubBatchAnalysisSensor": ("process_v1", "analysis", 10.0),
    "SentinelHubBatchProcessAnalysisSensor": ("process", "analysis", 10.0),
    "SentinelHubBatchStatisticalAnalysisSensor": ("statistical", "analysis", 10.0),
}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    connection = {"conn_type": "sentinelhub", "login": "my-id", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", json.dumps(connection))
    with responses.RequestsMock(), replaced_by(VirtualTime()):  # any request is an error, and no time passes
        yield


def sensor(name="SentinelHubBatchProcessJobSensor", **arguments):
    return getattr(batch, name)(**{"task_id": "wait", "request_id": REQUEST_ID, **arguments})


@pytest.mark.parametrize(("name", "expected"), ALL.items())
def test_it_defers_with_plain_arguments_and_without_a_request(name, expected):
    ended = run(sensor(name))
    classpath, kwargs, next_kwargs = deferred_to(ended)
    assert classpath == "airflow_sentinelhub.triggers.batch.SentinelHubBatchTrigger"
    assert (kwargs["api"], kwargs["goal"], kwargs["policy"]["poke_interval"]) == expected
    assert kwargs["policy"]["analysis_poke_interval"] == 10.0
    assert kwargs["request_id"] == REQUEST_ID
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert next_kwargs == {"deadlines": kwargs["deadlines"]}
    assert SECRET not in json.dumps(kwargs) + ended.log
    assert kwargs["deadlines"]["timeout_at"] - kwargs["deadlines"]["started_at"] == 7 * 86_400
    assert ended.message.trigger_timeout > timedelta(days=7), "Airflow's own timeout comes after ours"


def test_the_log_says_what_is_awaited_and_that_a_triggerer_must_run():
    ended = run(sensor(timeout=3600))
    assert f"Waiting until the job is done (Batch Process {REQUEST_ID})" in ended.log
    assert "Polls every 2 min (10 s during its analysis), 6 min at most while nothing changes, until" in ended.log
    assert "Needs a running triggerer" in ended.log


def test_the_trigger_may_not_fire_at_once():
    _, kwargs, _ = deferred_to(run(sensor()))
    assert kwargs["fire_not_before"] == kwargs["deadlines"]["started_at"] + 10


def test_execution_timeout_is_an_absolute_deadline_of_the_trigger():
    _, kwargs, _ = deferred_to(run(sensor(execution_timeout=timedelta(minutes=10))))
    assert kwargs["deadlines"]["execution_timeout_at"] - kwargs["deadlines"]["started_at"] == 600


def test_intervals_below_the_floor_are_raised_and_the_log_says_so_once():
    ended = run(sensor(poke_interval=1, analysis_poke_interval=timedelta(seconds=2)))
    _, kwargs, _ = deferred_to(ended)
    assert (kwargs["policy"]["poke_interval"], kwargs["policy"]["analysis_poke_interval"]) == (5.0, 5.0)
    assert ended.log.count("is raised from") == 2


def test_on_this_machine_there_is_no_floor(monkeypatch):
    connection = {
        "conn_type": "sentinelhub",
        "login": "my-id",
        "password": SECRET,
        "host": "http://localhost:8780",
        "extra": json.dumps({"auth_url": "http://localhost:8780/token"}),
    }
    monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", json.dumps(connection))
    assert deferred_to(run(sensor(poke_interval=0.5)))[1]["policy"]["poke_interval"] == 0.5


@pytest.mark.parametrize(
    "request_id",
    [
        {"id": REQUEST_ID, "request": {"output": {"delivery": {"s3": {"accessKey": "AKIA"}}}}},
        json.dumps({"id": REQUEST_ID, "request": {"evalscript": "AKIA"}}),
        # What Jinja makes of a dictionary, as in "{{ ti.xcom_pull('create') }}".
        str({"id": REQUEST_ID, "request": {"accessKey": "AKIA", "overwrite": False}}),
        "{{ params.whole_job }}",
        "{{ '" + REQUEST_ID + "' }}",
        "{{ params.request_id }}",
        "{{ params.job }}",
    ],
)
def test_request_id_in_every_form_and_rendered_as_an_id_alone(request_id):
    task = sensor(
        request_id=request_id,
        params={
            "whole_job": {"id": REQUEST_ID, "request": {"accessKey": "AKIA"}},
            "request_id": REQUEST_ID,
            "job": json.dumps({"id": REQUEST_ID, "request": "AKIA"}),
        },
    )
    ended = run(task)
    assert deferred_to(ended)[1]["request_id"] == REQUEST_ID
    assert ended.api.rendered["request_id"] == REQUEST_ID, "Airflow shows rendered fields"


def test_the_output_of_another_task():
    from airflow.sdk import task

    @task
    def create():
        return {"id": REQUEST_ID, "request": {"accessKey": "AKIA"}}

    with DAG("a_dag", schedule=None) as dag:
        job = create()
        wait = sensor(request_id=job)
        assert wait.upstream_task_ids == {"create"}
        mapped = SentinelHubBatchProcessJobSensor.partial(task_id="many").expand(request_id=[REQUEST_ID] * 2)
        assert mapped.operator_class is SentinelHubBatchProcessJobSensor

    stored = through_the_database(dag)
    assert set(stored.task_ids) == {"create", "wait", "many"}


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"request_id": "no-uuid"}, exceptions.InvalidRequestId, "'no-uuid'"),
        ({"request_id": None}, exceptions.InvalidRequestId, "return nothing"),
        ({"sentinelhub_conn_id": "nowhere"}, exceptions.InvalidConnection, "'nowhere' does not exist"),
    ],
)
def test_bad_input_fails_at_once(arguments, error, says):
    ended = run(sensor(**arguments))
    assert ended.state == "failed"
    assert type(ended.error) is error
    assert says in str(ended.error)


@pytest.mark.parametrize(
    "arguments",
    [
        {"start_grace": -1},
        {"start_grace": "soon"},
        {"stall_timeout": True},
        {"outage_tolerance": "6h"},
        {"outage_tolerance": None},
        {"analysis_poke_interval": None},
        {"start_grace": float("nan")},
        {"analysis_poke_interval": -5},
        {"poke_interval": -5},
    ],
)
def test_bad_durations_fail_when_the_dag_is_parsed(arguments):
    with pytest.raises((ValueError, AirflowException), match=next(iter(arguments))):  # the latter is Airflow 3.1's
        sensor(**arguments)


def test_durations_are_seconds_or_timedeltas():
    hour, often = timedelta(hours=1), timedelta(minutes=5)
    task = sensor(start_grace=None, stall_timeout=hour, outage_tolerance=60, poke_interval=often)
    _, kwargs, _ = deferred_to(run(task))
    assert (kwargs["start_grace"], kwargs["stall_timeout"], kwargs["outage_tolerance"]) == (None, 3600.0, 60.0)
    assert kwargs["policy"]["poke_interval"] == 300.0


def test_default_args_reach_the_sensor():
    with DAG("another_dag", schedule=None, default_args={"poke_interval": 300, "sentinelhub_conn_id": "cdse"}):
        task = sensor()
    assert (task.poke_interval, task.sentinelhub_conn_id) == (300, "cdse")


def resume(task, event, **api):
    deadlines = deferred_to(run(task))[1]["deadlines"]
    return run(
        task,
        ExecutionApi(next_method="execute_complete", next_kwargs={"event": event, "deadlines": deadlines}, **api),
    )


def verdict(outcome, status="FAILED", message="What happened.", api=BatchApi.PROCESS):
    job = BatchJob.from_payload(api, {"id": REQUEST_ID, "status": status, "costPU": 12.5})
    return Verdict(outcome, api, REQUEST_ID, message, job=job)


def test_the_worker_returns_the_job_and_repeats_the_verdict():
    ended = resume(sensor(), verdict(Outcome.DONE, "DONE", "").to_json())
    assert ended.state == "success"
    assert ended.returned == {"id": REQUEST_ID, "status": "DONE", "costPU": 12.5}
    assert f"DONE, 12.5 PU, waited 0 s (Batch Process {REQUEST_ID})" in ended.log


@pytest.mark.parametrize("event", [None, {}, {"status": "done"}, "done"])
def test_an_event_that_cannot_be_read_is_no_success(event):
    ended = resume(sensor(), event)
    assert ended.state == "failed"
    assert "cannot be read" in str(ended.error)


@pytest.mark.parametrize("outcome", [each for each in Outcome if each not in (Outcome.WAITING, Outcome.DONE)])
def test_every_bad_verdict_fails_the_task(outcome):
    ended = resume(sensor(soft_fail=True), verdict(outcome).to_json())
    if outcome in (Outcome.TIMEOUT, Outcome.EXECUTION_TIMEOUT):
        assert ended.state == "skipped"
        return
    assert ended.state == "failed"
    assert "What happened." in str(ended.error)
    assert ended.returned["id"] == REQUEST_ID


def test_tiles_that_cannot_be_read_yet_are_waited_for_with_the_job_that_is_done(monkeypatch):
    """Whatever ``request_id`` is rendered to by now; and the connection is not needed for it."""

    def away(*_):
        # The connection goes with the service, as where a secrets backend is away, too.
        monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", json.dumps({"conn_type": "sentinelhub"}))
        raise exceptions.ServiceUnavailable("The service is away.")

    monkeypatch.setattr("airflow_sentinelhub.client.batch.BatchClient.tiles", away)
    _, before, next_kwargs = deferred_to(run(sensor("SentinelHubBatchJobSensor", poke_interval=77)))
    done = verdict(Outcome.DONE, "DONE", "", BatchApi.PROCESS_V1).to_json()
    other = sensor("SentinelHubBatchJobSensor", poke_interval=77, request_id="7" + REQUEST_ID[1:])
    api = ExecutionApi(next_method="execute_complete", next_kwargs={"event": done, **next_kwargs})
    _, again, next_again = deferred_to(run(other, api))
    assert again["first_poll_after"] == 60.0
    assert {**again, "first_poll_after": 0.0, "fire_not_before": before["fire_not_before"]} == before
    assert next_again == next_kwargs


@pytest.mark.parametrize("name", ["SentinelHubBatchProcessJobSensor", "SentinelHubBatchJobSensor"])
def test_nothing_is_pushed_without_do_xcom_push(name):
    task = sensor(name, do_xcom_push=False)
    ended = resume(task, verdict(Outcome.UNAVAILABLE, api=task.api).to_json())
    assert ended.state == "failed"
    assert ended.api.xcoms == {}


def test_the_backstop_of_airflow_is_a_sensor_timeout():
    api = ExecutionApi(next_method="__fail__", next_kwargs={"error": "Trigger timeout"})
    ended = run(sensor(), api)
    assert type(ended.error).__name__ == "AirflowSensorTimeout"


def test_a_trigger_that_crashed_is_a_failed_task_whatever_soft_fail_says():
    failure = {"error": "Trigger failure", "traceback": ["Traceback: something broke"]}
    ended = run(sensor(soft_fail=True), ExecutionApi(next_method="__fail__", next_kwargs=failure))
    assert ended.state == "failed"
    assert "ended without a verdict" in str(ended.error)
    assert "something broke" in ended.log


def test_the_backstop_behind_an_execution_timeout_may_be_retried():
    api = ExecutionApi(next_method="__fail__", next_kwargs={"error": "Trigger timeout"})
    ended = run(sensor(execution_timeout=timedelta(hours=1)), api)
    assert type(ended.error) is exceptions.BatchTimeout
    api = ExecutionApi(next_method="__fail__", next_kwargs={"error": "Trigger timeout"})
    assert run(sensor(execution_timeout=timedelta(hours=1), soft_fail=True), api).state == "skipped"


def test_it_works_when_the_arguments_of_the_deferral_are_lost():
    """``dag.test()`` drops them."""
    event = verdict(Outcome.DONE, "DONE", "").to_json()
    ended = run(sensor(), ExecutionApi(next_method="execute_complete", next_kwargs={"event": event}))
    assert ended.returned["status"] == "DONE"


@pytest.mark.parametrize("arguments", [{"exponential_backoff": True}, {"max_wait": 60}])
def test_settings_without_effect_are_warned_about(arguments):
    ended = run(sensor(**arguments))
    assert "no effect while deferrable=True" in ended.log


def test_v1_pushes_the_job_even_if_it_failed_and_its_tiles_cannot_be_read():
    ended = resume(
        SentinelHubBatchJobSensor(task_id="wait", request_id=REQUEST_ID),
        verdict(Outcome.UNAVAILABLE, "PROCESSING", api=BatchApi.PROCESS_V1).to_json(),
    )
    assert ended.state == "failed"
    assert ended.api.xcoms["job"]["id"] == REQUEST_ID
    assert "tiles" not in ended.log, "they are not even asked for"


def test_without_an_interval_of_the_user_a_job_that_hardly_moves_is_looked_at_less_often():
    assert deferred_to(run(sensor()))[1]["policy"]["slowest_poke_interval"] == 360.0
    assert deferred_to(run(sensor(poke_interval=120)))[1]["policy"]["slowest_poke_interval"] is None


@pytest.mark.parametrize("name", sorted(set(ALL) - {"SentinelHubBatchJobSensor"}))
def test_the_trigger_may_end_the_task(name):
    kwargs = deferred_to(run(sensor(name, end_from_trigger=True, do_xcom_push=False)))[1]
    assert (kwargs["end_from_trigger"], kwargs["do_xcom_push"]) == (True, False)
    kwargs = deferred_to(run(sensor(name)))[1]
    assert (kwargs["end_from_trigger"], kwargs["do_xcom_push"]) == (False, True)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("SentinelHubBatchProcessJobSensor", {"outlets": [Asset("s3://bucket/ndvi")]}, "outlets"),
        ("SentinelHubBatchProcessJobSensor", {"on_success_callback": print}, "on_success_callback"),
        ("SentinelHubBatchProcessJobSensor", {"default_args": {"on_success_callback": [print]}}, "default_args"),
        ("SentinelHubBatchProcessAnalysisSensor", {"post_execute": print}, "post_execute"),
        ("SentinelHubBatchJobSensor", {}, "tiles"),
    ],
)
def test_where_the_trigger_cannot_end_the_task_the_dag_says_so(name, given, says):
    with pytest.raises(ValueError, match=says):
        sensor(name, end_from_trigger=True, **given)


def test_what_a_cluster_policy_adds_is_not_lost():
    task = sensor(end_from_trigger=True)
    task.on_success_callback = [print]
    assert deferred_to(run(task))[1]["end_from_trigger"] is False


@pytest.mark.parametrize("native", [False, True])
def test_limits_may_come_from_params(native):
    params = {"start_grace": 5, "stall": 7.5, "outage": 600}
    with DAG("a_dag", schedule=None, params=params, render_template_as_native_obj=native):
        task = sensor(
            start_grace="{{ params.start_grace }}",
            stall_timeout="{{ params.stall }}",
            outage_tolerance="{{ params.outage }}",
        )
    kwargs = deferred_to(run(task))[1]
    assert (kwargs["start_grace"], kwargs["stall_timeout"], kwargs["outage_tolerance"]) == (5, 7.5, 600)


def test_a_limit_that_is_rendered_to_nonsense_fails_the_task_and_says_which():
    with DAG("a_dag", schedule=None, params={"x": "an hour"}):
        task = sensor(start_grace="{{ params.x }}")
    ended = run(task)
    assert ended.state == "failed"
    assert "start_grace was rendered to 'an hour', which is no plain number" in str(ended.error)
