"""What the operators do to a job, once, and what they make of answers that are lost, late or odd."""

from __future__ import annotations

import json

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import BatchApi
from tests.harness.task_runner import ExecutionApi, run
from tests.operators.conftest import operator

every_api = pytest.mark.parametrize("api", list(BatchApi))


def asked(emulator):
    """The actions that reached the service, refused ones included."""
    return {name: count for name, count in emulator.requests()["actions"].items() if count}


def running(emulator, api="process", **given):
    job_id = emulator.add_job(api, scenario={"processing_seconds": 100_000, **given})
    emulator.advance(600)
    assert emulator.job(job_id)["status"] == "PROCESSING"
    return job_id


@every_api
def test_analyse_and_start_a_job_that_was_created(emulator, act, api):
    job_id = emulator.add_job(api, status="CREATED")
    ended = act("Analyse", job_id, api)
    assert (ended.state, ended.returned["userAction"]) == ("success", "ANALYSE"), ended.error
    emulator.advance(600)
    ended = act("Start", job_id, api)
    assert (ended.state, ended.returned["userAction"]) == ("success", "START"), ended.error
    assert ended.returned["id"] == job_id
    assert not {"request", "processRequest"} & set(ended.returned)
    assert asked(emulator) == {"analyse": 1, "start": 1}
    assert "Asking the service to start it" in ended.log
    assert " accepted: " in ended.log


@every_api
@pytest.mark.parametrize("name", ["Analyse", "Start"])
def test_done_already_is_no_error_and_nothing_is_asked(emulator, act, api, name):
    job_id = running(emulator, api)
    for _ in range(2):
        ended = act(name, job_id, api)
        assert (ended.state, ended.returned["status"]) == ("success", "PROCESSING")
        assert "othing is asked again" in ended.log
    assert asked(emulator) == {}


@every_api
def test_stop_twice(emulator, act, api):
    job_id = running(emulator, api)
    first, second = act("Stop", job_id, api), act("Stop", job_id, api)
    status, action = ("CANCELED", "cancel") if api is BatchApi.PROCESS_V1 else ("STOPPED", "stop")
    assert (first.state, first.returned["status"]) == ("success", status), first.error
    assert (second.state, second.returned["status"]) == ("success", status)
    assert "Nothing to stop" in second.log
    assert asked(emulator) == {action: 1}


@every_api
@pytest.mark.parametrize("end", ["DONE", "FAILED"])
def test_stop_a_job_that_is_over(emulator, act, api, end):
    job_id = emulator.add_job(api, scenario={"end": end})
    emulator.advance(3600)
    ended = act("Stop", job_id, api)
    assert (ended.state, ended.returned["status"]) == ("success", end)
    assert asked(emulator) == {}


@pytest.mark.parametrize("name", ["Analyse", "Start", "Restart"])
def test_a_failed_job_fails_the_task_and_is_pushed(emulator, act, name):
    job_id = emulator.add_job("process", scenario={"end": "FAILED", "error": "Evalscript broken"})
    emulator.advance(3600)
    ended = act(name, job_id)
    kind = exceptions.BatchNotRestartable if name == "Restart" else exceptions.BatchFailed
    assert type(ended.error) is kind
    assert "Evalscript broken" in str(ended.error)
    assert ended.returned["status"] == "FAILED"
    assert asked(emulator) == {}


def requests_of(emulator):
    return sum(count for api, count in emulator.requests()["by_api"].items() if api != "token")


@every_api
@pytest.mark.parametrize(
    ("name", "again"), [("Analyse", "Analyse"), ("Start", "Start"), ("Stop", "Stop"), ("Stop", "Analyse")]
)
def test_what_it_costs(emulator, act, api, name, again):
    """As docs/operators.md says."""
    job_id = running(emulator, api) if name == "Stop" else emulator.add_job(api, status="CREATED")
    emulator.forget_requests()
    act(name, job_id, api)
    assert requests_of(emulator) == 3
    act(again, job_id, api)
    assert requests_of(emulator) == 4


def test_start_does_not_restart_what_somebody_stopped(emulator, act):
    job_id = running(emulator)
    act("Stop", job_id)
    emulator.advance(7200)
    ended = act("Start", job_id)
    assert type(ended.error) is exceptions.BatchStopped
    assert ended.error.reason == "USER_ACTION"
    assert asked(emulator) == {"stop": 1}


def test_restart_the_failed_tiles_of_a_partial_job(emulator, act):
    job_id = emulator.add_job("process_v1", scenario={"failed_tiles": 2})
    emulator.advance(3600)
    ended = act("Restart", job_id, "process_v1")
    assert (ended.state, ended.returned["status"]) == ("success", "PROCESSING"), ended.error
    assert act("Restart", job_id, "process_v1").state == "success"
    assert asked(emulator) == {"restartpartial": 1}


