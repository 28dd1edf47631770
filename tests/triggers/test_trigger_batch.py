"""The trigger: what it keeps, what it survives, and that it fires exactly once."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time as real_time
from datetime import datetime
from types import SimpleNamespace

import msgspec
import psutil
import pytest
import structlog
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import InvalidConnection
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, BatchJob, Outcome, Verdict
from airflow_sentinelhub.triggers.batch import FINAL_POLL_TIMEOUT, SentinelHubBatchTrigger
from tests.harness.emulator_fixtures import hanging
from tests.harness.trigger_arguments import nested
from tests.harness.versions import deserialize, needs_airflow, serialize
from tests.harness.virtual_time import run_on_the_clock

REQUEST_ID = "6aa8765a-0000-4000-8000-000000000000"


def arguments(**given):
    now = clock.now()
    flat = {
        "api": "process",
        "goal": "completion",
        "request_id": REQUEST_ID,
        "sentinelhub_conn_id": "sh",
        "poke_interval": 60.0,
        "analysis_poke_interval": 10.0,
        "started_at": now,
        "timeout_at": now + 7200,
        **given,
    }
    return nested(flat)


def fire(trigger):
    async def events():
        return [event.payload async for event in trigger.run()]

    with structlog.testing.capture_logs() as lines:
        [event] = run_on_the_clock(events())
    return event, [line["event"] for line in lines]


def test_it_survives_the_database():
    trigger = SentinelHubBatchTrigger(
        **arguments(
            execution_timeout_at=clock.now() + 10,
            allow_partial=True,
            start_grace=None,
            stall_timeout=60.0,
            outage_tolerance=61.0,
            first_poll_after=62.0,
            slowest_poke_interval=63.0,
            end_from_trigger=True,
            do_xcom_push=False,
        )
    )
    classpath, kwargs = trigger.serialize()
    assert classpath == f"{SentinelHubBatchTrigger.__module__}.{SentinelHubBatchTrigger.__name__}"
    restored = json.loads(json.dumps(serialize(kwargs)))
    again = SentinelHubBatchTrigger(**deserialize(restored))
    assert again.serialize() == (classpath, kwargs)
    assert (again.policy, again.deadlines) == (trigger.policy, trigger.deadlines)
    assert (again.policy.outage_tolerance, again.first_poll_after) == (61.0, 62.0)
    assert (again.policy.slowest_poke_interval, again.end_from_trigger, again.do_xcom_push) == (63.0, True, False)
    flat = [*kwargs["policy"].values(), *kwargs["deadlines"].values()]
    flat += [value for name, value in kwargs.items() if name not in ("policy", "deadlines")]
    assert all(value is None or isinstance(value, str | float | bool) for value in flat)


def test_rows_of_other_versions_still_load():
    old = arguments()
    assert SentinelHubBatchTrigger(**old).policy.start_grace == 3600
    assert SentinelHubBatchTrigger(**old, from_the_future={"a": 1}).api == "process"


def test_it_uses_no_name_that_the_triggerer_overwrites():
    taken = {"task_id", "task_instance", "trigger_id", "triggerer_job_id", "timeout_after", "template_fields"}
    assert not taken & set(SentinelHubBatchTrigger(**arguments()).serialize()[1])


@needs_airflow("3.3", "tells a trigger that its task was killed")
def test_it_does_nothing_when_it_is_killed():
    assert SentinelHubBatchTrigger.on_kill is BaseTrigger.on_kill


def test_it_does_nothing_when_it_is_cleaned_up():
    assert SentinelHubBatchTrigger.cleanup is BaseTrigger.cleanup


def test_it_does_not_fire_before_airflow_has_settled_the_deferral(emulator, time):
    """Or Airflow may fail the task (apache/airflow #71580, #72716); the log tells the verdict at once."""
    request_id = emulator.add_job("process", steps=[{"status": "DONE"}])
    began = time.now()
    event, _ = fire(SentinelHubBatchTrigger(**arguments(request_id=request_id, fire_not_before=began + 7)))
    assert event["outcome"] == "done"
    assert time.now() - began == pytest.approx(7, abs=0.01)


def test_its_event_is_plain_json(emulator):
    request_id = emulator.add_job("process", steps=[{"status": "DONE", "costPU": 5}])
    event, lines = fire(SentinelHubBatchTrigger(**arguments(request_id=request_id)))
    assert event["outcome"] == "done"
    assert event["job"]["status"] == "DONE"
    assert json.loads(json.dumps(event)) == event
    assert "request" not in event["job"]
    assert lines[-1].startswith("DONE, ")


@pytest.mark.usefixtures("emulator")
def test_a_missing_connection_ends_the_wait_with_a_clear_verdict():
    event, _ = fire(SentinelHubBatchTrigger(**arguments(sentinelhub_conn_id="nowhere")))
    assert event["outcome"] == "invalid_connection"
    assert "'nowhere' does not exist" in event["message"]


def test_a_rotated_secret_in_the_connection_is_found(emulator, monkeypatch):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING", "seconds": 1800}, {"status": "DONE"}])
    old = json.loads(os.environ["AIRFLOW_CONN_SH"])

    async def rotate():
        await asyncio.sleep(300)  # had the old one never worked, it would be given up at once
        emulator.rotate_secret("the-new-secret")
        emulator.revoke_tokens()
        await asyncio.sleep(30)
        assert emulator.requests()["by_status"]["401"] == 2, "a look, and what was to renew its token"
        monkeypatch.setenv("AIRFLOW_CONN_SH", json.dumps({**old, "password": "the-new-secret"}))

    async def scene():
        rotation = asyncio.create_task(rotate())
        trigger = SentinelHubBatchTrigger(**arguments(request_id=request_id))
        events = [event.payload async for event in trigger.run()]
        await rotation
        return events

    with structlog.testing.capture_logs() as lines:
        [event] = run_on_the_clock(scene())
    assert event["outcome"] == "done"
    assert "the-new-secret" not in json.dumps(lines, default=str)


def test_credentials_that_stay_refused_end_the_wait_though_the_connection_cannot_be_read_again(
    emulator, monkeypatch
):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    wait = SentinelHubBatchTrigger(**arguments(request_id=request_id))

    async def scene():
        watching = asyncio.create_task(anext(wait.run()))
        await asyncio.sleep(300)
        emulator.rotate_secret("another")
        emulator.revoke_tokens()
        monkeypatch.delenv("AIRFLOW_CONN_SH")
        return await watching

    with structlog.testing.capture_logs():
        event = run_on_the_clock(scene()).payload
    assert event["outcome"] == "invalid_credentials"
    assert event["job"]["status"] == "PROCESSING", "as last seen"


def test_it_looks_once_an_interval_beginning_when_it_is_told_to(emulator, time):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    began = time.now()
    given = arguments(request_id=request_id, poke_interval=60.0, first_poll_after=120.0, timeout_at=began + 300)
    event, _ = fire(SentinelHubBatchTrigger(**given))
    assert event["outcome"] == "timeout"
    # It waits a moment for others that begin.
    assert looked_at(emulator, began) == pytest.approx([120 + 1.5, 180 + 1.5, 240 + 1.5, 300], abs=0.01)


def looked_at(emulator, began):
    """When jobs were asked for, in seconds since the beginning."""
    recent = emulator.requests()["recent"]
    times = [datetime.fromisoformat(each["service_time"]) for each in recent if "/batch" in each["path"]]
    return [moment.timestamp() - began for moment in times]


def test_it_closes_its_connections(emulator, monkeypatch):
    from airflow_sentinelhub.client.batch import BatchClient

    close, closed = BatchClient.close, threading.Event()
    monkeypatch.setattr(BatchClient, "close", lambda client: (close(client), closed.set()))
    fire(SentinelHubBatchTrigger(**arguments(request_id=emulator.add_job("process", steps=[{"status": "DONE"}]))))
    assert closed.wait(60)


def test_a_secrets_backend_that_is_away_is_only_weather(emulator, monkeypatch):
    request_id = emulator.add_job("process", steps=[{"status": "DONE"}])
    read, failures = SentinelHubHook.aget_config, 1

    async def sometimes(hook):
        nonlocal failures
        if failures:
            failures -= 1
            raise hook._unreadable(ConnectionError("vault:8200 with s3cr3t"))
        return await read(hook)

    monkeypatch.setattr(SentinelHubHook, "aget_config", sometimes)
    event, lines = fire(SentinelHubBatchTrigger(**arguments(request_id=request_id)))
    assert event["outcome"] == "done"
    assert "could not be read (ConnectionError)" in "\n".join(lines)
    assert "s3cr3t" not in "\n".join(lines)


def test_an_error_of_our_own_is_a_verdict_and_no_crash(emulator, monkeypatch):
    """Airflow's soft_fail would skip the task if the trigger crashed."""

    async def broken(hook):
        raise RuntimeError("a bug")

    monkeypatch.setattr(SentinelHubHook, "aget_config", broken)
    event, _ = fire(SentinelHubBatchTrigger(**arguments()))
    assert event["outcome"] == "error"
    assert "RuntimeError: a bug" in event["message"]


def test_a_connection_without_a_host_never_worked(emulator, monkeypatch):
    async def broken(hook):
        raise InvalidConnection("host is empty")

    monkeypatch.setattr(SentinelHubHook, "aget_config", broken)
    assert fire(SentinelHubBatchTrigger(**arguments()))[0]["outcome"] == "invalid_connection"


def test_a_v1_wait_for_a_v2_job_names_the_right_sensor_at_once(emulator):
    request_id = emulator.add_job("process")
    event, lines = fire(SentinelHubBatchTrigger(**arguments(request_id=request_id, api="process_v1")))
    assert event["outcome"] == "not_found"
    assert "SentinelHubBatchProcessJobSensor" in event["message"]
    assert "SentinelHubBatchProcessJobSensor" in lines[-1]


def test_a_statistical_wait_asks_lightly_where_it_can(emulator):
    steps = [{"status": "CREATED", "seconds": 180}, {"status": "PROCESSING", "seconds": 360}, {"status": "DONE"}]
    request_id = emulator.add_job("statistical", steps=steps)
    event, _ = fire(SentinelHubBatchTrigger(**arguments(request_id=request_id, api="statistical")))
    assert event["outcome"] == "done"
    counts = emulator.requests()["by_path"]
    light = sum(count for path, count in counts.items() if path.endswith("/status"))
    assert light >= 3
    assert sum(counts.values()) - light >= 2


def test_cancelling_it_is_quick_and_asks_nothing_of_the_service(emulator, time):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    emulator.fault("hang", method="GET", times=None)

    async def scene():
        async def drain():
            async for _ in SentinelHubBatchTrigger(**arguments(request_id=request_id)).run():
                pass

        running = asyncio.create_task(drain())
        await asyncio.sleep(5)
        asked, began = emulator.requests()["total"], time.monotonic()
        assert hanging(emulator) == 1
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert time.monotonic() == began
        assert hanging(emulator) == 1, "it does not wait for the answer"
        assert emulator.requests()["total"] == asked

    run_on_the_clock(scene())
    assert not any(emulator.requests()["actions"].values())


def test_a_service_that_hangs_does_not_postpone_the_deadline(emulator, time):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    emulator.fault("hang", method="GET", times=None)
    began = time.now()
    event, lines = fire(SentinelHubBatchTrigger(**arguments(request_id=request_id, timeout_at=began + 300)))
    assert event["outcome"] == "timeout"
    assert time.now() - began == pytest.approx(300 + FINAL_POLL_TIMEOUT, abs=0.01)
    assert request_id in lines[-1]


def test_a_restarted_trigger_does_not_take_one_refusal_for_the_end(emulator):
    """Its memory is empty, but a wait this old would be over if the credentials had never worked."""
    request_id = emulator.add_job("process", steps=[{"status": "DONE"}])
    emulator.fault(status=401, api="token", times=1)
    old = arguments(request_id=request_id, started_at=clock.now() - 3600)
    assert fire(SentinelHubBatchTrigger(**old))[0]["outcome"] == "done"


def test_the_last_look_at_a_statistical_job_is_a_whole_one(emulator):
    steps = [{"status": "PROCESSING", "seconds": 240}, {"status": "DONE"}]
    request_id = emulator.add_job("statistical", steps=steps)
    event, _ = fire(SentinelHubBatchTrigger(**arguments(request_id=request_id, api="statistical")))
    assert "userAction" in event["job"]


def fire_all(triggers):
    """Run triggers on one event loop, as a triggerer does, and give their events."""

    async def events():
        return [event.payload for event in await asyncio.gather(*(anext(trigger.run()) for trigger in triggers))]

    with structlog.testing.capture_logs():
        return run_on_the_clock(events())


def polls(emulator):
    return sum(count for path, count in emulator.requests()["by_path"].items() if "/batch" in path)


def test_the_triggers_of_an_account_share_requests_and_a_token(emulator):
    steps = [{"status": "PROCESSING", "seconds": 150}, {"status": "DONE"}]
    jobs = [emulator.add_job("process", steps=steps) for _ in range(50)]
    given = [arguments(request_id=job) for job in jobs]
    events = fire_all([SentinelHubBatchTrigger(**each) for each in given])
    assert [event["outcome"] for event in events] == ["done"] * 50
    assert [event["job_id"] for event in events] == jobs
    assert polls(emulator) == 4, "after 0, 1, 2 and 3 minutes"
    assert emulator.requests()["by_api"]["token"] == 1


def test_when_all_have_ended_nothing_is_left(emulator):
    """No thread and no connection, neither of waits that ended nor of one that was cancelled."""

    def kept():
        connections = psutil.Process().net_connections(kind="tcp")
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("sentinelhub-poll")]
        return {*threads, *(each.laddr for each in connections if each.status == psutil.CONN_ESTABLISHED)}

    before = kept()
    jobs = [emulator.add_job("process", steps=[{"status": status}]) for status in ["DONE"] * 5 + ["PROCESSING"]]

    async def scene():
        waits = [
            asyncio.create_task(anext(SentinelHubBatchTrigger(**arguments(request_id=job)).run())) for job in jobs
        ]
        await asyncio.wait(waits[:5])
        assert kept() - before
        waits[5].cancel()
        await asyncio.wait(waits[5:])

    with structlog.testing.capture_logs():
        run_on_the_clock(scene())
    deadline = real_time.monotonic() + 60
    while kept() - before and real_time.monotonic() < deadline:
        real_time.sleep(0.05)
    assert not kept() - before


