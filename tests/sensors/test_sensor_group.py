"""The sensor of a group: on the worker before and after the triggerer, and the same in every mode."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta

import httpx
import pytest
import responses
from airflow.sdk import DAG, task

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.clock import replaced_by
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.sensors import group as module
from airflow_sentinelhub.sensors.group import SentinelHubBatchGroupSensor
from tests.harness.modes import MODES, run_to_the_end
from tests.harness.task_runner import ExecutionApi, deferred_to, run
from tests.harness.versions import through_the_database
from tests.harness.virtual_time import VirtualTime

A, B, C = (f"6aa8765a-0000-4000-8000-00000000000{letter}" for letter in "abc")
PROCESSING, DONE, FAILED = {"status": "PROCESSING"}, {"status": "DONE"}, {"status": "FAILED", "error": "Broken"}
MODES_OF_GROUPS = [mode for mode in MODES if not mode.startswith("reschedule")]

every_mode = pytest.mark.parametrize("mode", MODES_OF_GROUPS)


@pytest.fixture
def nobody(monkeypatch):
    """A connection to a service that nobody may ask."""
    connection = {"conn_type": "sentinelhub", "login": "my-id", "password": "s3cr3t"}
    monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", json.dumps(connection))
    with responses.RequestsMock(), replaced_by(VirtualTime()):
        yield


def sensor(**arguments):
    return SentinelHubBatchGroupSensor(**{"task_id": "wait", "request_ids": [A, B], **arguments})


def wait(mode, request_ids, **arguments):
    given = {"request_ids": request_ids, "sentinelhub_conn_id": "sh", "poke_interval": 60, "timeout": 86_400}
    arguments = {**given, **arguments}
    return run_to_the_end(lambda **given: sensor(**given), mode, **arguments)


def ids(jobs):
    return [job["id"] for job in jobs]


def by_kind(ended):
    return {kind: ids(jobs) for kind, jobs in ended.returned.items()}


def requests(emulator):
    return {path: count for path, count in emulator.requests()["by_path"].items() if "/batch" in path}


@every_mode
@pytest.mark.parametrize("api", BatchApi)
def test_all_are_done(emulator, mode, api):
    steps = [{"status": "ANALYSING", "seconds": 120}, {**PROCESSING, "seconds": 300}, {**DONE, "costPU": 5}]
    jobs = [emulator.add_job(api, steps=steps) for _ in range(4)]
    ended = wait(mode, [*jobs, jobs[0].upper()], api=api.value)
    assert ended.state == "success", ended.error
    assert ids(ended.returned["done"]) == jobs
    assert (ended.returned["failed"], ended.returned["pending"]) == ([], [])
    for job in ended.returned["done"]:
        assert (job["status"], job["costPU"]) == ("DONE", 5)
        assert not {"request", "processRequest"} & set(job)
    assert f"Waiting until all of 4 {api.display_name} jobs are done.\nPolls every 60 s" in ended.log
    assert "Ids that were given before: 1." in ended.log
    assert ended.log.count("4 of 4 done; 20 PU, waited") == (2 if mode == "deferred" else 1)
    assert not any(emulator.requests()["actions"].values()), "a sensor only watches"


@every_mode
def test_the_first_failure_ends_the_wait(emulator, mode):
    slow, done = emulator.add_job("process", steps=[PROCESSING]), emulator.add_job("process", steps=[DONE])
    bad = emulator.add_job("process", steps=[{**PROCESSING, "seconds": 300}, FAILED])
    ended = wait(mode, [slow, done, bad], soft_fail=True)
    assert ended.state == "failed", "soft_fail must not skip a job that failed"
    assert type(ended.error) is exceptions.BatchFailed
    assert (ended.error.job_id, ended.error.api, ended.error.status) == (bad, "process", "FAILED")
    assert f"FAILED: Broken (Max NDVI, Batch Process {bad})" in str(ended.error)
    assert "1 of 3 done, 1 failed, 1 pending" in str(ended.error)
    known = ended.returned
    assert {kind: ids(jobs) for kind, jobs in known.items()} == {
        "done": [done],
        "failed": [bad],
        "pending": [slow],
    }
    assert known["failed"][0]["error"] == "Broken"
    assert known["pending"][0]["status"] == "PROCESSING"


@every_mode
def test_without_fail_fast_all_are_waited_for(emulator, mode):
    bad = [emulator.add_job("process", steps=[FAILED]), emulator.add_job("process", steps=[{"status": "STOPPED"}])]
    slow = emulator.add_job("process", steps=[{**PROCESSING, "seconds": 300}, DONE])
    ended = wait(mode, [*bad, slow], fail_fast=False)
    assert type(ended.error) is exceptions.BatchGroupFailed
    assert all(job in str(ended.error) for job in bad)
    assert {kind: ids(jobs) for kind, jobs in ended.returned.items()} == {
        "done": [slow],
        "failed": bad,
        "pending": [],
    }


@every_mode
@pytest.mark.parametrize(("until", "done"), [("any", 1), (2, 2)])
def test_enough_are_enough(emulator, mode, until, done):
    good = [emulator.add_job("process", steps=[DONE]) for _ in range(done)]
    bad, slow = emulator.add_job("process", steps=[FAILED]), emulator.add_job("process", steps=[PROCESSING])
    ended = wait(mode, [bad, slow, *good], until=until)
    assert ended.state == "success", ended.error
    assert by_kind(ended) == {"done": good, "failed": [bad], "pending": [slow]}


@every_mode
def test_when_the_rest_no_longer_suffices_it_fails(emulator, mode):
    bad = [emulator.add_job("process", steps=[FAILED]) for _ in range(2)]
    slow = emulator.add_job("process", steps=[PROCESSING])
    ended = wait(mode, [*bad, slow], until=2, fail_fast=False)
    assert type(ended.error) is exceptions.BatchFailed
    assert "out of reach that at least 2 of 3" in str(ended.error)


@every_mode
@pytest.mark.parametrize(
    ("limit", "flag", "state"),
    [("timeout", {}, "failed"), ("timeout", {"soft_fail": True}, "skipped"), ("execution_timeout", {}, "failed")],
)
def test_time_is_up_for_the_group(emulator, mode, limit, flag, state):
    done, slow = emulator.add_job("process", steps=[DONE]), emulator.add_job("process", steps=[PROCESSING])
    ended = wait(mode, [done, slow], **{limit: timedelta(minutes=10)}, **flag)
    assert ended.state == state
    assert by_kind(ended) == {"done": [done], "failed": [], "pending": [slow]}
    if state == "failed":
        kind = {"timeout": "AirflowSensorTimeout", "execution_timeout": "BatchTimeout"}[limit]
        assert type(ended.error).__name__ == kind
        assert f"({limit})" in str(ended.error)
        assert "1 of 2 done, 1 pending" in str(ended.error)


@every_mode
def test_a_blip_of_the_service_costs_nothing_and_is_told_once(emulator, mode):
    steps = [{**PROCESSING, "seconds": 600}, DONE]
    jobs = [emulator.add_job("process", steps=steps) for _ in range(10)]
    emulator.fault(status=503, method="GET", times=4, after=1)
    ended = wait(mode, jobs)
    assert ended.state == "success", ended.error
    assert len(re.findall(r"\b503\b", ended.log)) <= 2  # as a word: ids have digits, too


@every_mode
def test_wrong_secret(emulator, mode):
    jobs = [emulator.add_job("process") for _ in range(10)]
    emulator.rotate_secret("another secret")
    ended = wait(mode, jobs)
    assert type(ended.error) is exceptions.InvalidCredentials
    assert "10 out of sight" in str(ended.error)
    assert [len(ended.returned[kind]) for kind in ("done", "failed", "pending")] == [0, 0, 10]
    said = [line["event"] for line in ended.lines if "CANNOT BE WATCHED any longer" in str(line["event"])]
    assert len(said) == 2, "once for all jobs, and the verdict"


@every_mode
def test_what_ends_well_when_it_is_read_twice(emulator, mode):
    jobs = [emulator.add_job("process_v1", steps=[{"status": "PARTIAL"}]) for _ in range(3)]
    ended = wait(mode, jobs, api="process_v1", allow_partial=True)
    assert ended.state == "success", ended.error
    assert ids(ended.returned["done"]) == jobs


def test_a_worker_that_pokes_reads_the_list(emulator):
    jobs = [emulator.add_job("process", steps=[PROCESSING]) for _ in range(200)]
    ended = wait("poke", jobs, timeout=240)
    assert ended.state == "failed"
    assert set(requests(emulator)) == {"GET /api/v2/batch/process"}
    assert requests(emulator)["GET /api/v2/batch/process"] == 2 * 5, "two pages, at once and after each minute"


def test_jobs_that_a_worker_pokes_stay_together_after_an_outage(emulator):
    jobs = [emulator.add_job("process", steps=[{**PROCESSING, "seconds": 480}, DONE]) for _ in range(40)]
    emulator.fault(status=503, method="GET", times=2, after=2)
    ended = wait("poke", jobs)
    assert ended.state == "success", ended.error
    asked = requests(emulator)
    assert asked.pop("GET /api/v2/batch/process/{id}") == 1, "it told that the service was away, and not the list"
    assert set(asked) == {"GET /api/v2/batch/process"}


def test_after_the_triggerer_a_worker_reads_the_list_once(emulator):
    jobs = [emulator.add_job("process", steps=[DONE]) for _ in range(200)]
    event = {"outcome": "done", "api": "process", "message": "", "jobs": {job: ["done", "DONE"] for job in jobs}}
    resume(sensor(request_ids=jobs, sentinelhub_conn_id="sh"), event)  # gets a token, whatever was there before
    before = requests(emulator)["GET /api/v2/batch/process"]
    ended = resume(sensor(request_ids=jobs, sentinelhub_conn_id="sh"), event)
    assert ids(ended.returned["done"]) == jobs
    assert requests(emulator) == {"GET /api/v2/batch/process": before + 2}


def resume(wait_task, event, **given):
    deadlines = deferred_to(run(wait_task))[1]["deadlines"]
    api = ExecutionApi(
        next_method="execute_complete", next_kwargs={"event": event, "deadlines": deadlines, **given}
    )
    return run(wait_task, api)


def verdict(outcome="done", **jobs):
    return {"outcome": outcome, "api": "process", "message": "What happened.", "cause": None, "jobs": jobs}


def test_a_job_that_is_gone_meanwhile_is_known_by_id_and_status(emulator):
    job, gone = emulator.add_job("process", steps=[DONE]), str(uuid.uuid4())
    event = verdict(**{job: ["done", "DONE"], gone: ["done", "DONE"]})
    ended = resume(sensor(sentinelhub_conn_id="sh"), event)
    assert ended.returned["done"][0]["userAction"]
    assert ended.returned["done"][1] == {"id": gone, "status": "DONE"}


def test_jobs_that_cannot_be_read_now_are_waited_for_without_asking_for_a_new_verdict(emulator, monkeypatch):
    job = emulator.add_job("process", steps=[DONE])
    read, failures = module.fetch_jobs, [exceptions.ServiceUnavailable("The service answers 503.")]

    def sometimes(client, job_ids, **given):
        return dict.fromkeys(job_ids, failures.pop()) if failures else read(client, job_ids, **given)

    monkeypatch.setattr(module, "fetch_jobs", sometimes)
    ended = wait("deferred", [job])
    assert ended.state == "success", ended.error
    assert "its result cannot be read now" in ended.log
    assert ids(ended.returned["done"]) == [job]
    deferred = [state["classpath"].rpartition(".")[2] for state in ended.api.states if "classpath" in state]
    assert deferred == ["SentinelHubBatchGroupTrigger", "SentinelHubPauseTrigger"]


def test_they_are_waited_for_until_the_deadline_at_most(emulator, monkeypatch):
    away = exceptions.ServiceUnavailable("The service answers 503.")
    monkeypatch.setattr(module, "fetch_jobs", lambda client, job_ids, **given: dict.fromkeys(job_ids, away))
    ended = wait("deferred", [emulator.add_job("process", steps=[DONE])], timeout=150)
    assert isinstance(ended.error, exceptions.ServiceUnavailable)
    assert ended.log.count("its result cannot be read now") >= 1


def test_jobs_that_cannot_be_read_do_not_hide_why_the_wait_failed(emulator, monkeypatch):
    away = exceptions.ServiceUnavailable("The service answers 503.")
    monkeypatch.setattr(module, "fetch_jobs", lambda client, job_ids, **given: dict.fromkeys(job_ids, away))
    bad = emulator.add_job("process", steps=[FAILED])
    ended = wait("deferred", [bad])
    assert type(ended.error) is exceptions.BatchFailed
    assert ended.returned == {"done": [], "failed": [{"id": bad, "status": "FAILED"}], "pending": []}
    assert "Jobs that could not be read: 1." in ended.log


def test_jobs_that_are_refused_fail_the_task(emulator, monkeypatch):
    refused = exceptions.Forbidden("The service says 403.")
    monkeypatch.setattr(module, "fetch_jobs", lambda client, job_ids, **given: dict.fromkeys(job_ids, refused))
    ended = wait("deferred", [emulator.add_job("process", steps=[DONE])])
    assert type(ended.error) is exceptions.Forbidden


class MappedResults(ExecutionApi):
    """Airflow's API, with what a mapped task has returned."""

    def __init__(self, results):
        super().__init__()
        self.results, self.slices = results, 0

    def __call__(self, request):
        if request.url.path.endswith("/slice"):
            self.slices += 1
            return httpx.Response(200, json=self.results)
        return super().__call__(request)


