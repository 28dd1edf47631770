"""Which waits share a poller, and that nothing is left of one that nobody needs."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.polling import registry
from airflow_sentinelhub.polling.registry import PollerAccount, subscribe
from airflow_sentinelhub.polling.requester import PROCESS_THREADS, THREADS
from airflow_sentinelhub.waits.observation import PollRequest

ACCOUNT = PollerAccount("https://sh.example", "client")
YIELD_EVERY = PollRequest(0.0)


class Reader:
    """A client that answers at once, or when it is told to."""

    api = BatchApi.PROCESS

    def __init__(self):
        self.asked = []
        self.was_asked, self.closed, self.release = threading.Event(), threading.Event(), threading.Event()
        self.release.set()

    def __call__(self):
        return self

    def try_acquire(self):
        return 0.0

    def get(self, job_id, *, budget=None):
        self.asked.append(job_id)
        self.was_asked.set()
        self.release.wait(120)
        return {"id": job_id, "status": "PROCESSING"}

    def list(self, *, budget=None):
        self.asked.append("list")
        self.release.wait(120)
        yield [{"id": job_id, "status": "PROCESSING"} for job_id in ("a", "b", "c")]

    def close(self):
        self.closed.set()


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    deadline = time.monotonic() + 60
    while threads_of_ours() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads_of_ours()
    assert not {key: poller for key, poller in registry._POLLERS.items() if not key.loop.is_closed()}


def threads_of_ours():
    return [thread for thread in threading.enumerate() if thread.name.startswith("sentinelhub-poll")]


async def look(reader, job_id="a", *, account=ACCOUNT, api=BatchApi.PROCESS, batching_delay=0.05):
    subscription = subscribe(account, api, reader, job_id, batching_delay=batching_delay)
    try:
        return await subscription.next(YIELD_EVERY)
    finally:
        subscription.leave()


def test_waits_of_one_account_and_api_share_requests():
    reader = Reader()

    async def scene():
        return await asyncio.gather(*(look(reader, job_id) for job_id in "abc"))

    assert [found.id for found in asyncio.run(scene())] == ["a", "b", "c"]
    assert reader.asked == ["list"]
    assert reader.closed.wait(60)


@pytest.mark.parametrize(
    "other",
    [
        {"account": PollerAccount("https://another.example", "client")},
        {"api": BatchApi.STATISTICAL},
    ],
)
def test_others_do_not(other):
    first, second = Reader(), Reader()

    async def scene():
        await asyncio.gather(look(first), look(second, **other))

    asyncio.run(scene())
    assert (first.asked, second.asked) == (["a"], ["a"])


def test_a_client_that_cannot_be_made_is_trouble_and_is_tried_again():
    attempts = []

    def make():
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("no such module")
        return Reader()

    async def scene():
        subscription = subscribe(ACCOUNT, BatchApi.PROCESS, make, "a", batching_delay=0.05)
        trouble = await subscription.next(YIELD_EVERY)
        assert "no such module" in str(trouble)
        job = await subscription.next(PollRequest(0.01))
        subscription.leave()
        return job

    assert isinstance(asyncio.run(scene()), BatchJob)


def test_a_hung_request_hurts_nobody_who_leaves_and_keeps_no_loop_waiting():
    reader = Reader()
    reader.release.clear()

    async def scene():
        waiting = asyncio.create_task(look(reader))
        await asyncio.to_thread(reader.was_asked.wait, 60)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not registry._POLLERS

    asyncio.run(scene())
    assert threads_of_ours(), "it still hangs, and the loop did not wait for it"
    reader.release.set()
    assert reader.closed.wait(60)


def test_the_next_wait_after_the_last_one_finds_a_new_poller():
    reader, account = Reader(), PollerAccount("https://sh.example", "an account of its own")

    async def scene():
        await look(reader, account=account)
        await look(reader, account=account)

    asyncio.run(scene())
    deadline = time.monotonic() + 60
    while (left := [key for key in registry._QUEUES if key[1] == account.limit]) and time.monotonic() < deadline:
        time.sleep(0.05)  # a thread that ends lets go of what it did last
        gc.collect()
    assert not left
    assert reader.asked == ["a", "a"]


def test_a_loop_that_was_closed_in_the_middle_leaves_nothing_in_the_way():
    """``dag.test()`` runs each trigger on a loop of its own, and does not clean up."""
    reader, loop = Reader(), asyncio.new_event_loop()

    async def begin():
        return subscribe(ACCOUNT, BatchApi.PROCESS, reader, "a", batching_delay=0.05)

    subscription = loop.run_until_complete(begin())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert asyncio.run(look(reader)).id == "a"
    assert {key.loop for key in registry._POLLERS} == set()
    subscription.leave()


def test_loops_in_several_threads_each_have_their_own():
    reader, found = Reader(), []

    def one():
        found.append(asyncio.run(look(reader)).id)

    threads = [threading.Thread(target=one) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["a"] * 5


def test_reading_does_not_block_the_event_loop():
    reader = Reader()
    reader.release.clear()

    async def scene():
        waiting = asyncio.create_task(look(reader))
        ticks = 0
        while ticks < 20:
            await asyncio.sleep(0.01)
            ticks += 1
        reader.release.set()
        return await waiting

    assert asyncio.run(scene()).id == "a"


def test_there_are_never_more_requests_under_way_than_a_few():
    reader, under_way, most = Reader(), set(), []
    reader.list = lambda budget=None: iter([[{"id": "other"}]])

    def get(job_id, *, budget=None):
        under_way.add(job_id)
        most.append(len(under_way))
        time.sleep(0.001)
        under_way.remove(job_id)
        return Reader.get(reader, job_id)

    reader.get = get

    async def scene():
        await asyncio.gather(*(look(reader, f"job-{number}") for number in range(200)))

    asyncio.run(scene())
    assert max(most) == THREADS
    assert len(reader.asked) == 200


def test_accounts_that_hang_leave_threads_for_the_others():
    hanging, healthy = Reader(), Reader()
    hanging.release.clear()

    async def scene():
        accounts = [PollerAccount("https://sh.example", f"account {number}") for number in range(10)]
        hung = [
            asyncio.create_task(look(hanging, f"job-{number}", account=account._replace(service=account.limit)))
            for account in accounts
            for number in range(20)
        ]
        while len(hanging.asked) < 10:  # noqa: ASYNC110 - threads have no event of the loop
            await asyncio.sleep(0.01)
        others = [PollerAccount(f"account {number}", f"account {number}") for number in range(100, 130)]
        found = await asyncio.gather(*(look(healthy, account=account) for account in others))
        assert not any(task.done() for task in hung)
        assert len(threads_of_ours()) <= PROCESS_THREADS
        hanging.release.set()
        await asyncio.gather(*hung)
        return found

    assert len(asyncio.run(scene())) == 30


def test_an_account_that_hangs_keeps_to_its_share_although_its_waits_come_and_go():
    reader = Reader()
    reader.release.clear()
    account = PollerAccount("https://sh.example", "it hangs")

    async def scene():
        elsewhere = PollerAccount("elsewhere", "elsewhere")
        stay = asyncio.create_task(look(Reader(), account=elsewhere, batching_delay=60))
        for number in range(20):
            waiting = asyncio.create_task(look(reader, f"job-{number}", account=account))
            await asyncio.sleep(0.1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        busy = len(reader.asked)
        reader.release.set()
        stay.cancel()
        await asyncio.gather(stay, return_exceptions=True)
        return busy

    assert asyncio.run(scene()) <= THREADS
