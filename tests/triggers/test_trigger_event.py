"""The trigger that fires when jobs end: what it takes and keeps, and that it fires against a real service."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger

from airflow_sentinelhub.exceptions import InvalidRequestId
from airflow_sentinelhub.triggers.asset_store import AssetCursorStore
from airflow_sentinelhub.triggers.event import SentinelHubBatchEventTrigger
from tests.harness.versions import deserialize, needs_airflow, serialize
from tests.harness.virtual_time import run_on_the_clock
from tests.triggers.watcher import Database, StateStore, running

JOB_ID = str(uuid.UUID(int=5))
PROCESSING, DONE = [{"status": "PROCESSING"}], [{"status": "DONE", "costPU": 5}]
needs_state_store = needs_airflow("3.3", "has a state store of assets")


def trigger(**given):
    return SentinelHubBatchEventTrigger(**{"sentinelhub_conn_id": "sh", "poll_interval": 60.0, **given})


async def until(condition):
    """Let time pass, an hour at most."""
    async with asyncio.timeout(3600):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(1)


# What it takes and keeps


def test_it_survives_the_database():
    given = {
        "api": "process_v1",
        "statuses": ("PARTIAL", "DONE"),
        "description": "ndvi",
        "description_pattern": "(?i)crete",
        "request_ids": [{"id": JOB_ID, "status": "CREATED"}],
        "poll_interval": timedelta(minutes=2),
        "since": datetime(2026, 1, 1, 12, tzinfo=UTC),
    }
    original = trigger(**given)
    classpath, kwargs = original.serialize()
    assert classpath == f"{SentinelHubBatchEventTrigger.__module__}.{SentinelHubBatchEventTrigger.__name__}"
    assert kwargs == {
        "api": "process_v1",
        "sentinelhub_conn_id": "sh",
        "statuses": ["DONE", "PARTIAL"],
        "description": "ndvi",
        "description_pattern": "(?i)crete",
        "request_ids": [JOB_ID],
        "poll_interval": 120.0,
        "since": "2026-01-01T12:00:00+00:00",
    }
    again = SentinelHubBatchEventTrigger(**deserialize(json.loads(json.dumps(serialize(kwargs)))))
    assert again.serialize() == (classpath, kwargs)
    assert again.filter == original.filter


def test_airflow_finds_the_trigger_again_that_it_has_stored():
    """By a hash of its arguments: were that another one after each parsing, it would be started anew each time."""

    def hash_of(**given):
        return BaseEventTrigger.hash(*trigger(**given).serialize())

    assert hash_of() == hash_of()
    assert hash_of(statuses=["DONE", "FAILED"]) == hash_of(statuses=("FAILED", "DONE"))
    kwargs = deserialize(json.loads(json.dumps(serialize(trigger().serialize()[1]))))
    assert BaseEventTrigger.hash(trigger().serialize()[0], kwargs) == hash_of()
    assert hash_of(description="a") != hash_of()


def test_it_goes_into_a_watcher():
    asset = Asset("ended", watchers=[AssetWatcher(name="ended", trigger=trigger())])
    assert asset.watchers[0].trigger.api == "process"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"api": "byoc"}, "api must be one of 'process'"),
        ({"api": "statistical", "description": "a"}, "Batch Statistical jobs have no description"),
        ({"statuses": ["CANCELED"]}, "in which no Batch Process job ends"),
        ({"description_pattern": "["}, "no regular expression"),
        ({"poll_interval": 0}, "must be more than 0 s"),
        ({"poll_interval": float("inf")}, "finite"),
        ({"poll_interval": "60"}, "must be a number of seconds or a timedelta"),
        ({"since": datetime(2026, 1, 1)}, "a datetime with a time zone"),
        ({"since": "2026-01-01"}, "a datetime with a time zone"),
        ({"since": "soon"}, "it is 'soon'"),
    ],
)
def test_arguments_that_make_no_sense_fail_when_the_dag_is_parsed(given, says):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is looked at
        trigger(**given)
    assert says in str(raised.value)


def test_an_id_that_is_none_fails_when_the_dag_is_parsed():
    with pytest.raises(InvalidRequestId, match="tuesday"):
        trigger(request_ids=["tuesday"])


def test_a_misspelt_argument_is_refused():
    with pytest.raises(TypeError, match="descripton"):
        trigger(descripton="ndvi")


def test_it_uses_no_name_that_the_triggerer_overwrites():
    taken = {"task_id", "task_instance", "trigger_id", "triggerer_job_id", "timeout_after", "template_fields"}
    assert not taken & set(trigger().serialize()[1])


def test_what_was_fired_is_kept_under_what_it_fires_for():
    assert trigger(poll_interval=60, since="2026-01-01T00:00:00Z").cursor_key == trigger().cursor_key
    keys = {
        trigger(**given).cursor_key
        for given in ({}, {"description": "a"}, {"statuses": "DONE"}, {"sentinelhub_conn_id": "other"})
    }
    assert len(keys) == 4


# Against a service


@needs_state_store
def test_it_fires_for_jobs_that_end_and_survives_its_death(emulator):
    ended = emulator.add_job("process", steps=DONE)
    first, second = (emulator.add_job("process", steps=PROCESSING) for _ in range(2))
    database = Database()

    async def scene():
        async with running(trigger(), database):
            await until(lambda: database.in_flight == 0)
            emulator.set_scenario(first, steps=DONE)
            await until(lambda: database.events and not database.in_flight)
        emulator.set_scenario(second, steps=[{"status": "FAILED", "error": "Evalscript broken"}])
        async with running(trigger(), database):
            await until(lambda: len(database.events) == 2 and not database.in_flight)

    run_on_the_clock(scene())
    done, failed = database.events
    assert (done["id"], done["status"], done["costPU"]) == (first, "DONE", 5)
    assert done["event"] == {"api": "process", "key": f"{first} DONE", "may_be_repeated": False}
    assert (failed["id"], failed["error"]) == (second, "Evalscript broken")
    assert "request" not in done
    assert ended not in json.dumps(database.events)
    assert emulator.client_secret not in json.dumps([database.events, database.values])


@needs_state_store
def test_an_event_that_was_not_stored_is_fired_again(emulator):
    """The triggerer is killed after the trigger has fired, and before Airflow has the event."""
    job = emulator.add_job("process", steps=PROCESSING)
    database = Database()

    async def scene():
        async with running(trigger(), database, stores_after=600):
            await until(lambda: database.in_flight == 0)
            emulator.set_scenario(job, steps=DONE)
            await until(lambda: database.in_flight == 1)
            await asyncio.sleep(300)
            assert database.events == []
        async with running(trigger(), database):
            await until(lambda: database.events and not database.in_flight)

    run_on_the_clock(scene())
    assert [event["event"]["may_be_repeated"] for event in database.events] == [True]


def test_without_a_state_store_it_fires_for_what_ends_while_it_runs(emulator):
    emulator.add_job("process", steps=DONE)
    job = emulator.add_job("process", steps=PROCESSING)

    async def scene():
        events = trigger(since="2020-01-01T00:00:00Z").run()
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(30)  # it has looked once
        emulator.set_scenario(job, steps=DONE)
        event = await asyncio.wait_for(waiting, 3600)
        await events.aclose()
        return event.payload

    with structlog.testing.capture_logs() as lines:
        payload = run_on_the_clock(scene())
    assert (payload["id"], payload["event"]["may_be_repeated"]) == (job, False)
    warnings = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert len(warnings) == 1
    assert "start no DAG, and since has no effect" in warnings[0]


def test_without_a_state_store_it_asks_airflow_for_no_stream():
    assert trigger().shared_stream_key() is None


@needs_state_store
def test_each_trigger_has_a_stream_of_its_own():
    one, other = trigger(), trigger()
    one.asset_state_store = other.asset_state_store = StateStore(Database())
    assert one.shared_stream_key() == one.shared_stream_key() != other.shared_stream_key()


@needs_state_store
def test_a_connection_that_is_missing_at_first_is_waited_for(emulator, monkeypatch):
    database = Database()
    connection = os.environ["AIRFLOW_CONN_SH"]
    monkeypatch.delenv("AIRFLOW_CONN_SH")

    async def scene():
        async with running(trigger(), database) as task:
            await asyncio.sleep(600)
            assert not task.done()
            monkeypatch.setenv("AIRFLOW_CONN_SH", connection)
            await until(lambda: database.in_flight == 0)

    with structlog.testing.capture_logs() as lines:
        run_on_the_clock(scene())
    told = [line["event"] for line in lines if "'sh'" in line["event"] and line["log_level"] == "warning"]
    assert len(told) == 1
    assert "does not exist" in told[0]


@needs_state_store
def test_a_rotated_secret_is_picked_up(emulator, monkeypatch):
    job = emulator.add_job("process", steps=PROCESSING)
    database = Database()
    connection = json.loads(os.environ["AIRFLOW_CONN_SH"])

    async def scene():
        async with running(trigger(), database):
            await until(lambda: database.in_flight == 0)
            emulator.rotate_secret("the-new-secret")
            emulator.revoke_tokens()
            await asyncio.sleep(30)
            monkeypatch.setenv("AIRFLOW_CONN_SH", json.dumps({**connection, "password": "the-new-secret"}))
            emulator.set_scenario(job, steps=DONE)
            await until(lambda: database.events)

    with structlog.testing.capture_logs() as lines:
        run_on_the_clock(scene())
    assert database.keys == ["DONE"]
    assert "the-new-secret" not in json.dumps([str(line) for line in lines])


# The state store


class BlockingStore:
    """That of Airflow 3.3.0 and 3.3.1."""

    def __init__(self):
        self.values = {}

    def get(self, key, default=None):
        return self.values.get(key, default)

    def set(self, key, value):
        self.values[key] = value


def test_the_state_store_of_the_first_releases_is_used_in_a_thread():
    notebook = AssetCursorStore(BlockingStore(), "key")

    async def scene():
        before = await notebook.read()
        await notebook.write({"a": 1})
        return before, await notebook.read()

    assert run_on_the_clock(scene()) == (None, {"a": 1})


def test_two_assets_with_the_same_trigger_share_what_was_fired():
    one, other = Database(), Database()

    async def scene():
        await AssetCursorStore(StateStore(one), "key").write({"a": 1})
        both = AssetCursorStore(StateStore(other, one), "key")
        assert await both.read() == {"a": 1}
        await both.write({"a": 2})

    run_on_the_clock(scene())
    assert one.values == other.values == {"key": '{"a": 2}'}
