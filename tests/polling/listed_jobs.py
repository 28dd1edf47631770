"""Jobs of a scripted account as its list shows them, and somebody who follows that list."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_sentinelhub.jobs import BatchApi, read_filter
from airflow_sentinelhub.polling.list_cycle import ListCycles
from airflow_sentinelhub.polling.poller import BATCH_WINDOW, Poller
from airflow_sentinelhub.polling.requester import AdmissionQueue
from airflow_sentinelhub.waits.completion_watch import CompletionWatch, CompletionWatchSpec
from airflow_sentinelhub.waits.cursor_store import InMemoryCursorStore
from tests.polling.scripted_account import NEVER, Job, VirtualAsker


def job_id(number):
    return str(uuid.UUID(int=number))


@dataclass
class ListedJob(Job):
    """
    A job with a time of creation and a description.

    :param action: what its user asked for last.
    :param acted: when its user asked for something last, on top of the creation: moments in order.
    """

    action: str = "START"
    description: str = ""
    acted: list[float] = field(default_factory=list)

    def at(self, now):
        updated = max([self.created, *(moment for moment in self.acted if moment <= now)])
        return {
            **super().at(now),
            "userAction": self.action,
            "created": datetime.fromtimestamp(self.created, UTC).isoformat(),
            "userActionUpdated": datetime.fromtimestamp(updated, UTC).isoformat(),
            "request": {"description": self.description, "evalscript": "//"},
        }


def add(account, number, *life, created=None, **given):
    """
    Put a job into an account.

    :param life: its status and when it begins, in turn: ``"PROCESSING", 10, "DONE"``.
    :param created: by default long ago, an hour after the one of the number before it.
    """
    moments = [-NEVER, *life[1::2]]
    created = number * 3600.0 - 10_000_000.0 if created is None else created
    job = ListedJob(job_id(number), created, list(zip(moments, life[::2], strict=True)), **given)
    account.jobs[job.id] = job
    return job


@dataclass
class Ears:
    """
    Hears of ends, and what the log says.

    :param takes: seconds until what is told is safe.
    """

    takes: float = 0.0
    heard: list[tuple[float, str, bool]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    async def tell(self, events):
        await asyncio.sleep(self.takes)
        now = asyncio.get_running_loop().time()
        self.heard += [(now, event["event"]["key"], event["event"]["may_be_repeated"]) for event in events]

    def say(self, level, line):
        self.lines.append(line)

    @property
    def keys(self):
        """The numbers of the jobs and their ends, such as ``7 DONE``."""
        return [f"{uuid.UUID(key[:36]).int} {key[37:].partition(' ')[0]}" for _, key, _ in self.heard]


@contextmanager
def following(account, random=lambda: 1.0):
    """A poller for those who follow the list."""
    poller = Poller(VirtualAsker(lambda: account, AdmissionQueue()), random=random, make_cycle=ListCycles())
    try:
        yield poller
    finally:
        poller.close()


def ends_watch(ears, notebook=None, *, interval=60.0, since=None, apart=0.0, api=BatchApi.PROCESS, **filters):
    terms = CompletionWatchSpec(api, read_filter(api, **filters), interval, since, apart)
    return CompletionWatch(terms, notebook or InMemoryCursorStore(), ears.tell, ears.say, uuid.uuid4().hex)


async def follow(poller, watch):
    """Have a watch see the list, for ever."""
    now = asyncio.get_running_loop().time
    subscription = poller.subscribe(uuid.uuid4().hex, BATCH_WINDOW)
    try:
        while True:
            wanted = await watch.next_request(now())
            if wanted is None:
                await asyncio.sleep(60)
                continue
            await watch.update(await subscription.next(wanted), now())
    finally:
        subscription.leave()


async def follow_for(duration, poller, *watches):
    """Let watches look for so many seconds, as if a triggerer was killed then."""
    tasks = [asyncio.create_task(follow(poller, watch)) for watch in watches]
    done, _ = await asyncio.wait(tasks, timeout=duration)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
