"""
``loop``: a poll loop and a thread for each wait, the pattern of today's official providers.

It is treated generously: all loops share one client, and with it one token, its connections, and what it knows
of the account's limit after a 429. The official ones make a client, and often a login, for each wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.exceptions import SentinelHubError, ServiceError
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from benchmarks.spec import CONNECTION, Spec
from benchmarks.trigger_log import log_as_in_the_triggerer
from benchmarks.triggerer import Triggerer

_ON_THE_WAY = ("CREATED", "ANALYSING", "ANALYSIS_DONE", "PROCESSING")


class PollLoopTrigger(BaseTrigger):
    """
    Asks for a job again and again, in a thread of asyncio's default executor.

    :param client: asks the service.
    :param job_id: the job.
    :param interval: seconds between two looks, also after an error, unless the service wants more.
    """

    def __init__(self, client: BatchClient, job_id: str, interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._client = client
        self._job_id = job_id
        self._interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Raise, as it is never stored."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire an event."""
        known = ""
        while True:
            pause = self._interval
            try:
                status = (await asyncio.to_thread(self._client.get, self._job_id, budget=0))["status"]
            except SentinelHubError as error:
                if isinstance(error, ServiceError) and error.retry_after is not None:
                    pause = max(pause, error.retry_after)
            else:
                if status != known:
                    self.log.info("Batch Process job %s: %s", self._job_id, status)
                    known = status
                if status not in _ON_THE_WAY:
                    yield TriggerEvent({"outcome": status.lower()})  # type: ignore[no-untyped-call]
                    return
            await asyncio.sleep(pause)


def main() -> None:
    """Wait for jobs until the benchmark ends this process."""
    spec = Spec.of_this_process()
    log = log_as_in_the_triggerer()
    client = SentinelHubHook(CONNECTION).get_conn("process")
    Triggerer(spec, lambda job_id: PollLoopTrigger(client, job_id, spec.interval), log).serve()


if __name__ == "__main__":
    main()
