"""One bad job harms no other wait, and a list that fails is not the service that fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from unittest import mock

import pytest

from airflow_sentinelhub.exceptions import (
    InvalidPayload,
    RateLimited,
    ServiceUnavailable,
)
from airflow_sentinelhub.jobs import BatchJob, MissingJob, Outcome
from airflow_sentinelhub.jobs import wait_rules as rules
from airflow_sentinelhub.waits import wait as wait_module
from tests.harness.virtual_time import run
from tests.polling.polled_waits import Log, polling, wait_for, watch_for
from tests.polling.scripted_account import NEVER, OUTAGE, Job, ScriptedAccount


def unreadable():
    error = ServiceUnavailable("truncated or broken JSON (200)", http_status=200)
    error.unreadable = True
    return error


@dataclass
class OddJob(Job):
    """A job with more to say; ``hidden`` says when it is 404: spans of seconds."""

    more: dict = field(default_factory=dict)

    def at(self, now):
        return {**super().at(now), **self.more}


def account_with(count, **given):
    account = ScriptedAccount(**given)
    for number in range(count):
        account.add(f"job-{number}", created=-10_000.0 - number)
    return account


def with_odd(account, **more):
    account.jobs["odd"] = OddJob("odd", created=-10_050.5, more=more)
    return account


def watched(account, duration, jobs=None, **given):
    async def scene():
        with polling(account) as poller:
            return await watch_for(duration, poller, jobs or list(account.jobs), **given)

    return run(scene())


def deep(levels):
    value = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def healthy(logs):
    for job_id, log in logs.items():
        if job_id != "odd":
            assert {type(look) for _, look in log.looks} == {BatchJob}
            assert all(45 <= gap <= 75 for gap in log.gaps), (job_id, log.gaps)
            assert log.verdict is None


# One job that cannot be read.


def raising(error):
    """Reading the job called "odd" raises, wherever it is read."""
    read = BatchJob.from_payload.__func__

    def from_payload(cls, api, payload, **given):
        if isinstance(payload, dict) and payload.get("id") == "odd":
            raise error
        return read(cls, api, payload, **given)

    return mock.patch.object(BatchJob, "from_payload", classmethod(from_payload))


@pytest.mark.parametrize(
    "error", [ValueError("Invalid IPv6 URL"), RecursionError("deep"), OverflowError("big"), KeyError("x")]
)
def test_a_job_whose_reading_raises_ends_its_own_wait_alone(error):
    account = with_odd(account_with(59))
    with raising(error):
        logs = watched(account, 1200)
    healthy(logs)
    odd = logs["odd"]
    assert odd.verdict.outcome is Outcome.UNREADABLE
    assert isinstance(odd.verdict.exception(), InvalidPayload)
    assert type(error).__name__ in odd.verdict.message
    assert "left alone" in odd.verdict.message
    assert len(odd.looks) == 3
    assert all(gap >= 60 for gap in odd.gaps), "a reading counts an interval after the one before it"
    assert len(odd.lines) == 2, "once when it begins, and the verdict"
    assert account.count("get") == 2, "all others are read from the list, and the job is confirmed by itself"


@pytest.mark.parametrize(
    "more",
    [
        {"request": {"output": {"delivery": {"s3": {"url": "s3://[bucket/x"}}}}},
        {"request": {"output": {"delivery": {"s3": {"url": "s3://a\u2100b"}}}}},
        {"extra": deep(5000)},
        {"created": 5, "lastUpdated": [], "costPU": 10**5000, "status": {"a": 1}},
    ],
)
def test_a_job_that_says_odd_things_harms_nobody(more):
    healthy(watched(with_odd(account_with(59), **more), 900))


@pytest.mark.parametrize("others", [59, 4, 1])
def test_an_answer_that_cannot_be_read_ends_the_wait_it_belongs_to(others):
    account = with_odd(account_with(others))
    account.jobs["odd"].created = NEVER  # not on the list
    account.trouble = lambda now, what: unreadable() if what == "get odd" else None
    logs = watched(account, 1200)
    healthy(logs)
    assert logs["odd"].verdict.outcome is Outcome.UNREADABLE
    assert "broken JSON" in logs["odd"].verdict.message
    assert len(logs["odd"].looks) == 3


def test_where_it_is_the_only_job_the_list_shows_that_the_service_is_there():
    account = with_odd(ScriptedAccount())
    account.trouble = lambda now, what: unreadable() if what == "get odd" else None
    log = watched(account, 1200)["odd"]
    assert log.verdict.outcome is Outcome.UNREADABLE
    assert account.count() == 6


@pytest.mark.parametrize("count", [1, 2, 30])
def test_when_nothing_can_be_read_it_is_an_outage(count):
    account = account_with(count)
    account.trouble = lambda now, what: unreadable() if 100 <= now < 3000 else None
    logs = watched(account, 4000)
    for log in logs.values():
        assert log.verdict is None
        assert isinstance(log.looks[-1][1], BatchJob)
    assert account.count(since=100, until=3000) < 2 * 2900 / 60 + 12


def test_three_jobs_whose_requests_fail_are_not_everybodys_trouble():
    account = account_with(30)
    for number in range(4):
        account.add(f"poison-{number}", created=NEVER, fails=ServiceUnavailable("500 for this job only"))
    logs = watched(account, 1200)
    for job_id, log in logs.items():
        kinds = {type(look) for _, look in log.looks}
        assert kinds == ({BatchJob} if job_id.startswith("job") else {ServiceUnavailable})
    healthy({job_id: log for job_id, log in logs.items() if job_id.startswith("job")})


def test_a_job_that_cannot_be_judged_ends_its_own_wait_alone(monkeypatch):
    account = with_odd(account_with(20))

    def evaluate(look, *given):
        if look.id == "odd":
            raise TypeError("odd")
        return rules.evaluate(look, *given)

    monkeypatch.setattr(wait_module, "evaluate", evaluate)
    logs = watched(account, 900)
    healthy(logs)
    assert logs["odd"].verdict.outcome is Outcome.UNREADABLE
    assert "TypeError: odd" in logs["odd"].verdict.message


def test_a_log_that_cannot_be_written_ends_no_wait():
    account = account_with(3)
    account.jobs["job-1"].life = [(-NEVER, "PROCESSING"), (100.0, "DONE")]

    class Full(list):
        def append(self, line):
            raise OSError("disk full")

    async def scene():
        with polling(account) as poller:
            return await wait_for(poller, "job-1", log=Log(lines=Full()))

    assert run(scene()).verdict.outcome is Outcome.DONE


# A list that fails.

LIST_FAILURES = [
    ServiceUnavailable("500", http_status=500),
    ServiceUnavailable("a page of HTML (200)", http_status=200),
    unreadable(),
    InvalidPayload("no page"),
    ValueError("a bug"),
]


@pytest.mark.parametrize("error", LIST_FAILURES)
@pytest.mark.parametrize("count", [2, 3, 50])
def test_a_list_that_fails_keeps_nobody_waiting(error, count):
    account = account_with(count)
    account.trouble = lambda now, what: error if what == "list" else None
    logs = watched(account, 1200)
    for log in logs.values():
        assert {type(look) for _, look in log.looks} == {BatchJob}
    assert account.count("list") <= 6, "it is tried again, less and less often"
    assert account.count("get") <= count * 22


def test_a_list_that_is_back_is_read_again():
    account = account_with(50)
    account.trouble = lambda now, what: OUTAGE if what == "list" and now < 500 else None
    watched(account, 4000)
    assert account.count("get", since=2000) == 0


def test_an_outage_of_everything_costs_one_request_more_when_it_begins():
    account = account_with(50)
    account.trouble = lambda now, what: OUTAGE if now >= 100 else None
    logs = watched(account, 1900)
    asked = [what for at, what in account.asked if at >= 100]
    assert [what.split()[0] for what in asked[:3]] == ["list", "get", "get"]
    assert len(asked) < 45
    assert "list" not in asked[1:]
    assert all(log.verdict is None for log in logs.values())


def test_what_concerns_the_account_leads_to_no_request_for_each_job():
    no_token = ServiceUnavailable("no token", http_status=503)
    no_token.of_account = True
    for error in (no_token, RateLimited("429", retry_after=5.0)):
        account = account_with(50)
        account.trouble = lambda now, what, error=error: error if now >= 100 and what == "list" else None
        watched(account, 130)
        assert account.count("get", since=100, until=121) == 0


# A job that is 404 in its first minutes.


@dataclass
class Flickering(OddJob):
    """A job that is 404 at times."""

    hidden: list = field(default_factory=list)


def flickering(account, *spans, created, tells=True):
    job = account.jobs["odd"] = Flickering("odd", created=created, hidden=list(spans))
    job.life = [(-NEVER, "PROCESSING"), (600.0, "DONE")]
    if not tells:
        job.more = {"created": None}
    get = account._get

    def sometimes(how, job_id):
        if job_id == "odd" and any(begin <= account.now < end for begin, end in spans):
            job.gone_at = -NEVER
        try:
            return get(how, job_id)
        finally:
            job.gone_at = NEVER

    account._get = sometimes
    return account


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("spans", [[(0, 160)], [(0, 230)], [(10, 130), (140, 200)], [(5, 290)]])
def test_a_new_job_may_be_404_for_five_minutes_also_when_it_was_seen(spans, tells):
    account = flickering(ScriptedAccount(), *spans, created=-1.0, tells=tells)

    async def scene():
        with polling(account) as poller:
            return await wait_for(poller, "odd")

    log = run(scene())
    assert MissingJob in {type(look) for _, look in log.looks}
    assert log.verdict.outcome is Outcome.DONE
    assert not any("outage" in line for line in log.lines)


def test_an_old_job_that_is_404_is_gone_after_a_second_look():
    account = flickering(ScriptedAccount(), (100, NEVER), created=-1000.0)

    async def scene():
        with polling(account) as poller:
            return await wait_for(poller, "odd")

    log = run(scene())
    assert log.verdict.outcome is Outcome.NOT_FOUND
    assert log.ended_at < 250


def test_the_moment_of_the_creation_is_read():
    assert rules.may_be_missing_until(1000.0, 5000.0) == 1300
    assert rules.may_be_missing_until(None, 5000.0) == 5300
    assert rules.may_be_missing_until(9000.0, 5000.0) == 5300, "a clock that runs ahead prolongs nothing"
    assert datetime.fromtimestamp(0, UTC).isoformat() in Job("a").at(0.0)["created"]
    assert asyncio.iscoroutinefunction(wait_for)
