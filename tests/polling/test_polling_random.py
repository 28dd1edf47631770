"""Waits that come and go at random, in any breaker: each ends with the right verdict, and no limit is broken."""

from __future__ import annotations

import asyncio
import bisect

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airflow_sentinelhub.exceptions import Forbidden, RateLimited
from airflow_sentinelhub.jobs import Outcome
from tests.harness.virtual_time import run
from tests.polling.polled_waits import Log, polling, wait_for
from tests.polling.scripted_account import NEVER, OUTAGE, ScriptedAccount

HOUR = 3600.0
LONGEST = 3 * HOUR
"""Seconds for which a wait lasts: two hours more than its job, which outlasts the weather and every backlog."""

ENDS = {
    "DONE": Outcome.DONE,
    "FAILED": Outcome.FAILED,
    "STOPPED": Outcome.STOPPED,
    "PARTIAL": Outcome.PARTIAL,
    "GONE": Outcome.NOT_FOUND,
    "PROCESSING": Outcome.TIMEOUT,
}

jobs = st.builds(
    dict,
    age=st.floats(0, 10_000),
    comes=st.floats(0, HOUR),
    lasts=st.floats(0, HOUR),
    end=st.sampled_from(sorted(ENDS)),
    interval=st.sampled_from([10.0, 30.0, 60.0, 120.0]),
    leaves=st.one_of(st.none(), st.floats(0, HOUR)),
)
weathers = st.lists(
    st.tuples(
        st.floats(0, HOUR),
        st.floats(1, 900),
        st.sampled_from(["503", "429", "no list", "slow"]),
    ),
    max_size=4,
)
accounts = st.builds(
    dict,
    page_size=st.sampled_from([1, 3, 10, 100]),
    latency=st.sampled_from([0.01, 0.2, 3.0]),
    lag=st.sampled_from([0.0, 5.0, 90.0]),
    declared=st.one_of(st.none(), st.integers(20, 200)),
)


def assert_kept_to(limit, account):
    times = [at for at, _ in account.asked]
    for number, at in enumerate(times):
        assert number - bisect.bisect_left(times, at - 60.0) + 1 <= limit


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
    print_blob=True,  # how to repeat an example that fails
    phases=[Phase.explicit, Phase.generate],  # to shrink these takes minutes
)
@given(
    plan=st.lists(jobs, min_size=1, max_size=40),
    breaker=weathers,
    given=accounts,
    others=st.integers(0, 60),
    jitter=st.floats(0, 1),
)
def test_every_wait_ends_as_it_should(plan, breaker, given, others, jitter):
    account = ScriptedAccount(**given)
    for number in range(others):
        account.add(f"other-{number}", created=-float(number))
    for number, job in enumerate(plan):
        ends_at = job["comes"] + job["lasts"]
        end = (ends_at, job["end"])
        gone = job["end"] == "GONE"
        account.add(
            f"job-{number}",
            created=job["comes"] - 1 - job["age"],
            life=[(-NEVER, "PROCESSING"), *([] if gone else [end])],
            gone_at=ends_at if gone else NEVER,
        )

    def trouble(now, what):
        for since, duration, kind in breaker:
            if since <= now < since + duration:
                if kind == "503":
                    return OUTAGE
                if kind == "429":
                    return RateLimited("429", retry_after=2.0)
                if kind == "no list" and what == "list":
                    return Forbidden("403")
        return None

    account.trouble = trouble

    async def scene():
        async def one(poller, number, job, log):
            await asyncio.sleep(job["comes"])
            waiting = wait_for(poller, f"job-{number}", interval=job["interval"], lasts=LONGEST, log=log)
            if job["leaves"] is None:
                await waiting
            else:
                try:
                    async with asyncio.timeout(job["leaves"]):
                        await waiting
                except TimeoutError:
                    pass

        logs = [Log() for _ in plan]
        with polling(account, random=lambda: jitter) as poller:
            await asyncio.gather(*(one(poller, *numbered, logs[numbered[0]]) for numbered in enumerate(plan)))
            assert not poller._common.watched
            assert not poller._waiting
            assert not poller._common.list_index._page
            assert not poller._common.list_index._searched_to
        return logs

    for job, log in zip(plan, run(scene()), strict=True):
        if log.verdict is not None:
            assert log.verdict.outcome is ENDS[job["end"]], log.lines
        else:
            assert job["leaves"] is not None
    if given["declared"] is not None:
        assert_kept_to(given["declared"], account)