@pytest.mark.usefixtures("nobody")
class TestWithoutARequest:
    def test_it_defers_with_plain_arguments(self):
        ended = run(sensor(until=2, fail_fast=False, allow_partial=True, timeout=3600))
        classpath, kwargs, next_kwargs = deferred_to(ended)
        assert classpath == "airflow_sentinelhub.triggers.group.SentinelHubBatchGroupTrigger"
        assert (kwargs["request_ids"], kwargs["until"], kwargs["fail_fast"]) == ([A, B], 2, False)
        assert (kwargs["policy"]["poke_interval"], kwargs["policy"]["slowest_poke_interval"]) == (120.0, 360.0)
        assert (kwargs["policy"]["allow_partial"], kwargs["policy"]["analysis_poke_interval"]) == (True, 10.0)
        assert kwargs["deadlines"]["timeout_at"] - kwargs["deadlines"]["started_at"] == 3600
        assert kwargs["fire_not_before"] == kwargs["deadlines"]["started_at"] + 10
        assert json.loads(json.dumps(kwargs)) == kwargs
        assert next_kwargs == {"deadlines": kwargs["deadlines"]}
        assert "s3cr3t" not in json.dumps(kwargs) + ended.log
        assert ended.message.trigger_timeout > timedelta(hours=1), "Airflow's own timeout comes after ours"
        assert "Waiting until at least 2 of 2 Batch Process jobs are done.\nPolls every 2 min" in ended.log
        assert "Needs a running triggerer" in ended.log

    @pytest.mark.parametrize(("api", "interval"), [("process", 120), ("statistical", 30), ("process_v1", 120)])
    def test_each_api_has_its_interval(self, api, interval):
        kwargs = deferred_to(run(sensor(api=api)))[1]
        assert (kwargs["api"], kwargs["policy"]["poke_interval"]) == (api, interval)
        assert deferred_to(run(sensor(api=api, poke_interval=77)))[1]["policy"]["slowest_poke_interval"] is None

    @pytest.mark.parametrize(
        "request_ids",
        [
            [{"id": A, "request": {"accessKey": "AKIA"}}, json.dumps({"id": B, "request": "AKIA"})],
            json.dumps([{"id": A, "request": "AKIA"}, B]),
            str([{"id": A, "request": {"accessKey": "AKIA", "overwrite": False}}, B]),
            ["{{ params.a }}", "{{ params.whole_job }}"],
            "{{ params.both }}",
            "{{ params.both | tojson }}",
        ],
    )
    def test_ids_in_every_form_and_rendered_as_ids_alone(self, request_ids):
        whole = {"id": B, "request": {"accessKey": "AKIA"}}
        params = {"a": A, "whole_job": whole, "both": [{"id": A, "request": "AKIA"}, whole]}
        ended = run(sensor(request_ids=request_ids, params=params))
        assert deferred_to(ended)[1]["request_ids"] == [A, B]
        assert "AKIA" not in str(ended.api.rendered["request_ids"]), "Airflow shows rendered fields"

    def test_the_output_of_a_mapped_task(self):
        @task
        def create(region):
            return {"id": A, "request": {"accessKey": region}}

        with DAG("a_dag", schedule=None) as dag:
            jobs = create.expand(region=["a", "b"])
            gather = sensor(request_ids=jobs)
            some = sensor(task_id="some", request_ids=[A, create.override(task_id="one")("c")])
            mapped = SentinelHubBatchGroupSensor.partial(task_id="many").expand(request_ids=[[A], [B, C]])
            assert gather.upstream_task_ids == {"create"}
            assert some.upstream_task_ids == {"one"}
            assert mapped.operator_class is SentinelHubBatchGroupSensor
        assert set(through_the_database(dag).task_ids) == {"create", "wait", "one", "some", "many"}

    @pytest.mark.parametrize("jobs", [[{"id": A, "request": "AKIA"}, B], []])
    def test_what_a_mapped_task_has_returned_is_read_with_one_request(self, jobs):
        @task
        def create(region):
            return region

        with DAG("a_dag", schedule=None):
            gather = sensor(request_ids=create.expand(region=["a", "b"]))
        api = MappedResults(jobs)
        ended = run(gather, api)
        assert api.slices == 1
        assert "AKIA" not in str(ended.api.rendered)
        if jobs:
            assert deferred_to(ended)[1]["request_ids"] == [A, B]
        else:
            assert ended.returned == {"done": [], "failed": [], "pending": []}

    @pytest.mark.parametrize(("until", "state"), [("all", "success"), ("any", "failed"), (1, "failed")])
    def test_of_no_jobs_all_are_done(self, until, state):
        ended = run(sensor(request_ids=[], until=until))
        assert ended.state == state
        if state == "success":
            assert ended.returned == {"done": [], "failed": [], "pending": []}
            assert "0 of 0 done" in ended.log
        else:
            assert type(ended.error) is exceptions.BatchGroupFailed
            assert "cannot be met" in str(ended.error)

    @pytest.mark.parametrize(
        ("arguments", "error", "says"),
        [
            (
                {"request_ids": [A, "no-uuid"]},
                exceptions.InvalidRequestId,
                "number 2 of 2: request_id is 'no-uuid'",
            ),
            ({"request_ids": None}, exceptions.InvalidRequestId, "return nothing"),
            ({"until": 3}, exceptions.BatchGroupFailed, "until=3 cannot be met: only 2 ids"),
            ({"sentinelhub_conn_id": "nowhere"}, exceptions.InvalidConnection, "'nowhere' does not exist"),
        ],
    )
    def test_bad_input_fails_at_once(self, arguments, error, says):
        ended = run(sensor(**arguments))
        assert type(ended.error) is error
        assert says in str(ended.error)

    @pytest.mark.parametrize("event", [None, {}, {"status": "done"}, "done"])
    def test_an_event_that_cannot_be_read_is_no_success(self, event):
        ended = resume(sensor(), event)
        assert ended.state == "failed"
        assert "cannot be read" in str(ended.error)

    def test_nothing_is_read_or_pushed_without_do_xcom_push(self):
        ended = resume(sensor(do_xcom_push=False), verdict("failed", **{A: ["failed", "FAILED"]}))
        assert type(ended.error) is exceptions.BatchFailed
        assert ended.api.xcoms == {}

    def test_a_trigger_that_crashed_is_a_failed_task_whatever_soft_fail_says(self):
        failure = {"error": "Trigger failure", "traceback": ["Traceback: something broke"]}
        ended = run(sensor(soft_fail=True), ExecutionApi(next_method="__fail__", next_kwargs=failure))
        assert ended.state == "failed"
        assert "ended without a verdict" in str(ended.error)


