"""Those that share a limit ask one after another."""

from __future__ import annotations

import asyncio

from airflow_sentinelhub.client.rate_limiter import RateLimiter
from airflow_sentinelhub.polling.requester import AdmissionQueue
from tests.harness.virtual_time import run


def test_who_asks_without_a_pause_keeps_nobody_else_waiting():
    async def scene():
        rate_limiter, lane, order = RateLimiter(), AdmissionQueue(), []
        rate_limiter.add_limit("account", 1)

        async def ask(name):
            while True:
                await lane.acquire(lambda: rate_limiter.try_acquire("account", asyncio.get_running_loop().time()))
                order.append(name)

        tasks = [asyncio.create_task(ask(name)) for name in "abc"]
        await asyncio.sleep(10 * 61)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return "".join(order)

    first_when_nobody_else_was_there, *in_turn = run(scene())
    assert first_when_nobody_else_was_there == "a"
    assert in_turn[:9] == [*"abcabcabc"]


def test_who_is_cancelled_in_the_lane_holds_up_nobody():
    async def scene():
        rate_limiter, lane = RateLimiter(), AdmissionQueue()
        rate_limiter.add_limit("account", 1)

        def try_acquire():
            return rate_limiter.try_acquire("account", asyncio.get_running_loop().time())

        await lane.acquire(try_acquire)
        first, second = (asyncio.create_task(lane.acquire(try_acquire)) for _ in range(2))
        await asyncio.sleep(10)
        first.cancel()
        await second
        return asyncio.get_running_loop().time()

    assert 61 <= run(scene()) < 62
