"""A look has every outcome as a value, and asynchronous code never blocks on one."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from contextlib import nullcontext

import pytest

from airflow_sentinelhub.exceptions import InvalidPayload, NotFound, ServiceUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob, MissingJob, Outcome, Verdict
from airflow_sentinelhub.watching import in_thread, look_at, look_elsewhere, subscribe

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"


class ScriptedReader:
    """Answers with what it is given, and keeps what it was asked."""

    def __init__(self, answer, api=BatchApi.STATISTICAL):
        self.answer, self.api, self.asked = answer, api, []

    def get(self, job_id, *, budget=None):
        return self._answer("get", job_id, budget)

    def status(self, job_id, *, budget=None):
        return self._answer("status", job_id, budget)

    def _answer(self, *asked):
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer


def test_a_look_asks_once_and_never_sleeps():
    reader = ScriptedReader({"id": JOB_ID.upper(), "status": "PROCESSING"})
    assert look_at(reader, JOB_ID).word == "PROCESSING"
    assert look_at(reader, JOB_ID, light=True).user_action is None
    assert reader.asked == [("get", JOB_ID, 0), ("status", JOB_ID, 0)]


@pytest.mark.parametrize("budget", [None, 30.0])
def test_who_may_block_lets_the_client_ask_again(budget):
    reader = ScriptedReader({"id": JOB_ID, "status": "DONE"})
    look_at(reader, JOB_ID, light=True, budget=budget)
    assert reader.asked == [("status", JOB_ID, budget), ("get", JOB_ID, budget)]


@pytest.mark.parametrize("error", [ServiceUnavailable("503"), InvalidPayload("no id")])
def test_trouble_is_a_value(error):
    assert look_at(ScriptedReader(error), JOB_ID) is error


def test_404_is_an_answer():
    said_by_the_service = NotFound("404", code="COMMON_NOT_FOUND")
    assert look_at(ScriptedReader(said_by_the_service), JOB_ID) == MissingJob(BatchApi.STATISTICAL, JOB_ID)


def test_404_of_a_gateway_says_nothing_of_the_job():
    page = NotFound("404")
    assert look_at(ScriptedReader(page), JOB_ID) is page


@pytest.mark.parametrize("answer", [[], {"id": "another"}, {"status": "DONE"}])
def test_an_answer_about_something_else_is_trouble(answer):
    assert isinstance(look_at(ScriptedReader(answer), JOB_ID), InvalidPayload)


@pytest.mark.parametrize(
    ("api", "outcome", "elsewhere", "says"),
    [
        (BatchApi.PROCESS_V1, Outcome.NOT_FOUND, {"id": JOB_ID}, "SentinelHubBatchProcessJobSensor"),
        (BatchApi.PROCESS_V1, Outcome.NOT_FOUND, NotFound("404"), "as it was"),
        (BatchApi.PROCESS_V1, Outcome.FAILED, {"id": JOB_ID}, "as it was"),
        (BatchApi.PROCESS, Outcome.NOT_FOUND, {"id": JOB_ID}, "as it was"),
    ],
)
def test_a_v1_job_that_is_a_v2_job(api, outcome, elsewhere, says):
    verdict = look_elsewhere(
        Verdict(outcome, api, JOB_ID, "as it was"), lambda api: nullcontext(ScriptedReader(elsewhere, api))
    )
    assert verdict.outcome is outcome
    assert says in verdict.message


def test_a_look_is_not_taken_before_it_is_due():
    reader = ScriptedReader({"id": JOB_ID})

    async def scene():
        async with subscribe(reader, JOB_ID) as subscription:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(subscription.next(3600), 0.1)

    asyncio.run(scene())
    assert reader.asked == []


def test_a_subscription_looks_lightly_when_told_to():
    reader = ScriptedReader({"id": JOB_ID, "status": "PROCESSING"})

    async def scene():
        async with subscribe(reader, JOB_ID) as subscription:
            return [await subscription.next(0, light=light) for light in (True, False)]

    assert [look.light for look in asyncio.run(scene())] == [True, False]
    assert [how for how, *_ in reader.asked] == ["status", "get"]


def test_looks_do_not_block_the_event_loop():
    def slow():
        time.sleep(0.2)
        return {"id": JOB_ID, "status": "DONE"}

    async def scene():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        async with subscribe(ScriptedReader(slow), JOB_ID) as subscription:
            look = await subscription.next(0)
        ticking.cancel()
        return look, ticks

    look, ticks = asyncio.run(scene())
    assert isinstance(look, BatchJob)
    assert ticks > 5


def test_a_look_can_be_cancelled_while_it_is_under_way():
    release, began = threading.Event(), threading.Event()

    def hung():
        began.set()
        release.wait(10)
        return {"id": JOB_ID}

    async def scene():
        async with subscribe(ScriptedReader(hung), JOB_ID) as subscription:
            look = asyncio.create_task(subscription.next(0))
            await asyncio.to_thread(began.wait, 10)
            look.cancel()
            with pytest.raises(asyncio.CancelledError):
                await look

    asyncio.run(scene())
    release.set()


def test_shared_threads_do_not_write_into_the_log_of_whoever_came_first():
    task = contextvars.ContextVar("task", default="nobody")

    async def scene():
        task.set("the first")
        return await in_thread(task.get)

    assert asyncio.run(scene()) == "nobody"
