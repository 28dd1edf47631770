"""One wait's side of a poller: it asks for a look at its job, and gets it when the poller has one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from airflow_sentinelhub.watching.look import Look, NextLook
from airflow_sentinelhub.watching.turns import Turn

_NOW = Turn(-math.inf, -math.inf)


class Subscription:
    """
    Looks at one job.

    :param job_id: the job.
    :param expect: tells the poller that a look is wanted.
    :param patience: seconds for which the first look may wait for other newcomers.
    """

    __slots__ = (
        "_expect",
        "_look",
        "answered_at",
        "asked_at",
        "in_trouble",
        "job",
        "job_id",
        "patience",
        "turn",
        "wanted",
    )

    def __init__(self, job_id: str, expect: Callable[[Subscription], None], patience: float) -> None:
        self.job_id = job_id
        self.job = job_id.lower()
        self.patience = patience
        self.wanted = NextLook(0.0)
        self.turn = _NOW
        self.asked_at = -math.inf
        """When the request for its latest look was begun."""
        self.answered_at = -math.inf
        """When the service last said something about the job."""
        self.in_trouble = False
        """Its latest look was everybody's trouble: it comes along with whoever asks next."""
        self._expect = expect
        self._look: asyncio.Future[Look] | None = None

    @property
    def is_new(self) -> bool:
        """Whether it had no look yet."""
        return self.asked_at == -math.inf

    async def next(self, wanted: NextLook) -> Look:
        """
        Give the next look.

        Cancelling it is safe at any moment, and hurts no other wait.

        :param wanted: when, and which.
        """
        self.wanted = wanted
        self._look = asyncio.get_running_loop().create_future()
        self._expect(self)
        try:
            return await self._look
        finally:
            self._look = None

    @property
    def is_waiting(self) -> bool:
        """Whether somebody still wants the look."""
        return self._look is not None and not self._look.done()

    def deliver(self, look: Look) -> None:
        """Hand over a look, if it is still wanted."""
        if self._look is not None and not self._look.done():
            self._look.set_result(look)
