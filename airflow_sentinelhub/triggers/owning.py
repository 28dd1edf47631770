"""What a trigger does whose task owns a job: it ends the job when the task is killed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow.triggers.base import BaseTrigger
from asgiref.sync import sync_to_async

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.clients import make_client
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs.assessment import NOT_FOUND_GRACE
from airflow_sentinelhub.jobs.durations import in_words
from airflow_sentinelhub.triggers.task_state import state_of
from airflow_sentinelhub.watching import Ending, end_job, was_killed

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig
    from airflow_sentinelhub.jobs import BatchApi

_TIME_TO_KILL = 25.0
"""Seconds for which Airflow is held up by a kill; it allows 30 (``[triggerer] on_kill_timeout``)."""

_ASKED_AGAIN_FOR = 15 * 60.0
"""Seconds for which a stop is asked for again: a job may be queued for minutes, and the service busy or away."""

_MISSING_FOR = NOT_FOUND_GRACE
"""The same while the job is 404: a new one may run although it cannot be read yet."""

_FIRST_PAUSE, _LONGEST_PAUSE = 3.0, 30.0
_BUDGET = 10.0

_UNDER_WAY: set[asyncio.Task[None]] = set()
"""What goes on after Airflow has ended the trigger. The event loop alone would not keep it."""


class OwningTrigger(BaseTrigger):
    """
    Stops the job of its task when the task is killed.

    Airflow calls :meth:`on_kill` (since 3.3) not only when somebody marks the task as failed: also when it is
    cleared, when a newer attempt has taken up the job, and when a triggerer that was frozen finds that another
    one has its triggers. So what counts is the state of the task.

    Its subclasses set ``fired`` before they yield their event.
    """

    api: BatchApi
    request_id: str
    sentinelhub_conn_id: str
    stop_on_kill: bool
    fired: bool

    async def on_kill(self) -> None:
        """Stop the job, if its task was killed."""
        if self.fired:
            return
        ending = asyncio.create_task(self._end())
        _UNDER_WAY.add(ending)
        ending.add_done_callback(_UNDER_WAY.discard)
        until = clock.monotonic() + _TIME_TO_KILL
        # The supervisor cancels again every second, which must not reach what is under way.
        while not ending.done() and (left := until - clock.monotonic()) > 0:
            try:
                await asyncio.wait({ending}, timeout=left)
            except asyncio.CancelledError:
                continue
        if not ending.done():
            # The first question for a state starts an API in the triggerer: 13 seconds on a busy machine.
            self.log.warning("%s What becomes of it is told in the triggerer's own log.", self._left())

    async def _end(self) -> None:
        try:
            if self.stop_on_kill:
                await self._stop_if_killed()
            else:
                self.log.warning("%s It was left alone (on_kill='leave').", self._left())
        except asyncio.CancelledError:
            self.log.error("%s The triggerer ends, too, so it may go on: stop it yourself.", self._left())
            raise
        except SentinelHubError as error:
            self.log.error("%s It was not stopped: %s", self._left(), error)
        except Exception:
            self.log.exception("%s It was not stopped:", self._left())

    async def _stop_if_killed(self) -> None:
        began, pause = clock.monotonic(), _FIRST_PAUSE
        until = began + _ASKED_AGAIN_FOR
        while was_killed(state := await self._state()):
            if pause == _FIRST_PAUSE:
                # Said before it is done: under Python 3.11 Airflow closes this log after two seconds.
                self.log.info("This task was killed (it is %s), so its job is asked to stop.", state)
            config = await SentinelHubHook(self.sentinelhub_conn_id).aget_config()
            ending = await asyncio.to_thread(self._stop, config)
            if ending.missing:
                until = min(until, began + _MISSING_FOR)
            if not (ending.again or ending.missing) or clock.monotonic() >= until:
                self.log.log(ending.level, "%s", ending.line)
                return
            if pause == _FIRST_PAUSE:
                again_for = in_words(until - began)
                self.log.warning("%s It is asked again for %s.", _for_now(ending), again_for)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self.log.info("%s The task is %s, so the job was left alone.", self._left(), state or "gone")

    async def _state(self) -> str | None:
        # Through Airflow's own way from threads to the triggerer's loop; the call itself would block that.
        return None if self.task_instance is None else await sync_to_async(state_of)(self.task_instance)

    def _stop(self, config: ClientConfig) -> Ending:
        # A kill does not queue for the account's limit.
        with make_client(config, self.api, admitted=True) as client:
            return end_job(client, self.request_id, _BUDGET)

    def _left(self) -> str:
        return f"The wait for {self.api.display_name} job {self.request_id} was ended from outside."


def _for_now(ending: Ending) -> str:
    return "The job is not found (404), as a new one may be for minutes." if ending.missing else ending.line
