"""``idle``: triggers that do nothing at all, for what a trigger needs in any case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from benchmarks.spec import Spec
from benchmarks.trigger_log import log_as_in_the_triggerer
from benchmarks.triggerer import Triggerer


class IdleTrigger(BaseTrigger):
    """
    Waits for what never happens.

    :param job_id: the job that another trigger would wait for.
    """

    def __init__(self, job_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._job_id = job_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Raise, as it is never stored."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for ever."""
        await asyncio.Event().wait()
        yield TriggerEvent({"outcome": self._job_id})  # type: ignore[no-untyped-call]


def main() -> None:
    """Hold triggers until the benchmark ends this process."""
    Triggerer(Spec.of_this_process(), IdleTrigger, log_as_in_the_triggerer()).serve()


if __name__ == "__main__":
    main()
