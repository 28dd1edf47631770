"""The trigger that lets time pass without holding a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_sentinelhub import clock

_LONGEST_SLEEP = 60.0


class SentinelHubPauseTrigger(BaseTrigger):
    """
    Fires at a given time, and asks the service for nothing meanwhile.

    Airflow's ``DateTimeTrigger`` would do, but writes a line into the task log before each of its sleeps: 60 in
    half an hour, 20 of which say that it sleeps a second, between the two that say something of the job.

    :param until: when to fire, in seconds since 1970, so that a restart of the triggerer does not postpone it.
    :param unknown: arguments of a newer version, which a row in the database may hold after a downgrade.
    """

    def __init__(self, *, until: float, **unknown: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.until = until
        self.fired = False
        if unknown:
            self.log.debug("Arguments of another version are ignored: %s", ", ".join(unknown))

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return "airflow_sentinelhub.triggers.pause.SentinelHubPauseTrigger", {"until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire."""
        # In pieces, as the wall clock may be set and the machine suspended meanwhile.
        while (left := self.until - clock.now()) > 0:  # noqa: ASYNC110 - it is time itself that is waited for
            await asyncio.sleep(min(left, _LONGEST_SLEEP))
        self.fired = True
        yield TriggerEvent({"until": self.until})  # type: ignore[no-untyped-call]
