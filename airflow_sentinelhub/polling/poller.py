"""
One poller for many waits: those whose turn it is are served together.

The service counts requests for each account and minute, so a thousand waits that ask by themselves use up what ten
requests could tell them.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import random as _random
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.polling.circuit_breaker import CircuitBreaker
from airflow_sentinelhub.polling.job_cycle import JobCycle
from airflow_sentinelhub.polling.poll_context import PollContext
from airflow_sentinelhub.polling.requester import Requester
from airflow_sentinelhub.polling.schedule import Slot, next_turn
from airflow_sentinelhub.polling.subscription import Subscription

log = logging.getLogger(__name__)

BATCH_WINDOW = 1.5
"""Seconds for which a newcomer waits for others: a triggerer that restarts takes up its triggers bit by bit."""

MAX_BATCH_WINDOW = 5.0
"""The same while others keep coming."""

_CLOCK_RESOLUTION = 0.001


class CycleFactory(Protocol):
    """Makes what polls once, see :class:`~airflow_sentinelhub.polling.job_cycle.JobCycle`."""

    def __call__(
        self, common: PollContext, taken: list[Subscription], requeue: Callable[[Subscription], None], /
    ) -> PollCycle:
        """Begin to look for those whose turn it is."""


class PollCycle(Protocol):
    """A cycle."""

    async def run(self) -> None:
        """Poll, and hand over the results."""

    def join(self, due: list[Subscription]) -> list[Subscription]:
        """
        Take in waits that come due while this cycle reads the list.

        :param due: the waits.
        :return: those that need a cycle of their own, which reads no list.
        """


class Poller:
    """
    Serves the waits of one account, API and event loop.

    :param requester: sends requests.
    :param on_idle: called when the last wait has left.
    :param random: gives numbers from 0 to 1.
    :param make_cycle: makes the cycles; ``None``: those that poll jobs.
    """

    def __init__(
        self,
        requester: Requester,
        on_idle: Callable[[], object] = lambda: None,
        random: Callable[[], float] = _random.random,
        make_cycle: CycleFactory | None = None,
    ) -> None:
        self._make_cycle = make_cycle or JobCycle
        self._loop = asyncio.get_running_loop()
        self._requester = requester
        self._on_idle = on_idle
        self._common = PollContext(requester, CircuitBreaker(random))
        self._waiting: dict[Subscription, None] = {}
        self._newest = -math.inf
        self._wakes_at = math.inf
        self._wake = asyncio.Event()
        self._cycles: set[asyncio.Task[None]] = set()
        self._dispatching = self._start(self._dispatch())

    def subscribe(self, job_id: str, batching_delay: float) -> Subscription:
        """
        Begin to watch a job.

        :param job_id: the job.
        :param batching_delay: seconds for which its first poll may wait for other newcomers, at most.
        """
        self._newest = self._loop.time()
        subscription = Subscription(job_id, self, batching_delay)
        self._common.watched.setdefault(subscription.key, set()).add(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Stop watching a job for one wait."""
        watched = self._common.watched
        self._waiting.pop(subscription, None)
        others = watched.get(subscription.key)
        if others is not None:
            others.discard(subscription)
            if not others:
                del watched[subscription.key]
                self._common.list_index.forget(subscription.key)
                if not watched:
                    self._on_idle()

    def close(self) -> None:
        """Stop polling at once; nothing is awaited."""
        if not self._loop.is_closed():
            for task in [self._dispatching, *self._cycles]:
                task.cancel()
        self._requester.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # In a context of its own: its log lines must not land in the task log of the first wait.
        return self._loop.create_task(work, context=contextvars.Context())

    def schedule(self, subscription: Subscription) -> None:
        """Record that a poll is wanted."""
        now = self._loop.time()
        if subscription.is_new:
            delay = subscription.request.delay
            turn = Slot(now + delay, now + delay + min(BATCH_WINDOW, subscription.batching_delay))
        else:
            alone = len(self._common.watched) == 1
            turn = next_turn(subscription.request, subscription.asked_at, now, alone=alone)
        subscription.earliest, subscription.due = turn
        subscription.latest = now + subscription.request.latest
        self._requeue(subscription)

    def _requeue(self, subscription: Subscription) -> None:
        if subscription.is_waiting:
            self._waiting[subscription] = None
            if self._begins_at(subscription) < self._wakes_at:
                self._wake.set()

    async def _dispatch(self) -> None:
        while True:
            await self._somebody_is_due()
            if self._common.breaker.is_open and self._cycles:
                # What one of them finds out is enough for all.
                await asyncio.wait(self._cycles)
                continue
            if self._common.walk is not None and not self._left_by_the_walk():
                continue
            try:
                await self._requester.acquire()
            except Exception as error:
                self._refuse(error)
                continue
            taken = self._take()
            if self._common.walk is not None:
                taken = self._common.walk.join(taken)
            if taken:
                cycle = self._start(self._make_cycle(self._common, taken, self._requeue).run())
                self._cycles.add(cycle)
                cycle.add_done_callback(self._cycles.discard)

    def _left_by_the_walk(self) -> bool:
        """Hand the due waits to the cycle that reads the list, and return whether any is left."""
        walk = self._common.walk
        left = self._take() if walk is None else walk.join(self._take())
        self._waiting |= dict.fromkeys(left)
        return bool(left)

    async def _somebody_is_due(self) -> None:
        while True:
            self._wake.clear()
            self._wakes_at = min(map(self._begins_at, self._waiting), default=math.inf)
            pause = self._wakes_at - self._loop.time()
            if pause <= 0:
                return
            try:
                async with asyncio.timeout(None if pause == math.inf else pause):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _begins_at(self, subscription: Subscription) -> float:
        """Return when a cycle has to begin for a wait."""
        due = subscription.due
        if subscription.is_new and subscription.batching_delay >= BATCH_WINDOW:
            due = min(max(due, self._newest + BATCH_WINDOW), due + MAX_BATCH_WINDOW - BATCH_WINDOW)
        if subscription.request.is_final:
            return due
        return max(due, min(self._common.breaker.retry_at, subscription.latest))

    def _take(self) -> list[Subscription]:
        """Take those whose turn it is, and those that may come along."""
        now = self._loop.time() + _CLOCK_RESOLUTION
        taken = [
            subscription
            for subscription in self._waiting
            if subscription.earliest <= now or (subscription.is_failing and not subscription.request.is_final)
        ]
        for subscription in taken:
            del self._waiting[subscription]
        return [subscription for subscription in taken if subscription.is_waiting]

    def _refuse(self, error: Exception) -> None:
        """Deliver an error to the due waits: there is no client."""
        if not isinstance(error, SentinelHubError):
            log.error("There is no client to ask with.", exc_info=error)
            error = SentinelHubError(f"There is no client to ask with ({type(error).__name__}: {error}).")
        self._common.breaker.trip(error, self._loop.time())
        for subscription in self._take():
            subscription.is_failing = True
            subscription.asked_at = self._loop.time()
            subscription.deliver(error)
