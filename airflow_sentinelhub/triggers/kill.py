"""Stop on kill: a trigger whose task owns a job stops the job when the task is killed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from airflow.triggers.base import BaseTrigger
from asgiref.sync import sync_to_async

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.client_factory import make_client
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchJob, MissingJob
from airflow_sentinelhub.jobs import action_messages as words
from airflow_sentinelhub.jobs.formatting import format_duration
from airflow_sentinelhub.jobs.kill_rules import REMOVED, KillAction, state_means_killed
from airflow_sentinelhub.jobs.message import about, name_of
from airflow_sentinelhub.jobs.wait_rules import NOT_FOUND_GRACE
from airflow_sentinelhub.triggers.task_state import state_of
from airflow_sentinelhub.triggers.triggerer_log import log_in_triggerer
from airflow_sentinelhub.waits.fetch import fetch_job
from airflow_sentinelhub.waits.quick_stop import StopResult, stop_now

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

_FOLLOWED_FOR = 10 * 60.0
"""Seconds for which a job that was asked to stop is looked at, so that the log tells what it has cost."""

_UNDER_WAY: set[asyncio.Task[None]] = set()
"""What goes on after Airflow has ended the trigger. The event loop alone would not keep it."""


class StopOnKillMixin(BaseTrigger):
    """
    Stops the job of its task when the task is killed.

    Airflow calls :meth:`on_kill` (since 3.3) not only when a user marks the task as failed: also when it is
    cleared, when a newer attempt has taken up the job, and when a triggerer that was frozen finds that another
    one has its triggers. So what counts is the state of the task.

    What becomes of the job is written into the log of the task and, from warnings on, into the triggerer's own:
    Airflow closes the first one seconds after a kill, and deletes it with its DAG.

    Its subclasses set ``fired`` before they yield their event.
    """

    api: BatchApi
    request_id: str
    sentinelhub_conn_id: str
    kill_action: KillAction
    fired: bool

    _is_late = False
    """True if Airflow may have closed the log of the task."""

    _is_stopping = False
    """True if the service has taken the stop, and only the end of the job is waited for."""

    async def on_kill(self) -> None:
        """Stop the job, if its task was killed."""
        if self.fired:
            return
        # Said before Airflow or the service is asked anything: the log names the job, whatever comes of that.
        self.log.info("%s", about("The wait was ended from outside, Airflow is asked why", self._name()))
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
        if ending.done():
            return
        self._is_late = True
        if not self._is_stopping:
            # The first question for a state starts an API in the triggerer: 84 seconds were seen.
            self.log.warning(
                "That takes longer than Airflow waits. What becomes of the job is told here, or in the "
                "triggerer's own log once Airflow has closed this one."
            )

    async def _end(self) -> None:
        try:
            await self._stop_if_killed()
        except asyncio.CancelledError:
            ends = "The triggerer ends: the job may go on, stop it yourself"
            self._tell(logging.ERROR, about(ends, self._name()))
            raise
        except SentinelHubError as error:
            self._tell(logging.ERROR, about("NOT STOPPED", self._name(), str(error)))
        except Exception as error:
            self.log.exception("%s", about("NOT STOPPED", self._name()))
            log_in_triggerer(logging.ERROR, about(f"NOT STOPPED: {type(error).__name__}", self._name()))

    async def _stop_if_killed(self) -> None:
        began, pause = clock.monotonic(), _FIRST_PAUSE
        until = began + _ASKED_AGAIN_FOR
        while self.kill_action.stops(state := await self._state()):
            if pause == _FIRST_PAUSE:
                self._tell_kill(state)
            config = await SentinelHubHook(self.sentinelhub_conn_id).aget_config()
            ending = await asyncio.to_thread(self._stop, config)
            if ending.missing:
                until = min(until, began + _MISSING_FOR)
            if not (ending.again or ending.missing) or clock.monotonic() >= until:
                self._tell(ending.level, ending.line)
                self._is_stopping = ending.accepted
                if ending.accepted:
                    await self._tell_last_state(config)
                return
            if pause == _FIRST_PAUSE:
                again_for = format_duration(until - began)
                self._tell(logging.WARNING, f"{self._for_now(ending)}\nIt is asked again for {again_for}.")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._tell_left(state)

    def _tell_kill(self, state: str | None) -> None:
        # Said before it is done: under Python 3.11 Airflow closes the log of the task after two seconds.
        line = f"This task was killed (it is {state}): the job is asked to stop"
        if state == REMOVED:
            why = "The task was renamed or deleted in its DAG file."
            self._tell(logging.WARNING, about(line, self._name(), why))
        else:
            self._tell(logging.INFO, about(line, self._name()))

    def _tell_left(self, state: str | None) -> None:
        """Log that the job goes on, and whether a task owns it now."""
        if state is None:
            gone = "Airflow does not know the task any more: was its DAG deleted?"
            self._tell(logging.WARNING, f"{gone} {words.left(self._name())}")
        elif state_means_killed(state):
            how = "was renamed or deleted in its DAG file" if state == REMOVED else f"was killed (it is {state})"
            left = words.left(self._name(), f"on_kill='{self.kill_action}'")
            self._tell(logging.WARNING, f"This task {how}. {left}")
        else:
            self._tell(logging.INFO, about(f"The task is {state}: the job was left alone", self._name()))

    async def _tell_last_state(self, config: ClientConfig) -> None:
        """Log the state in which the job has come to rest, and its cost."""
        until, pause = clock.monotonic() + _FOLLOWED_FOR, _FIRST_PAUSE
        while True:
            result = await asyncio.to_thread(self._fetch, config)
            if isinstance(result, BatchJob) and (result.is_over or clock.monotonic() >= until):
                self._tell(logging.WARNING, words.now_is(result))
                return
            if clock.monotonic() >= until:
                self._tell(logging.WARNING, about("Its last state cannot be read", self._name(), str(result)))
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _state(self) -> str | None:
        # Through Airflow's own way from threads to the triggerer's loop; the call itself would block that.
        return None if self.task_instance is None else await sync_to_async(state_of)(self.task_instance)

    def _stop(self, config: ClientConfig) -> StopResult:
        # A kill does not queue for the account's limit.
        with make_client(config, self.api, rate_limited_by_caller=True) as client:
            return stop_now(client, self.request_id, _BUDGET, clock.now())

    def _fetch(self, config: ClientConfig) -> BatchJob | MissingJob | SentinelHubError:
        with make_client(config, self.api) as client:
            return fetch_job(client, self.request_id, budget=_BUDGET)

    def _tell(self, level: int, line: str) -> None:
        self.log.log(level, "%s", line)
        if level >= logging.WARNING or self._is_late:
            log_in_triggerer(level, line)

    def _name(self) -> str:
        return name_of(self.api, self.request_id)

    def _for_now(self, ending: StopResult) -> str:
        return (
            about("Not found: 404, as a new job may be for minutes", self._name())
            if ending.missing
            else ending.line
        )
