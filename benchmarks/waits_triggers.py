"""
A process that runs triggers on one event loop, as Airflow's triggerer does.

``ours`` are the triggers of this package. ``loop`` is a poll loop and a thread for each wait, the pattern of
today's official providers. It is treated generously: all loops share one client with its token, its connections,
and what it knows of a 429. The official ones make a client, often with a login, for each wait. ``idle`` does
nothing: that is what a trigger needs in any case.
"""

from __future__ import annotations

import array
import asyncio
import io
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from airflow.sdk.log import configure_logging
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_sentinelhub.exceptions import SentinelHubError
from benchmarks.waits import CONNECTION, Waits, job_id

_LAG_TICK = 0.02
_UNFINISHED = ("CREATED", "ANALYSING", "ANALYSIS_DONE", "PROCESSING")

# Each wait writes a line about its first answer. Warnings name jobs as well, but only as they cannot be seen.
_SAW_THE_JOB = re.compile(rb'"event":"(?:PROCESSING|DONE)\b[^"]*\b([0-9a-f]{8})\b')


class TriggerLog(io.RawIOBase):
    """The log of the triggers, as Airflow's triggerer makes it: lines of JSON, which are read and thrown away."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self._waits = waits

    def write(self, line: Any) -> int:
        """Take a line, and note the job of which it tells the status."""
        if found := _SAW_THE_JOB.search(line):
            self._waits.saw(found[1])
        return len(line)


class IdleTrigger(BaseTrigger):
    """Waits for what never happens."""

    def __init__(self, job_id: str) -> None:
        super().__init__()
        self._job_id = job_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Raise, as it is never stored."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for ever."""
        await asyncio.Event().wait()
        yield TriggerEvent({"outcome": self._job_id})


class PollLoopTrigger(IdleTrigger):
    """Asks for a job again and again, later where the service wants it, in a thread of the default executor."""

    def __init__(self, client: Any, job_id: str, interval: float) -> None:
        super().__init__(job_id)
        self._client = client
        self._interval = interval

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire an event."""
        known = ""
        while True:
            pause = self._interval
            try:
                status = (await asyncio.to_thread(self._client.get, self._job_id, budget=0))["status"]
            except SentinelHubError as error:
                pause = max(pause, getattr(error, "retry_after", None) or 0.0)
            else:
                if status != known:
                    self.log.info("%s (Batch Process %s)", status, self._job_id)
                    known = status
                if status not in _UNFINISHED:
                    yield TriggerEvent({"outcome": status.lower()})
                    return
            await asyncio.sleep(pause)


def maker(variant: str, interval: float) -> Callable[[str], BaseTrigger]:
    """Return what makes the trigger of a job."""
    if variant == "idle":
        return IdleTrigger
    # Loaded with the first request otherwise, and then taken for the memory of a wait.
    import airflow_sentinelhub.client.batch  # noqa: F401

    if variant == "loop":
        from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook

        client = SentinelHubHook(CONNECTION).get_conn("process")
        return lambda job_id: PollLoopTrigger(client, job_id, interval)
    from airflow_sentinelhub.triggers.batch import SentinelHubBatchTrigger

    return lambda job_id: SentinelHubBatchTrigger(
        api="process",
        goal="completion",
        request_id=job_id,
        sentinelhub_conn_id=CONNECTION,
        policy={"poke_interval": interval, "analysis_poke_interval": min(interval, 10.0)},
        deadlines={"started_at": time.time(), "timeout_at": time.time() + 7 * 86400},
    )


class Triggerer(Waits):
    """
    Makes a trigger for each job, and runs them all.

    The lag of the event loop is how much too long sleeps of 20 ms were. They cost more than some of what is
    measured, and pause while processor time is counted.
    """

    async def serve(self) -> None:
        """Run until the benchmark ends this process."""
        configure_logging(json_output=True, output=TriggerLog(self), sending_to_supervisor=True)
        self._make_trigger = maker(sys.argv[2], self.spec.interval)
        self._late = array.array("d")
        asyncio.get_running_loop().add_reader(self.pipe.fileno(), self.obey)
        async with asyncio.TaskGroup() as self._tasks:
            self.pipe.send("ready")
            await asyncio.Event().wait()

    def begin(self) -> None:
        """Let the waits begin."""
        self.memory_before = self.memory()
        self._lag_probe = self._tasks.create_task(self._probe_lag())
        self._tasks.create_task(self._arrive())

    def pause(self) -> array.array[float]:
        """Look no more for lag, and return what was seen since the last time."""
        self._lag_probe.cancel()
        late, self._late = self._late, array.array("d")
        super().pause()
        return late

    def resume(self) -> tuple[float, int]:
        """Return what all processes do, and look for lag again."""
        answer = super().resume()
        self._lag_probe = self._tasks.create_task(self._probe_lag())
        return answer

    async def _probe_lag(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + _LAG_TICK
            await asyncio.sleep(_LAG_TICK)
            self._late.append(max(0.0, clock() - due))

    async def _arrive(self) -> None:
        began = time.time()
        jobs, at_once = self.spec.jobs, self.spec.arrivals
        for start in range(0, len(jobs), at_once):
            if start:
                await asyncio.sleep(1)  # as Airflow's triggerer does before it takes up new triggers
            for number in jobs[start : start + at_once]:
                self._tasks.create_task(self._wait(job_id(number)))
        self.pipe.send(began)

    async def _wait(self, job: str) -> None:
        try:
            async for event in self._make_trigger(job).run():
                self.over(job, event.payload["outcome"])
        except Exception as error:
            self.over(job, repr(error))


if __name__ == "__main__":
    asyncio.run(Triggerer().serve())