CALLS = [
    ("Analyse", "process", "analyse"),
    ("Start", "statistical", "start"),
    ("Stop", "process", "stop"),
    ("Stop", "process_v1", "cancel"),
    ("Restart", "process", "start"),
    ("Restart", "process_v1", "restartpartial"),
]
every_call = pytest.mark.parametrize(("name", "api", "call"), CALLS)


def ready(emulator, name, api):
    """A job that is in the state for an operator."""
    if name == "Stop":
        return running(emulator, api)
    if name != "Restart":
        return emulator.add_job(api, status="CREATED")
    scenario = {"failed_tiles": 2} if api == "process_v1" else {"end": "STOPPED", "stopped_reason": "OUT_OF_PU"}
    job_id = emulator.add_job(api, scenario=scenario)
    emulator.advance(10_000)
    return job_id


@every_call
def test_the_lost_answer_of_an_action(emulator, act, name, api, call):
    """The first attempt succeeded, so the second is refused: the job tells."""
    job_id = ready(emulator, name, api)
    emulator.fault(status=502, method="POST", path=f"{call}$", carried_out=True)
    ended = act(name, job_id, api)
    assert ended.state == "success", ended.error
    assert asked(emulator)[call] == 2


@every_call
def test_every_answer_lost(emulator, act, clock, monkeypatch, name, api, call):
    """The client gives up, but the service did it."""
    job_id = ready(emulator, name, api)
    monkeypatch.setattr("airflow_sentinelhub.client.retry.RetryBudget.pause", lambda *_: None)
    emulator.fault(kind="drop", method="POST", path=f"{call}$", carried_out=True)
    ended = act(name, job_id, api)
    assert ended.state == "success", ended.error
    assert asked(emulator)[call] == 1


@every_call
def test_a_job_that_is_not_readable_yet(emulator, act, clock, name, api, call):
    job_id = ready(emulator, name, api)
    emulator.fault(status=404, method="GET", api=api, times=3)
    emulator.fault(status=404, method="POST", times=1, path=f"{call}$")
    ended = act(name, job_id, api)
    assert ended.state == "success", ended.error
    assert ended.log.count("A new job may need a moment") == 1
    assert clock.pauses[:3] == [5.0, 5.0, 5.0]


@pytest.mark.parametrize("name", ["Analyse", "Start", "Stop", "Restart"])
def test_a_job_that_does_not_exist(emulator, act, clock, name):
    ended = act(name, "6aa8765a-0000-4000-8000-000000000000")
    assert type(ended.error) is exceptions.BatchNotFound
    assert "Check the id" in str(ended.error)
    assert sum(clock.pauses) == 300
    assert asked(emulator) == {}


def test_a_job_that_vanishes_after_the_action(emulator, act):
    job_id = running(emulator)
    emulator.fault(status=404, method="GET", after=1, times=None)
    ended = act("Stop", job_id)
    assert type(ended.error) is exceptions.BatchNotFound
    assert "It was there before" in str(ended.error)
    assert asked(emulator) == {"stop": 1}


def test_a_job_that_fails_right_after_the_action(emulator, act, monkeypatch):
    job_id = emulator.add_job("process", status="CREATED")
    from airflow_sentinelhub.client.batch import BatchClient

    def start(self, job_id):
        emulator.set_scenario(job_id, steps=[{"status": "FAILED", "error": "Evalscript broken"}])

    monkeypatch.setattr(BatchClient, "start", start)
    ended = act("Start", job_id)
    assert type(ended.error) is exceptions.BatchFailed
    assert "Evalscript broken" in str(ended.error)
    assert ended.returned["status"] == "FAILED"


def test_the_connection_is_templated(emulator, act):
    ended = act("Stop", running(emulator), sentinelhub_conn_id="{{ params.account }}", params={"account": "sh"})
    assert ended.state == "success", ended.error
    assert ended.api.rendered["sentinelhub_conn_id"] == "sh"


def test_a_v1_operator_for_a_v2_job_says_so(emulator, act):
    ended = act("Stop", emulator.add_job("process"), "process_v1")
    assert type(ended.error) is exceptions.BatchNotFound
    assert "api='process'" in str(ended.error)


@every_call
def test_a_job_that_lags_behind_the_action(emulator, act, clock, monkeypatch, name, api, call):
    job_id = ready(emulator, name, api)
    _read_the_old_job(monkeypatch, call, times=3)
    ended = act(name, job_id, api)
    assert ended.state == "success", ended.error
    assert clock.pauses == [1.0, 2.0]
    assert asked(emulator)[call] == 1