def test_a_secret_that_is_rotated_moves_all_waits_to_the_new_one(emulator, monkeypatch):
    steps = [{"status": "PROCESSING", "seconds": 1800}, {"status": "DONE"}]
    jobs = [emulator.add_job("process", steps=steps) for _ in range(10)]
    connection = json.loads(os.environ["AIRFLOW_CONN_SH"])

    async def rotate():
        await asyncio.sleep(300)
        emulator.rotate_secret("another")
        emulator.revoke_tokens()
        monkeypatch.setenv("AIRFLOW_CONN_SH", json.dumps({**connection, "password": "another"}))

    async def scene():
        triggers = [SentinelHubBatchTrigger(**arguments(request_id=job)) for job in jobs]
        events, _ = await asyncio.gather(asyncio.gather(*(anext(each.run()) for each in triggers)), rotate())
        return [event.payload["outcome"] for event in events]

    with structlog.testing.capture_logs():
        assert run_on_the_clock(scene()) == ["done"] * 10


def test_tokens_that_are_revoked_are_renewed_once_for_all(emulator):
    steps = [{"status": "PROCESSING", "seconds": 600}, {"status": "DONE"}]
    jobs = [emulator.add_job("process", steps=steps) for _ in range(10)]

    async def revoke():
        await asyncio.sleep(300)
        emulator.revoke_tokens()

    async def scene():
        triggers = [SentinelHubBatchTrigger(**arguments(request_id=job)) for job in jobs]
        events, _ = await asyncio.gather(asyncio.gather(*(anext(each.run()) for each in triggers)), revoke())
        return [event.payload["outcome"] for event in events]

    with structlog.testing.capture_logs():
        assert run_on_the_clock(scene()) == ["done"] * 10
    assert emulator.requests()["by_api"]["token"] == 2


