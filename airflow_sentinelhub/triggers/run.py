"""The trigger of a task that owns its job: it waits, and ends the job when the task is killed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.triggers.batch import SentinelHubBatchTrigger
from airflow_sentinelhub.triggers.task_state import state_of
from airflow_sentinelhub.watching import end_job, was_killed

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig

_TIME_TO_KILL = 25.0
"""Seconds for all that happens after a kill; Airflow gives 30 (``[triggerer] on_kill_timeout``)."""

_BUDGET = 10.0


class SentinelHubBatchRunTrigger(SentinelHubBatchTrigger):
    """
    Waits for the job of a task that owns it, and stops the job when the task is killed.

    Airflow calls :meth:`on_kill` (since 3.3) not only when somebody marks the task as failed: also when it is
    cleared, when a newer attempt has taken up the job, and when a triggerer that was frozen finds that another
    one has its triggers. So what counts is the state of the task.

    :param stop_on_kill: stop the job when the task was killed; otherwise it is left, and the log says so.
    :param kwargs: see :class:`~airflow_sentinelhub.triggers.batch.SentinelHubBatchTrigger`.
    """

    def __init__(self, *, stop_on_kill: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stop_on_kill = stop_on_kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what the triggerer needs to make this trigger again."""
        _, kwargs = super().serialize()
        classpath = "airflow_sentinelhub.triggers.run.SentinelHubBatchRunTrigger"
        return classpath, {**kwargs, "stop_on_kill": self.stop_on_kill}

    async def on_kill(self) -> None:
        """Stop the job, if its task was killed."""
        if self.fired:
            return
        ending = asyncio.create_task(self._end())
        until = time.monotonic() + _TIME_TO_KILL
        # The supervisor cancels again every second, which must not reach what is under way.
        while not ending.done() and (left := until - time.monotonic()) > 0:
            try:
                await asyncio.wait({ending}, timeout=left)
            except asyncio.CancelledError:
                continue
        if not ending.done():
            ending.cancel()
            self.log.error("%s It was not stopped in time: look at it in the service's dashboard.", self._left())

    async def _end(self) -> None:
        try:
            if not self.stop_on_kill:
                self.log.warning("%s It was left alone (on_kill='leave').", self._left())
                return
            state = await self._state()
            if not was_killed(state):
                self.log.info("%s The task is %s, so the job was left alone.", self._left(), state or "gone")
                return
            config = await self.read_connection()
            level, line = await asyncio.to_thread(self._stop, config)
            self.log.log(level, "This task was killed (it is %s). %s", state, line)
        except SentinelHubError as error:
            self.log.error("%s It was not stopped: %s", self._left(), error)
        except Exception:
            self.log.exception("%s It was not stopped:", self._left())

    async def _state(self) -> str | None:
        # Through Airflow's own way from threads to the triggerer's loop; the call itself would block that.
        return None if self.task_instance is None else await sync_to_async(state_of)(self.task_instance)

    def _stop(self, config: ClientConfig) -> tuple[int, str]:
        from airflow_sentinelhub.client.batch import BatchClient

        # A kill does not queue for the account's limit.
        with BatchClient(config, self.api, admitted=True) as client:
            return end_job(client, self.request_id, _BUDGET)

    def _left(self) -> str:
        return f"The wait for {self.api.display_name} job {self.request_id} was ended from outside."
