"""One wait's side of a poller: it asks for a poll of its job, and gets the result when the poller has one."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from airflow_sentinelhub.waits.observation import PollRequest, PollResult

_AT_ONCE = PollRequest(0.0)


class Scheduler(Protocol):
    """The poller, as a subscription sees it."""

    def schedule(self, subscription: Subscription) -> None:
        """Record that a poll is wanted."""

    def leave(self, subscription: Subscription) -> None:
        """Record that no poll is wanted any more."""


class Subscription:
    """
    Polls of one job. There may be thousands: what one keeps is little.

    :param job_id: the job.
    :param poller: serves it.
    :param batching_delay: seconds for which the first poll may wait for other newcomers.
    """

    __slots__ = (
        "_poller",
        "_result",
        "asked_at",
        "batching_delay",
        "due",
        "earliest",
        "is_failing",
        "job_id",
        "key",
        "last_success_at",
        "latest",
        "request",
    )

    def __init__(self, job_id: str, poller: Scheduler, batching_delay: float) -> None:
        self.job_id = job_id
        self.key = job_id.lower()
        self.batching_delay = batching_delay
        self.request = _AT_ONCE
        self.earliest = self.due = -math.inf
        """Its turn, see :class:`~airflow_sentinelhub.polling.schedule.Slot`."""
        self.latest = math.inf
        """When it is due even while the breaker is open."""
        self.asked_at = -math.inf
        """When the request for its latest poll was begun."""
        self.last_success_at = -math.inf
        """When the service last said something about the job."""
        self.is_failing = False
        """Its latest result was an outage: it is served together with the next due wait."""
        self._poller = poller
        self._result: asyncio.Future[PollResult] | None = None

    @property
    def is_new(self) -> bool:
        """True if it was not polled yet."""
        return self.asked_at == -math.inf

    async def next(self, wanted: PollRequest) -> PollResult:
        """
        Return the next result.

        Cancelling it is safe at any moment, and hurts no other wait.

        :param wanted: when, and which.
        """
        self.request = wanted
        self._result = asyncio.get_running_loop().create_future()
        self._poller.schedule(self)
        try:
            return await self._result
        finally:
            self._result = None

    def leave(self) -> None:
        """End the subscription; the last one stops the poller."""
        self._poller.leave(self)

    @property
    def is_waiting(self) -> bool:
        """True if the result is still awaited."""
        return self._result is not None and not self._result.done()

    def deliver(self, result: PollResult) -> None:
        """Hand over a result, if it is still wanted."""
        if self._result is not None and not self._result.done():
            self._result.set_result(result)