def test_of_two_connections_to_one_account_the_lower_limit_wins(emulator, monkeypatch):
    connection = json.loads(os.environ["AIRFLOW_CONN_SH"])
    for name, limit in (("MANY", 1000), ("FEW", 5)):
        extra = {**connection["extra"], "requests_per_minute": limit}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({**connection, "extra": json.dumps(extra)}))
    emulator.fault(status=403, method="GET", path="/batch/process$", times=None)
    jobs = [emulator.add_job("process", steps=[{"status": "PROCESSING"}]) for _ in range(10)]
    given = [
        arguments(request_id=job, sentinelhub_conn_id=name, timeout_at=clock.now() + 20)
        for job, name in zip(jobs, ["many"] * 9 + ["few"], strict=True)
    ]
    events = fire_all([SentinelHubBatchTrigger(**each) for each in given])
    # In less than a minute, its last look included.
    assert {event["outcome"] for event in events} == {"timeout"}
    assert polls(emulator) <= 5


class Pushed:
    """Airflow's XComs, as far as a triggerer below 3.3 does not have them."""

    def __init__(self, error=None):
        self.error, self.values = error, []

    async def aset(self, **given):
        if self.error:
            raise self.error
        self.values.append(given)


TASK = SimpleNamespace(dag_id="a_dag", task_id="wait", run_id="a_run", map_index=3)


