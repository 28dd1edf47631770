"""A process that runs triggers on one event loop, as Airflow's triggerer does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from airflow.triggers.base import BaseTrigger

from benchmarks.conversation import ENDED, READY, Command, Conversation
from benchmarks.probes import LagProbe, resident_memory
from benchmarks.spec import Spec
from benchmarks.trigger_log import TriggerLog

_ARRIVALS_EVERY = 1.0
"""Seconds between two rounds in which the triggerer takes up new triggers."""

MakeTrigger = Callable[[str], BaseTrigger]


class Triggerer:
    """
    Makes a trigger for each job, runs them all, and tells the benchmark what it asks.

    :param spec: which waits.
    :param make_trigger: gives the trigger that waits for a job.
    :param log: where the triggers' log goes.
    """

    def __init__(self, spec: Spec, make_trigger: MakeTrigger, log: TriggerLog) -> None:
        self._spec = spec
        self._make_trigger = make_trigger
        self._log = log
        self._conversation = Conversation()
        self._lag = LagProbe()
        self._lag_at_start: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._processor_time = 0.0
        self._memory = 0

    def serve(self) -> None:
        """Run until the benchmark ends this process."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._run(self._lag.run())
        self._conversation.listen(lambda command: loop.call_soon_threadsafe(self._obey, command))
        self._conversation.tell(READY)
        await asyncio.Event().wait()

    def _obey(self, command: Command) -> None:
        match command:
            case Command.BEGIN:
                self._memory = resident_memory()
                self._lag.resume()
                self._run(self._arrive())
            case Command.WINDOW_BEGINS:
                self._lag.pause()
                self._lag_at_start = self._lag.take()
                self._processor_time = time.process_time()
                self._conversation.tell(command)
            case Command.WINDOW_ENDS:
                spent = time.process_time() - self._processor_time
                self._conversation.tell(command, cpu_seconds=spent, memory=resident_memory() - self._memory)
                self._lag.resume()
            case Command.FINISH:
                self._conversation.tell(
                    command,
                    lag_at_start=self._lag_at_start,
                    lag=self._lag.take(),
                    jobs_seen=self._log.jobs_seen,
                    last_first_look=self._log.last_first_look,
                )

    async def _arrive(self) -> None:
        began = time.time()
        jobs, at_once = self._spec.job_ids, self._spec.arrivals
        for start in range(0, len(jobs), at_once):
            if start:
                await asyncio.sleep(_ARRIVALS_EVERY)
            for job_id in jobs[start : start + at_once]:
                self._run(self._wait(job_id))
        self._conversation.tell(Command.BEGIN, began=began)

    async def _wait(self, job_id: str) -> None:
        try:
            async for event in self._make_trigger(job_id).run():
                outcome, at = event.payload["outcome"], time.time()
                self._conversation.tell(ENDED, job_id=job_id, outcome=outcome, at=at)
        except Exception as error:
            self._conversation.tell(
                ENDED, job_id=job_id, outcome=f"{type(error).__name__}: {error}", at=time.time()
            )

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the event loop itself keeps tasks only weakly
        task.add_done_callback(self._tasks.discard)
