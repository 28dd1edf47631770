"""What many waits cost when the service is slow, and how late they are: walks over the list do not overlap."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airflow_sentinelhub.jobs import Outcome
from airflow_sentinelhub.polling.list_page import read_page
from airflow_sentinelhub.polling.poller import MAX_BATCH_WINDOW, Poller
from airflow_sentinelhub.polling.requester import AdmissionQueue
from airflow_sentinelhub.polling.schedule import SCHEDULE_TOLERANCE
from tests.harness.virtual_time import run
from tests.polling.polled_waits import Log, polling, wait_for
from tests.polling.scripted_account import ScriptedAccount, VirtualAsker

PAGE = 100
UNEVEN = 0.5
"""Answers take this part of their time more or less."""


class UnevenAsker(VirtualAsker):
    random = Random(0)

    async def _in_thread(self, function, *arguments, **keywords):
        if function != self._open:
            self._reader.latency = self._reader.usual * self.random.uniform(1 - UNEVEN, 1 + UNEVEN)
        return await super()._in_thread(function, *arguments, **keywords)


@dataclass
class Scene:
    """
    Waits for jobs of one account that all end at about the same time.

    :param arrive: seconds over which they begin.
    :param ends_at: when the first job ends; the others follow within a second.
    """

    waits: int
    interval: float
    answer: float
    arrive: float = 1.0
    ends_at: float = 90.0
    seed: int = 0

    def __post_init__(self):
        random = UnevenAsker.random = Random(self.seed)
        account = ScriptedAccount(page_size=PAGE)
        account.usual = self.answer
        ends = {f"job-{number}": self.ends_at + random.uniform(0, 1) for number in range(self.waits)}
        for number, (job_id, end) in enumerate(ends.items()):
            account.add(job_id, created=-float(number), life=[(-math.inf, "PROCESSING"), (end, "DONE")])

        async def scene():
            poller = Poller(UnevenAsker(lambda: account, AdmissionQueue()), random=random.random)

            async def one(job_id):
                await asyncio.sleep(random.uniform(0, self.arrive))
                return await wait_for(poller, job_id, interval=self.interval, log=Log())

            logs = await asyncio.gather(*map(one, ends))
            poller.close()
            return logs

        logs = run(scene())
        late = sorted(log.ended_at - end for log, end in zip(logs, ends.values(), strict=True))
        self.requests, self.gets = len(account.asked), account.count("get")
        self.late_p99, self.latest = late[int(len(late) * 0.99)], late[-1]
        self.settled = account.count(since=self.arrive + self.cycle)
        self.cycles = (max(log.ended_at for log in logs) - self.arrive) / self.cycle

    @property
    def pages(self):
        return math.ceil(self.waits / PAGE)

    @property
    def cycle(self):
        """Seconds of a cycle: the interval, or what it takes to read all pages."""
        return max(self.interval, self.pages * self.answer)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("answer", [0.2, 2.0, 5.0])
def test_a_thousand_waits(answer, seed):
    scene = Scene(1000, 30.0, answer, seed=seed)
    assert scene.requests / scene.cycles <= 12
    assert scene.late_p99 <= scene.cycle + answer + 6


@pytest.mark.parametrize("answer", [2.0, 5.0])
def test_waits_that_begin_over_minutes(answer):
    scene = Scene(1000, 30.0, answer, arrive=100.0, ends_at=250.0)
    assert scene.settled / scene.cycles <= 12
    assert scene.late_p99 <= scene.cycle + answer + 6


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate],
)
@given(
    waits=st.integers(2, 400),
    interval=st.sampled_from([10.0, 30.0, 60.0, 120.0]),
    answer=st.sampled_from([0.1, 1.0, 3.0, 10.0]),
    arrive=st.sampled_from([1.0, 30.0, 200.0]),
    seed=st.integers(0, 1000),
)
def test_a_cycle_costs_its_pages_and_no_job_is_seen_later_than_that(waits, interval, answer, arrive, seed):
    scene = Scene(waits, interval, answer, arrive=arrive, ends_at=arrive + 5 * interval + 100, seed=seed)
    leeway = SCHEDULE_TOLERANCE * interval + MAX_BATCH_WINDOW
    longest = answer * (1 + UNEVEN)
    assert scene.latest <= max(interval, scene.pages * longest) + longest + leeway
    # While they come together, waits of one interval may need up to twice as many.
    assert scene.settled <= (scene.pages + 1) * (2 * scene.cycles + 2)


def account_of(count, **given):
    account = ScriptedAccount(page_size=PAGE, **given)
    for number in range(count):
        account.add(f"job-{number}", created=-float(number))
    return account


async def watch(poller, intervals, duration, **given):
    """Let waits for the jobs of an account poll for so many seconds; returns their logs."""
    logs = [Log() for _ in intervals]
    tasks = [
        asyncio.create_task(wait_for(poller, f"job-{number}", interval=interval, log=logs[number], **given))
        for number, interval in enumerate(intervals)
    ]
    await asyncio.sleep(duration)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return logs


def test_the_few_that_are_quick_do_not_pull_the_many_along():
    account = account_of(1000, latency=0.5)
    intervals = [10.0 if number % 50 == 0 else 120.0 for number in range(1000)]

    async def scene():
        with polling(account) as poller:
            return await watch(poller, intervals, 1800)

    logs = run(scene())
    walk = 10 * 0.5
    quick = [log.gaps for log, interval in zip(logs, intervals, strict=True) if interval == 10.0]
    slow = [log.gaps for log, interval in zip(logs, intervals, strict=True) if interval == 120.0]
    assert max(map(max, quick)) <= 12 + walk + 1
    assert min(map(min, slow)) >= 120 * 0.8 - walk
    assert account.count() <= (1800 / 10) * 10 + (1800 / 120) * 12


def test_a_deadline_in_the_middle_of_a_walk_is_kept():
    account = account_of(1000, latency=5.0)

    async def scene():
        with polling(account) as poller:
            others = asyncio.create_task(watch(poller, [30.0] * 1000, 200))
            log = await wait_for(poller, "job-0", interval=30.0, lasts=73.0, log=Log())
            await others
        return log

    log = run(scene())
    assert log.verdict.outcome is Outcome.TIMEOUT
    assert log.ended_at <= 73.0 + 2 * 5.0
    assert account.count("get") == 1


def test_a_list_that_takes_longer_than_the_interval_is_told_of_once_and_when_it_is_over(caplog):
    account = account_of(1000, latency=5.0)

    async def scene():
        with polling(account) as poller:
            watching = asyncio.create_task(watch(poller, [30.0] * 1000, 900))
            await asyncio.sleep(400)
            account.latency = 0.2
            await watching

    with caplog.at_level("INFO"):
        run(scene())
    assert [record.getMessage() for record in caplog.records if "pages" in record.getMessage()] == [
        "Reading 10 pages of the list of jobs takes 50 s, so jobs are polled every 50 s and not every 30 s.",
        "Reading 10 pages of the list of jobs takes 2 s: jobs are polled at their intervals again.",
    ]


def test_a_page_that_takes_long_makes_nobody_later_than_itself():
    account = account_of(1000, latency=1.0)
    slowest = 30.0

    class OneSlowPage(VirtualAsker):
        async def _in_thread(self, function, *arguments, **keywords):
            is_fifth = function is read_page and arguments[1].read == 4
            if is_fifth and 100 < asyncio.get_running_loop().time() < 160:
                await asyncio.sleep(slowest)
            return await super()._in_thread(function, *arguments, **keywords)

    async def scene():
        poller = Poller(OneSlowPage(lambda: account, AdmissionQueue()), random=lambda: 1.0)
        try:
            return await watch(poller, [30.0] * 1000, 600)
        finally:
            poller.close()

    logs = run(scene())
    assert max(max(log.gaps) for log in logs) <= 30 * 1.2 + 10 + slowest + 1
    assert account.count("get") == 0