def end(emulator, monkeypatch, xcom, **given):
    """Fire as a triggerer does, which knows the task, and give the event itself."""
    job = emulator.add_job("process", steps=[{"status": "DONE"}])
    trigger = SentinelHubBatchTrigger(**arguments(request_id=job, end_from_trigger=True, **given))
    trigger.task_instance = TASK
    monkeypatch.setattr("airflow_sentinelhub.triggers.xcom.XCom", xcom)

    async def first():
        return await anext(trigger.run())

    with structlog.testing.capture_logs():
        return run_on_the_clock(first())


def test_it_ends_the_task_itself_when_it_is_told_to(emulator, monkeypatch):
    xcom = Pushed()
    assert isinstance(end(emulator, monkeypatch, xcom), TaskSuccessEvent)
    [pushed] = xcom.values
    assert pushed.pop("value")["status"] == "DONE"
    assert pushed == {"key": "return_value", **vars(TASK)}


def test_it_pushes_nothing_that_is_not_wanted(emulator, monkeypatch):
    xcom = Pushed()
    assert isinstance(end(emulator, monkeypatch, xcom, do_xcom_push=False), TaskSuccessEvent)
    assert xcom.values == []


@pytest.mark.parametrize("xcom", [object(), Pushed(ConnectionError("the database is away"))])
def test_a_worker_ends_the_task_where_the_triggerer_cannot_push_the_result(emulator, monkeypatch, xcom):
    assert end(emulator, monkeypatch, xcom).payload["outcome"] == "done"


