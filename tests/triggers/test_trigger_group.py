"""The trigger of a group: one event, two requests a cycle, and nothing that is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import uuid

import pytest
import structlog
from airflow.triggers.base import BaseTrigger

from airflow_sentinelhub import clock
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.polling import registry
from airflow_sentinelhub.triggers import group as module
from airflow_sentinelhub.triggers.group import FINAL_POLL_TIMEOUT, SentinelHubBatchGroupTrigger
from tests.harness.trigger_arguments import nested
from tests.harness.versions import deserialize, needs_airflow, serialize
from tests.harness.virtual_time import run_on_the_clock

REQUEST_IDS = ["6aa8765a-0000-4000-8000-00000000000a", "6aa8765a-0000-4000-8000-00000000000b"]
PROCESSING, DONE = {"status": "PROCESSING"}, {"status": "DONE"}


def arguments(**given):
    now = clock.now()
    flat = {
        "api": "process",
        "request_ids": REQUEST_IDS,
        "sentinelhub_conn_id": "sh",
        "poke_interval": 60.0,
        "analysis_poke_interval": 10.0,
        "started_at": now,
        "timeout_at": now + 7200,
        **given,
    }
    return nested(flat)


def fire(**given):
    async def events():
        found = [event.payload async for event in SentinelHubBatchGroupTrigger(**arguments(**given)).run()]
        assert asyncio.all_tasks() == {asyncio.current_task()} or await _settled()
        return found

    with structlog.testing.capture_logs() as lines:
        [event] = run_on_the_clock(events())
    return event, [line["event"] for line in lines]


async def _settled():
    """Whether nothing is left when those that were cancelled have ended."""
    await asyncio.sleep(0.05)
    return asyncio.all_tasks() == {asyncio.current_task()}


def outcomes(event):
    return [outcome for outcome, _ in event["jobs"].values()]


def polls(emulator):
    return {path: count for path, count in emulator.requests()["by_path"].items() if "/batch" in path}


def test_it_survives_the_database():
    trigger = SentinelHubBatchGroupTrigger(
        **arguments(
            until=2,
            fail_fast=False,
            execution_timeout_at=clock.now() + 10,
            allow_partial=True,
            start_grace=None,
            stall_timeout=60.0,
            outage_tolerance=61.0,
            slowest_poke_interval=63.0,
            fire_not_before=64.0,
        )
    )
    classpath, kwargs = trigger.serialize()
    assert classpath == f"{SentinelHubBatchGroupTrigger.__module__}.{SentinelHubBatchGroupTrigger.__name__}"
    assert json.loads(json.dumps(kwargs)) == kwargs
    again = SentinelHubBatchGroupTrigger(**deserialize(json.loads(json.dumps(serialize(kwargs)))))
    assert again.serialize() == (classpath, kwargs)
    assert (again.policy, again.deadlines, again.quorum) == (trigger.policy, trigger.deadlines, trigger.quorum)
    assert (again.request_ids, again.fire_not_before) == (REQUEST_IDS, 64.0)
    assert (again.policy.outage_tolerance, again.policy.slowest_poke_interval) == (61.0, 63.0)


def test_rows_of_other_versions_still_load():
    old = SentinelHubBatchGroupTrigger(**arguments())
    assert (old.quorum.until, old.quorum.fail_fast, old.policy.start_grace) == ("all", True, 3600)
    assert SentinelHubBatchGroupTrigger(**arguments(), from_the_future={"a": 1}).api == "process"


def test_it_uses_no_name_that_the_triggerer_overwrites():
    taken = {"task_id", "task_instance", "trigger_id", "triggerer_job_id", "timeout_after", "template_fields"}
    assert not taken & set(SentinelHubBatchGroupTrigger(**arguments()).serialize()[1])


@needs_airflow("3.3", "tells a trigger that its task was killed")
def test_it_does_nothing_when_it_is_killed():
    assert SentinelHubBatchGroupTrigger.on_kill is BaseTrigger.on_kill


def test_two_hundred_jobs_cost_two_requests_a_cycle(emulator):
    jobs = [emulator.add_job("process", steps=[PROCESSING]) for _ in range(200)]
    event, lines = fire(request_ids=jobs, timeout_at=clock.now() + 600)
    assert outcomes(event) == ["timeout"] * 200
    requests = polls(emulator)
    assert set(requests) == {"GET /api/v2/batch/process"}, "the list alone"
    # In ten minutes: the first look, one each minute, which may come a fifth early or late, and the last.
    assert 2 * 10 <= sum(requests.values()) <= 2 * 14
    assert emulator.requests()["by_api"]["token"] == 1
    assert len(lines) <= 5


def test_the_jobs_end_when_they_will_and_the_event_has_no_job(emulator):
    jobs = [
        emulator.add_job("process", steps=[{**PROCESSING, "seconds": 180 * number}, {**DONE, "costPU": 5}])
        for number in range(5)
    ]
    event, lines = fire(request_ids=jobs)
    assert event["outcome"] == "done"
    assert event["jobs"] == {job: ["done", "DONE"] for job in jobs}
    assert json.loads(json.dumps(event)) == event
    assert len(json.dumps(event)) < 500
    assert lines[-2].startswith("5 of 5 done; 25 PU, waited ")
    assert all(job in lines[-1] for job in jobs)


def test_with_the_first_failure_the_others_are_left_alone(emulator):
    jobs = [emulator.add_job("process", steps=[PROCESSING]) for _ in range(3)]
    bad = emulator.add_job(
        "process", steps=[{**PROCESSING, "seconds": 300}, {"status": "FAILED", "error": "Broken"}]
    )
    event, lines = fire(request_ids=[*jobs, bad])
    assert event["outcome"] == "failed"
    assert event["jobs"] == {**{job: ["waiting", "PROCESSING"] for job in jobs}, bad: ["failed", "FAILED"]}
    assert "Broken" in event["message"]
    assert event["cause"]["job"] == {"id": bad, "status": "FAILED"}
    assert sum("Broken" in line for line in lines) == 2, "when it happens, and the verdict"
    assert not any(emulator.requests()["actions"].values())


def test_jobs_that_come_with_the_same_page_count_as_well(emulator):
    good = [emulator.add_job("process", steps=[DONE]) for _ in range(90)]
    bad = emulator.add_job("process", steps=[{"status": "FAILED"}])  # the newest, on top of the page
    event, _ = fire(request_ids=[bad, *good])
    assert outcomes(event) == ["failed", *["done"] * 90]


def test_time_is_up_for_all_at_once_after_a_last_look(emulator, time):
    began = time.now()
    slow = emulator.add_job("process", steps=[PROCESSING])
    late = emulator.add_job("process", steps=[{**PROCESSING, "seconds": 50}, DONE])
    event, _ = fire(request_ids=[slow, late], poke_interval=3000.0, timeout_at=began + 150)
    assert event["outcome"] == "timeout"
    assert outcomes(event) == ["timeout", "done"]
    assert time.now() - began == pytest.approx(150 + module.COALESCE_WINDOW, abs=0.01)


def test_a_service_that_hangs_does_not_postpone_the_deadline(emulator, time):
    jobs = [emulator.add_job("process", steps=[PROCESSING]) for _ in range(3)]
    emulator.fault("hang", method="GET", times=None)
    began = time.now()
    event, _ = fire(request_ids=jobs, timeout_at=began + 300)
    assert event["outcome"] == "timeout"
    assert time.now() - began == pytest.approx(300 + FINAL_POLL_TIMEOUT, abs=0.1)


def test_it_does_not_fire_before_airflow_has_settled_the_deferral(emulator, time):
    began = time.now()
    fire(request_ids=[emulator.add_job("process", steps=[DONE])], fire_not_before=began + 7)
    assert time.now() - began == pytest.approx(7, abs=0.1)


def test_a_rotated_secret_moves_all_jobs_and_the_connection_is_read_a_few_times(emulator, monkeypatch):
    steps = [{**PROCESSING, "seconds": 1800}, DONE]
    jobs = [emulator.add_job("process", steps=steps) for _ in range(20)]
    connection = json.loads(os.environ["AIRFLOW_CONN_SH"])
    read, reads = SentinelHubHook.aget_config, []

    async def counted(hook):
        reads.append(hook)
        await asyncio.sleep(0.01)
        return await read(hook)

    async def rotate():
        await asyncio.sleep(300)
        emulator.rotate_secret("another")
        emulator.revoke_tokens()
        monkeypatch.setenv("AIRFLOW_CONN_SH", json.dumps({**connection, "password": "another"}))

    async def scene():
        trigger = SentinelHubBatchGroupTrigger(**arguments(request_ids=jobs))
        event, _ = await asyncio.gather(anext(trigger.run()), rotate())
        return event.payload

    monkeypatch.setattr(SentinelHubHook, "aget_config", counted)
    with structlog.testing.capture_logs() as lines:
        event = run_on_the_clock(scene())
    assert outcomes(event) == ["done"] * 20
    assert len(reads) <= 8, "and not for each job"
    assert "another" not in json.dumps(lines, default=str)


def test_a_connection_that_does_not_exist_is_a_clear_verdict():
    event, lines = fire(sentinelhub_conn_id="nowhere")
    assert event["outcome"] == "invalid_connection"
    assert "'nowhere' does not exist" in event["message"]
    assert sum("does not exist" in line for line in lines) == 2, "once for all jobs, and the verdict"


@pytest.mark.parametrize("where", ["_watch", "_watch_one"])
def test_an_error_of_our_own_is_a_verdict_and_no_crash(emulator, monkeypatch, where):
    async def broken(*_):
        raise RuntimeError("a bug")

    if where == "_watch":
        monkeypatch.setattr(SentinelHubBatchGroupTrigger, "_watch", broken)
    else:
        monkeypatch.setattr(module, "watch", broken)
    event, _ = fire()
    assert event["outcome"] == "error"
    assert "RuntimeError: a bug" in event["message"]
    assert set(event["jobs"]) == set(REQUEST_IDS)


@pytest.mark.parametrize("after", [0.0, 1.0, 30.0, 65.0])
def test_cancelling_it_is_quick_and_leaves_nothing_and_hurts_nobody(emulator, time, after):
    steps = [{**PROCESSING, "seconds": 150}, DONE]
    jobs = [emulator.add_job("process", steps=steps) for _ in range(20)]

    async def first(trigger):
        return (await anext(trigger.run())).payload

    async def scene():
        given = arguments(request_ids=jobs)
        stays = asyncio.create_task(first(SentinelHubBatchGroupTrigger(**given)))
        goes = asyncio.create_task(first(SentinelHubBatchGroupTrigger(**given)))
        await asyncio.sleep(after)
        goes.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await goes
        assert time.monotonic() == began
        event = await stays
        await asyncio.sleep(0.05)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not [key for key in registry._POLLERS if not key.loop.is_closed()]
        return event

    with structlog.testing.capture_logs():
        assert outcomes(run_on_the_clock(scene())) == ["done"] * 20
    assert not any(emulator.requests()["actions"].values())


def test_jobs_that_nobody_knows(emulator):
    known, unknown = emulator.add_job("process", steps=[DONE]), str(uuid.uuid4())
    event, _ = fire(request_ids=[known, unknown])
    assert event["jobs"] == {known: ["done", "DONE"], unknown: ["not_found", ""]}
    assert event["outcome"] == "not_found"


def test_v1_jobs_that_belong_to_v2_are_told_apart(emulator):
    event, _ = fire(api="process_v1", request_ids=[emulator.add_job("process")])
    assert "SentinelHubBatchProcessJobSensor" in event["message"]


def test_a_wait_whose_end_cannot_be_told_ends_the_group_all_the_same(emulator, monkeypatch):
    def broken(group, verdict):
        raise OSError("disk full")

    monkeypatch.setattr("airflow_sentinelhub.waits.group_progress_log.GroupProgressLog.job_ended", broken)
    event, _ = fire(request_ids=[emulator.add_job("process", steps=[DONE])])
    assert event["outcome"] == "done"