@every_call
def test_a_job_that_never_shows_the_action(emulator, act, clock, monkeypatch, name, api, call):
    job_id = ready(emulator, name, api)
    _read_the_old_job(monkeypatch, call, times=1000)
    ended = act(name, job_id, api)
    assert sum(clock.pauses) == 60
    assert asked(emulator)[call] == 1
    if call == "restartpartial":
        # PARTIAL may linger after a restart that was accepted (users-and-peers.md, A.2).
        assert ended.state == "success"
        assert "may linger" in ended.log
    else:
        assert type(ended.error) is exceptions.BatchActionIgnored
        assert job_id in str(ended.error)
        assert ended.error.status == ended.returned["status"]
        assert ended.returned["id"] == job_id


def _read_the_old_job(monkeypatch, call, times):
    """Let the first look last for some looks."""
    from airflow_sentinelhub.client.batch import BatchClient

    get, old = BatchClient.get, []

    def get_old(self, job_id, **keywords):
        if not old:
            old.append(get(self, job_id, **keywords))
        elif len(old) >= times:
            return get(self, job_id, **keywords)
        else:
            old.append(old[0])
        return old[0]

    monkeypatch.setattr(BatchClient, "get", get_old)


@every_call
def test_a_blip_of_the_service_costs_nothing(emulator, act, name, api, call):
    job_id = ready(emulator, name, api)
    emulator.fault(status=503, method="GET")
    emulator.fault(status=503, method="POST", path=f"{call}$")
    assert act(name, job_id, api).state == "success"


@pytest.mark.parametrize("name", ["Start", "Stop"])
def test_an_outage_is_the_services_fault_and_says_so(emulator, act, monkeypatch, name):
    job_id = ready(emulator, name, "process")
    monkeypatch.setattr("airflow_sentinelhub.client.retry.RetryBudget.pause", lambda *_: None)
    emulator.fault(status=503, method="POST", path="(start|stop)$", times=None)
    ended = act(name, job_id)
    assert type(ended.error) is exceptions.ServiceUnavailable
    assert "503" in str(ended.error)
    assert " not answered, asked again in " in ended.log
    assert asked(emulator)[name.lower()] > 5


def test_what_is_refused_in_any_state_is_not_asked_for_again(emulator, act, clock):
    job_id = emulator.add_job("process", status="CREATED")
    emulator.configure(processing_units=10)
    ended = act("Start", job_id)
    assert type(ended.error) is exceptions.Forbidden
    assert asked(emulator) == {"start": 1}
    assert clock.pauses == []


def test_a_start_that_is_refused_for_no_visible_reason(emulator, act, clock):
    job_id = emulator.add_job("process", status="CREATED")
    emulator.fault(status=400, method="POST", path="start$", message="Not now.", times=None)
    ended = act("Start", job_id)
    assert type(ended.error) is exceptions.BatchActionImpossible
    assert "Not now." in str(ended.error)
    assert type(ended.error.__cause__) is exceptions.BadRequest
    assert "Start refused, asked again in " in ended.log
    assert sum(clock.pauses) == 300


def test_a_queued_job_is_stopped_when_that_becomes_possible(emulator, act):
    """CREATED lasts for minutes after a START, and a stop is documented from ANALYSING on (5.4)."""
    job_id = emulator.add_job("process", scenario={"queued_seconds": 150, "processing_seconds": 10_000})
    ended = act("Stop", job_id)
    assert (ended.state, ended.returned["userAction"]) == ("success", "STOP"), ended.error
    assert len(ended.waits) == 3
    assert asked(emulator) == {"stop": 4}


def test_a_start_waits_for_the_analysis_that_was_asked_for(emulator, act):
    job_id = emulator.add_job("process", status="ANALYSING", scenario={"analysis_seconds": 100})
    ended = act("Start", job_id)
    assert (ended.state, ended.returned["userAction"]) == ("success", "START"), ended.error
    assert ended.waits == [60.0, 60.0]
    assert asked(emulator) == {"start": 1}


def test_a_partial_job_that_turned_into_done_is_not_restarted(emulator, act, monkeypatch):
    """Read as PARTIAL, refused as DONE (4.7)."""
    job_id = emulator.add_job("process_v1", scenario={"failed_tiles": 2})
    emulator.advance(3600)
    from airflow_sentinelhub.client.batch import BatchClient

    restart = BatchClient.restart_partial

    def restart_late(self, job_id):
        emulator.set_scenario(job_id, steps=[{"status": "DONE"}])
        restart(self, job_id)

    monkeypatch.setattr(BatchClient, "restart_partial", restart_late)
    ended = act("Restart", job_id, "process_v1")
    assert (ended.state, ended.returned["status"]) == ("success", "DONE"), ended.error