@pytest.mark.parametrize("status", ["FAILED", "DONE"])
def test_it_leaves_to_a_worker_what_failed_and_all_that_dag_test_runs(emulator, status):
    job = emulator.add_job("process", steps=[{"status": status}])
    trigger = SentinelHubBatchTrigger(**arguments(request_id=job, end_from_trigger=True))
    if status == "FAILED":
        trigger.task_instance = TASK
    assert fire(trigger)[0]["outcome"] == status.lower()


def test_what_cannot_be_encoded_is_cleaned_and_leaves_the_triggerer_alone(emulator, monkeypatch):
    """The SDK's encoder raises outside of every handler, and ends the process."""
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": REQUEST_ID, "status": "DONE"})
    for odd in (2**64, "cut \ud83d", "a\0b", {"a": [float("nan")]}, {"\udc00": 1}):
        job.payload["odd"] = odd

        async def done(trigger):
            return Verdict(Outcome.DONE, BatchApi.PROCESS, REQUEST_ID, job=job)

        monkeypatch.setattr(SentinelHubBatchTrigger, "_wait", done)
        event, _ = fire(SentinelHubBatchTrigger(**arguments()))
        msgspec.msgpack.encode(event)
        verdict = Verdict.from_json(event)
        assert verdict.outcome is Outcome.DONE
        assert verdict.job.id == REQUEST_ID


def test_whatever_goes_wrong_in_it_ends_in_an_event(emulator, monkeypatch):
    async def broken(trigger, *given):
        raise UnicodeError("half of \ud83d")

    for name in ("_wait", "_event"):
        with monkeypatch.context() as patched:
            patched.setattr(SentinelHubBatchTrigger, name, broken)
            request_id = emulator.add_job("process", status="DONE")
            event, lines = fire(SentinelHubBatchTrigger(**arguments(request_id=request_id)))
        msgspec.msgpack.encode(event)
        assert event["outcome"] == "error"
        assert "UnicodeError: half of \ufffd" in event["message"]
        for line in lines:
            line.encode()
