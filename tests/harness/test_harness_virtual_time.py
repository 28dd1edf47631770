"""The virtual loop itself: what its time waits for, and what it does not."""

from __future__ import annotations

import asyncio
import threading

import pytest
import requests

from tests.harness.virtual_time import VirtualTime, run


def test_a_day_of_sleep_is_over_at_once_and_the_order_is_that_of_the_timers():
    time, order = VirtualTime(), []

    async def one(seconds):
        await asyncio.sleep(seconds)
        order.append((seconds, time.monotonic()))

    async def scene():
        await asyncio.gather(*map(one, [86_400.0, 1.0, 3600.0]))

    run(scene(), time)
    assert order == [(each, pytest.approx(each)) for each in (1.0, 3600.0, 86_400.0)]
    assert time.pauses == []


def test_time_stands_still_while_a_thread_works():
    time = VirtualTime()

    async def scene():
        goes_on = threading.Event()
        working = asyncio.create_task(asyncio.to_thread(goes_on.wait, 60))
        sleeping = asyncio.create_task(asyncio.sleep(1))
        threading.Timer(0.05, goes_on.set).start()
        await working
        assert time.monotonic() == 0
        assert not sleeping.done()
        await sleeping
        assert time.monotonic() == pytest.approx(1)

    run(scene(), time)


def test_time_does_not_wait_for_what_hangs():
    time, goes_on = VirtualTime(hanging=lambda: 1), threading.Event()

    async def scene():
        working = asyncio.create_task(asyncio.to_thread(goes_on.wait, 60))
        await asyncio.sleep(3600)
        assert not working.done()
        goes_on.set()
        await working

    run(scene(), time)
    assert time.monotonic() == pytest.approx(3600)


def test_to_wait_for_what_never_happens_is_an_error():
    async def scene():
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="never happens"):
        run(scene())


def test_a_call_that_is_cancelled_before_it_begins_does_not_hold_time():
    time = VirtualTime()

    async def scene():
        goes_on, loop = threading.Event(), asyncio.get_running_loop()
        calls = [loop.run_in_executor(None, goes_on.wait, 60) for _ in range(200)]
        for call in calls[100:]:
            call.cancel()
        goes_on.set()
        await asyncio.gather(*calls[:100])
        await asyncio.sleep(3600)

    run(scene(), time)
    assert time.monotonic() == pytest.approx(3600)


def test_what_is_left_behind_is_an_error():
    async def scene():
        scene.left = asyncio.create_task(asyncio.sleep(60))

    with pytest.raises(AssertionError, match="left behind"):
        run(scene())


def test_the_emulator_lives_on_the_same_time(virtual_emulator, virtual_time):
    job = virtual_emulator.add_job(
        "process", steps=[{"status": "PROCESSING", "seconds": 3600}, {"status": "DONE"}]
    )

    async def scene():
        await asyncio.sleep(3599)
        before = virtual_emulator.job(job)["status"]
        await asyncio.sleep(2)
        return before, virtual_emulator.job(job)["status"]

    assert run(scene(), virtual_time) == ("PROCESSING", "DONE")


def test_a_request_that_hangs_does_not_hold_time(virtual_emulator, virtual_time):
    number = virtual_emulator.fault("hang", times=None)

    def ask():
        with requests.Session() as session:
            session.trust_env = False
            with pytest.raises(requests.ReadTimeout):
                session.get(f"{virtual_emulator.url}/api/v2/batch/process", timeout=(60, 1))

    async def scene():
        asking = asyncio.create_task(asyncio.to_thread(ask))
        await asyncio.sleep(3600)
        assert not asking.done()
        await asking

    run(scene(), virtual_time)
    virtual_emulator.clear_faults(number)