@pytest.mark.parametrize("name", ["Analyse", "Start", "Stop", "Restart"])
def test_request_id_in_other_forms_and_rendered_as_an_id_alone(emulator, act, name):
    job_id = emulator.add_job("process", steps=[{"status": "DONE"}])
    whole = {"id": job_id, "request": {"output": {"delivery": {"s3": {"accessKey": "AKIA"}}}}}
    for request_id in (whole, json.dumps(whole), str(whole), "{{ params.job }}", "{{ params.job['id'] }}"):
        ended = act(name, request_id, params={"job": whole})
        assert ended.returned["id"] == job_id
        assert ended.api.rendered["request_id"] == job_id
        assert "AKIA" not in json.dumps([ended.api.rendered, ended.returned, ended.log])


def test_no_secret_is_shown(emulator, act):
    ended = act("Stop", running(emulator))
    assert emulator.client_secret not in json.dumps([ended.log, ended.api.rendered, ended.api.xcoms])


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"request_id": "no-uuid"}, exceptions.InvalidRequestId, "'no-uuid'"),
        ({"request_id": None}, exceptions.InvalidRequestId, "return nothing"),
        ({"sentinelhub_conn_id": "nowhere"}, exceptions.InvalidConnection, "'nowhere' does not exist"),
    ],
)
def test_bad_input_fails_before_anything_is_asked(emulator, arguments, error, says):
    arguments = {"request_id": emulator.add_job("process"), "sentinelhub_conn_id": "sh", **arguments}
    emulator.forget_requests()
    ended = run(operator("Stop", task_id="act", **arguments))
    assert type(ended.error) is error
    assert says in str(ended.error)
    assert asked(emulator) == {}


def test_a_wrong_api_fails_when_the_dag_is_parsed():
    with pytest.raises(ValueError, match="'statistical'"):
        operator("Stop", task_id="act", request_id="x", api="statistics")


def test_wrong_credentials(emulator, act):
    job_id = running(emulator)
    emulator.rotate_secret("another secret")
    emulator.revoke_tokens()
    ended = act("Stop", job_id)
    assert type(ended.error) is exceptions.InvalidCredentials
    assert "another secret" not in ended.log + str(ended.error)


def test_nothing_is_pushed_without_do_xcom_push(emulator, act):
    job_id = emulator.add_job("process", steps=[{"status": "FAILED"}])
    ended = act("Start", job_id, do_xcom_push=False)
    assert ended.state == "failed"
    assert ended.api.xcoms == {}


def test_a_killed_worker_asks_nothing_more(emulator):
    job_id = running(emulator)
    emulator.forget_requests()
    operator("Stop", task_id="act", request_id=job_id, sentinelhub_conn_id="sh").on_kill()
    assert asked(emulator) == {}


def test_the_output_of_another_task_and_many_jobs():
    from airflow.sdk import DAG, task

    from airflow_sentinelhub.operators.batch import SentinelHubBatchStopOperator
    from tests.harness.versions import through_the_database

    @task
    def jobs():
        return []

    with DAG("a_dag", schedule=None) as dag:
        found = jobs()
        stop = operator("Stop", task_id="stop", request_id=found)
        assert stop.upstream_task_ids == {"jobs"}
        SentinelHubBatchStopOperator.partial(task_id="many", api="statistical").expand(request_id=found)
    assert set(through_the_database(dag).task_ids) == {"jobs", "stop", "many"}


def test_airflow_resumes_it_without_what_was_known(emulator):
    """``dag.test()`` loses the arguments of a deferral."""
    job_id = emulator.add_job("process", steps=[{"status": "DONE"}])
    api = ExecutionApi(next_method="execute_complete", next_kwargs={"event": {"until": 0.0}})
    ended = run(operator("Stop", task_id="act", request_id=job_id, sentinelhub_conn_id="sh"), api)
    assert ended.returned["status"] == "DONE"


@every_api
def test_the_service_says_that_nothing_arrived(emulator, act, api):
    """A passing fault of the service; for minutes it may say so of every request."""
    job_id = emulator.add_job(api, status="CREATED")
    emulator.fault(status=400, message="Request body should be non-empty.", api=api, times=3)
    ended = act("Start", job_id, api)
    assert (ended.state, ended.returned["userAction"]) == ("success", "START"), ended.error
    emulator.fault(status=400, message="Request body should be non-empty.", method="POST", api=api, times=3)
    ended = act("Stop", job_id, api)
    assert ended.state == "success", ended.error
