"""
Acknowledgement of events: when they are safe in Airflow's database (Airflow 3.3).

A trigger that yields an event hears no more of it: the event lies in the triggerer's memory for a second or two,
and is lost if that is killed. Only a shared stream with a producer is told when an event is stored. So each
trigger has a stream of its own, with this producer, through which its events take a round trip.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

Events = Sequence[dict[str, Any]]


class EventNotStored(RuntimeError):
    """Airflow does not know whether it has stored some events."""


class EventAcknowledger(SharedStreamProducer):
    """Producer that hands events over and waits until Airflow has stored them."""

    def __init__(self) -> None:
        self._outgoing: asyncio.Queue[tuple[Events, asyncio.Future[None]]] = asyncio.Queue()

    async def hand_over(self, events: Events) -> None:
        """
        Hand over events, and return when they are stored.

        :raises EventNotStored: they may not be.
        """
        stored = asyncio.get_running_loop().create_future()
        self._outgoing.put_nowait((events, stored))
        await stored

    async def open_stream(self) -> AsyncIterator[tuple[Any, Any]]:
        """Yield this producer, which the trigger cannot find otherwise, and then the events of the trigger."""
        yield self, None
        while True:
            yield await self._outgoing.get()

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Record what has become of events."""
        for stored, outcome in batch:
            if stored is None or stored.done():
                continue
            if outcome.is_clean:
                stored.set_result(None)
            else:
                stored.set_exception(EventNotStored("the triggerer did not store them in time"))