def test_it_works_when_the_arguments_of_the_deferral_are_lost(emulator):
    """``dag.test()`` drops them."""
    job = emulator.add_job("process", steps=[DONE])
    api = ExecutionApi(next_method="execute_complete", next_kwargs={"event": verdict(**{job: ["done", "DONE"]})})
    assert ids(run(sensor(sentinelhub_conn_id="sh"), api).returned["done"]) == [job]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"deferrable": False, "mode": "reschedule"}, "mode='reschedule'"),
        ({"until": "some"}, "until"),
        ({"until": 0}, "until"),
        ({"api": "batch"}, "api must be one of"),
        ({"analysis_poke_interval": -1}, "analysis_poke_interval"),
        ({"outage_tolerance": None}, "outage_tolerance"),
    ],
)
def test_bad_arguments_fail_when_the_dag_is_parsed(arguments, says):
    with pytest.raises(ValueError, match=says):
        sensor(**arguments)


@pytest.mark.parametrize("deferrable", [True, False])
def test_settings_without_effect_are_warned_about(emulator, deferrable):
    job = emulator.add_job("process", steps=[DONE])
    given = {"deferrable": deferrable, "exponential_backoff": True, "sentinelhub_conn_id": "sh"}
    assert "max_wait have no effect" in run(sensor(request_ids=[job], **given)).log


