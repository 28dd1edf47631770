"""The trigger of a group over hours, in virtual time: what it asks, and how little it says."""

from __future__ import annotations

import asyncio
import re
import types
import uuid

import pytest
import structlog

from airflow_sentinelhub import clock
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.polling import registry
from airflow_sentinelhub.triggers import poller_client
from airflow_sentinelhub.triggers.group import SentinelHubBatchGroupTrigger
from tests.harness.trigger_arguments import nested
from tests.harness.virtual_time import run
from tests.polling.scripted_account import NEVER, OUTAGE, ScriptedAccount, VirtualAsker

HOUR = 3600.0
JOBS = [str(uuid.UUID(int=number)) for number in range(200)]


class Config:
    base_url, url_layout, account, client_id, auth_url = (
        "https://sh.example",
        "legacy",
        ("id",),
        "id",
        "https://auth",
    )
    requests_per_minute = None


@pytest.fixture
def account(monkeypatch):
    account = ScriptedAccount()

    async def config(hook):
        return Config

    loop_time = types.SimpleNamespace(now=lambda: 1_000_000.0 + asyncio.get_running_loop().time())
    monkeypatch.setattr(SentinelHubHook, "aget_config", config)
    monkeypatch.setattr(registry, "Requester", VirtualAsker)
    monkeypatch.setattr(poller_client, "_client", lambda config, api: account)
    monkeypatch.setattr(clock, "_clock", loop_time)
    return account


def fire(**given):
    arguments = {
        "api": "process",
        "request_ids": JOBS,
        "sentinelhub_conn_id": "sh",
        "poke_interval": 120.0,
        "analysis_poke_interval": 10.0,
        "started_at": 1_000_000.0,
        "timeout_at": 1_000_000.0 + 24 * HOUR,
        **given,
    }

    async def event():
        events = [event.payload async for event in SentinelHubBatchGroupTrigger(**nested(arguments)).run()]
        assert len(events) == 1
        return events[0]

    with structlog.testing.capture_logs() as lines:
        event = run(event())
    return event, [line["event"] for line in lines]


def test_two_hundred_jobs_cost_two_requests_a_cycle(account):
    account.add(*JOBS)
    event, lines = fire(timeout_at=1_000_000.0 + 6 * HOUR)
    assert event["outcome"] == "timeout"
    cycles = 6 * HOUR / 120
    assert account.count("get") == 0
    assert 2 * cycles * 0.8 <= account.count("list") <= 2 * (cycles * 1.25 + 2)
    assert len(lines) <= 6 * 6 + 4, "a line in ten minutes, the verdict and the table"


def test_jobs_that_end_one_after_another_over_hours_are_told_in_numbers(account):
    for number, job in enumerate(JOBS):
        account.add(job, life=[(-NEVER, "PROCESSING"), (60.0 * number, "DONE")])
    event, lines = fire()
    assert event["outcome"] == "done"
    assert len(lines) <= 200 / 2 + 20
    assert lines[0].endswith("(Batch Process)")
    assert all(len(line) < 300 for line in lines[:-1])


def test_an_outage_is_told_once_for_all_jobs(account):
    account.add(*JOBS, life=[(-NEVER, "PROCESSING"), (3 * HOUR, "DONE")])
    # Its end is seen a minute later at most: long before a fourth line would be due.
    account.trouble = lambda now, what: OUTAGE if HOUR <= now < HOUR + 1700 else None
    event, lines = fire()
    assert event["outcome"] == "done"
    assert sum(bool(re.search(r"\b503\b", line)) for line in lines) == 3
    assert sum("answers again" in line for line in lines) == 1
    outage = [number for number, line in enumerate(lines) if re.search(r"\b503\b", line)]
    assert outage == [*range(outage[0], outage[0] + 3)], "numbers that nobody has seen are no news"
    assert account.count(since=HOUR, until=HOUR + 1700) <= 60


def test_jobs_that_nobody_starts_fail_one_by_one_and_the_log_stays_readable(account):
    account.add(*JOBS, life=[(-NEVER, "CREATED")])
    for job in account.jobs.values():
        job.at = lambda now, job=job: {"id": job.id, "status": "CREATED", "userAction": "NONE"}
    event, lines = fire()
    assert event["outcome"] == "not_started"
    warnings = [line for line in lines if "not started" in line.lower() or "jobs to look at" in line]
    assert len(warnings) <= 7 * 6 + 200
    assert sum("195 more jobs to look at" in line for line in lines) >= 5
