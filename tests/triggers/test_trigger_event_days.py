"""The trigger that fires when jobs end, over hours, in virtual time: what many cost, and what they survive."""

from __future__ import annotations

import asyncio
import re
import types
from contextlib import AsyncExitStack

import pytest
import structlog

from airflow_sentinelhub import clock
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.polling import registry
from airflow_sentinelhub.triggers import poller_client
from airflow_sentinelhub.triggers.event import SentinelHubBatchEventTrigger
from tests.harness.versions import needs_airflow
from tests.harness.virtual_time import run
from tests.polling.listed_jobs import add
from tests.polling.scripted_account import OUTAGE, ScriptedAccount, VirtualAsker
from tests.triggers.watcher import Database, running

pytestmark = needs_airflow("3.3", "has a state store of assets")

HOUR = 3600.0


class Config:
    base_url, url_layout, account, client_id, auth_url = (
        "https://sh.example",
        "legacy",
        ("id",),
        "id",
        "https://auth",
    )
    requests_per_minute = None
    is_local = False


@pytest.fixture
def account(monkeypatch):
    account = ScriptedAccount(page_size=25)
    for number in range(70):
        add(account, number, "DONE")

    async def config(hook):
        return Config

    monkeypatch.setattr(SentinelHubHook, "aget_config", config)
    monkeypatch.setattr(registry, "Requester", VirtualAsker)
    monkeypatch.setattr(poller_client, "_client", lambda config, api: account)
    monkeypatch.setattr(clock, "_clock", types.SimpleNamespace(now=lambda: asyncio.get_running_loop().time()))
    return account


def lives(*lives):
    """Let triggers run: each with its database, for so many seconds, one group after another."""

    async def scene():
        for duration, triggers in lives:
            async with AsyncExitStack() as stack:
                for trigger, database in triggers:
                    await stack.enter_async_context(running(trigger, database))
                await asyncio.sleep(duration)

    with structlog.testing.capture_logs() as lines:
        run(scene())
    return [line["event"] for line in lines if line["log_level"] in ("info", "warning", "error")]


def test_many_watchers_of_an_account_cost_what_one_does(account):
    for number in range(300, 306):
        add(account, number, "PROCESSING", HOUR, "DONE", description=f"region {number}")
    filters = [{"description": f"region {number}"} for number in range(300, 306)] + [{}] * 6
    databases = [Database() for _ in filters]
    lives(
        (
            2 * HOUR,
            [
                (SentinelHubBatchEventTrigger(poll_interval=60, **given), database)
                for given, database in zip(filters, databases, strict=True)
            ],
        )
    )
    assert [len(database.events) for database in databases] == [1] * 6 + [6] * 6
    assert 120 * 0.8 <= account.count() <= 120 * 1.25 + 3
    assert account.count("get") == 0


def test_a_day_with_restarts_and_an_outage(account):
    for number in range(300, 348):
        add(account, number, "PROCESSING", (number - 300) * HOUR / 2 + 1000, "DONE")
    account.trouble = lambda now, what: OUTAGE if 6 * HOUR < now < 8 * HOUR else None
    database = Database()
    triggerers = [(2.3 * HOUR, [(SentinelHubBatchEventTrigger(), database)]) for _ in range(11)]
    lines = lives(*triggerers)
    assert sorted(event["id"] for event in database.events) == sorted(
        job.id for job in account.jobs.values() if job.life[0][1] == "PROCESSING"
    )
    assert not any(event["event"]["may_be_repeated"] for event in database.events)
    assert sum(bool(re.search(r"\b503\b", line)) for line in lines) == 2, (
        "once in each of the two triggerers that met it"
    )
    assert sum("answers again" in line for line in lines) == 1


def test_an_interval_below_the_limit_is_raised(account):
    lines = lives((600, [(SentinelHubBatchEventTrigger(poll_interval=1), Database())]))
    assert account.count() <= 120 + 5
    assert "poll_interval is raised from 1 s to 5 s." in lines