def test_deferred_the_mode_does_not_matter():
    assert sensor(mode="reschedule").deferrable


def test_default_args_reach_the_sensor():
    given = {"poke_interval": 300, "until": "any", "start_grace": 60, "sentinelhub_conn_id": "cdse"}
    with DAG("another_dag", schedule=None, default_args=given):
        made = sensor()
    assert (made.poke_interval, made.quorum.until, made.start_grace) == (300, "any", 60)
    assert (made.sentinelhub_conn_id, made.may_slow_down) == ("cdse", False)


LIST = r"/process/?$"


@every_mode
@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"kind": "html"}, {"kind": "truncated"}, {"status": 200, "body": []}, {"status": 403}],
    ids=["500", "a page", "truncated", "a list", "403"],
)
def test_a_list_that_fails_is_not_the_service_that_fails(emulator, mode, fault):
    steps = [{**PROCESSING, "seconds": 0.5}, DONE]
    jobs = [emulator.add_job("process", steps=steps) for _ in range(5)]
    emulator.fault(method="GET", path=LIST, times=None, **fault)
    ended = wait(mode, jobs)
    assert ended.state == "success", ended.error
    assert ids(ended.returned["done"]) == jobs


@every_mode
def test_a_job_that_cannot_be_read_ends_its_own_wait_alone(emulator, mode):
    fine = [emulator.add_job("process", steps=[{**PROCESSING, "seconds": 0.3}, DONE]) for _ in range(3)]
    odd = str(uuid.uuid4())
    emulator.fault(status=200, body={"status": "DONE"}, method="GET", path=odd, times=None)
    ended = wait(mode, [*fine, odd], fail_fast=False)
    assert type(ended.error) is exceptions.InvalidPayload
    assert odd in str(ended.error)
    assert by_kind(ended) == {"done": fine, "failed": [], "pending": [odd]}
