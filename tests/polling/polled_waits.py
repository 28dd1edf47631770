"""Waits as a trigger makes them, without Airflow."""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import ClassVar
from unittest import mock

from airflow_sentinelhub.jobs import BatchApi, Deadlines, WaitGoal, WaitPolicy
from airflow_sentinelhub.polling.job_cycle import JobCycle
from airflow_sentinelhub.polling.list_page import read_page
from airflow_sentinelhub.polling.poller import Poller
from airflow_sentinelhub.polling.requester import AdmissionQueue
from airflow_sentinelhub.waits.observation import PollRequest
from airflow_sentinelhub.waits.wait import Wait, WaitSpec
from tests.polling.scripted_account import VirtualAsker


@dataclass
class Log:
    """What one wait saw and said."""

    looks: list[tuple[float, object]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    verdict: object = None
    ended_at: float | None = None

    @property
    def gaps(self):
        times = [at for at, _ in self.looks]
        return [later - earlier for earlier, later in pairwise(times)]


counted = contextvars.ContextVar("requests of this cycle")


class CountedCycle(JobCycle):
    """A cycle that never costs more than a request for each job and one for a try of the list."""

    broken: ClassVar[list] = []

    async def run(self):
        jobs, requests = len(self._open), []
        lights = sum(wait.request.status_only for waits in self._open.values() for wait in waits)
        counted.set(requests)
        await super().run()
        if len(requests) > jobs + lights + 1:
            self.broken.append(f"{len(requests)} requests for {jobs} jobs")


class CountingAsker(VirtualAsker):
    async def ask(self, function, *arguments, **keywords):
        counted.get().append(function)
        answer = await super().ask(function, *arguments, **keywords)
        if function is read_page and answer is None and arguments[0].read:
            counted.get().remove(function)  # that a list is at its end was known from its last page
        return answer


@contextmanager
def polling(account, *, lane=None, random=lambda: 1.0):
    """A poller whose cycles are counted."""
    CountedCycle.broken.clear()
    with mock.patch("airflow_sentinelhub.polling.poller.JobCycle", CountedCycle):
        poller = Poller(CountingAsker(lambda: account, lane or AdmissionQueue()), random=random)
        try:
            yield poller
        finally:
            poller.close()
    assert not CountedCycle.broken, CountedCycle.broken


async def wait_for(poller, job_id, *, interval=60.0, lasts=7 * 86_400.0, log=None, api=BatchApi.PROCESS, **policy):
    """Wait as the trigger does, and give what was seen and said."""
    loop = asyncio.get_running_loop()
    log = log if log is not None else Log()
    started = loop.time()
    policy = WaitPolicy(poke_interval=interval, analysis_poke_interval=min(10.0, interval), **policy)
    terms = WaitSpec(api, job_id, WaitGoal.COMPLETION, policy, Deadlines(started, started + lasts))
    wait = Wait(terms, lambda level, text: log.lines.append(text), jitter=Random(job_id).random)
    subscription = poller.subscribe(job_id, policy.analysis_poke_interval)
    try:
        wanted = PollRequest(0.0)
        while True:
            look = await subscription.next(wanted)
            now = loop.time()
            log.looks.append((now, look))
            verdict = wait.update(look, now)
            if verdict.is_final:
                verdict = wait.finish(verdict, now)
                log.verdict, log.ended_at = verdict, now
                return log
            wanted = wait.next_request(now)
    finally:
        subscription.leave()


async def watch_for(duration, poller, job_ids, *, stagger=0.0, **given):
    """Let waits look for so many seconds, and give their logs by job."""
    logs = {job_id: Log() for job_id in job_ids}

    async def one(number, job_id):
        await asyncio.sleep(number * stagger)
        await wait_for(poller, job_id, log=logs[job_id], **given)

    tasks = [asyncio.create_task(one(number, job_id)) for number, job_id in enumerate(job_ids)]
    await asyncio.sleep(duration)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    return logs
