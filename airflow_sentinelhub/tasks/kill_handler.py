"""Kill handler of a worker: what it does in the seconds between a kill of its task and its own end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub import clock
from airflow_sentinelhub.hooks.client_factory import make_client
from airflow_sentinelhub.jobs import action_messages as words
from airflow_sentinelhub.jobs.kill_rules import KillAction, state_means_killed
from airflow_sentinelhub.jobs.message import about, name_of
from airflow_sentinelhub.tasks.kill_check import KillCheck
from airflow_sentinelhub.tasks.own_state import fetch_own_state
from airflow_sentinelhub.triggers.task_state import state_of
from airflow_sentinelhub.waits.quick_stop import StopResult, stop_now

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig
    from airflow_sentinelhub.jobs import BatchApi

_HELD_FOR = 2.0
"""Seconds for which the task is held up. Airflow sends SIGKILL 5 seconds after SIGTERM."""

_TIMEOUT = (1.0, 2.0)

_BUDGET = 10.0
"""Seconds in which a stop that the task itself asks for is sent again; no signal has come yet."""

_ASKED_AGAIN_FOR = 60.0
"""Seconds for which it is asked for again: a job may be queued, and can be stopped only minutes later. Airflow
ends the process before, 5 seconds after the next heartbeat."""

_PAUSE = 2.0


class KillHandler:
    """
    Stops a job if its task was killed on the worker.

    Airflow calls ``on_kill`` also when a worker is shut down or has lost its heartbeat. So the task's state
    counts, and as long as Airflow does not tell it the job is left.

    Its attribute ``job_id`` is the job, once there is one. ``check`` asks whether the task still runs, and stops
    the job in the same way if it does not.

    :param api: the job's API.
    :param config: the account, read before: there is no time for it then.
    :param task_instance: the task.
    :param log: its log.
    :param action: what the user wants of the job then.
    """

    def __init__(
        self, api: BatchApi, config: ClientConfig, task_instance: Any, log: Any, *, action: KillAction
    ) -> None:
        self._api = api
        self._config = config
        self._task_instance = task_instance
        self._log = log
        self._action = action
        self._killed = False
        self._helper: threading.Thread | None = None
        self.job_id: str | None = None
        self.check = KillCheck(api, task_instance, log, self.stop)

    def on_kill(self) -> None:
        """Do what can be done within 5 seconds, from a signal handler."""
        if self._action is KillAction.LEAVE:
            self._log.warning("The worker is told to end (on_kill='leave'). %s", self._left())
            return
        # Said before anything is asked: whatever comes of that, the log tells which job may go on.
        self._log.warning("The worker is told to end. %s", self._at_risk())
        # The signal may have come while the task itself asks Airflow or the service for something. Whatever it
        # holds for that it gives back only when this returns, so the helper goes on after that.
        self._helper = threading.Thread(target=self._help, name="sentinelhub-kill", daemon=True)
        self._helper.start()
        self._helper.join(_HELD_FOR)
        if self._helper.is_alive() and not self._killed:
            self._log.warning("The worker is told to end, and Airflow has not yet told why. %s", self._left())

    def stop(self, job_id: str, state: str | None) -> None:
        """
        Ask for the job of a killed task to be stopped, until the service has taken it or this process ends.

        A task that is cleared meanwhile has a new attempt, which goes on with the job.

        :param job_id: the job.
        :param state: of the task, which is that of a kill.
        """
        self.job_id = job_id
        if not self._action.stops(state):
            self._log.warning("This task was killed (it is %s). %s", state, self._left_by_choice())
            return
        until = clock.monotonic() + _ASKED_AGAIN_FOR
        while True:
            ending = self._end(job_id, _BUDGET)
            self._log.log(ending.level, "This task was killed. %s", ending.line)
            if not (ending.again or ending.missing) or clock.monotonic() >= until:
                return
            clock.sleep(_PAUSE)
            own = fetch_own_state(self._task_instance)
            if not self._action.stops(own.state):
                self._log.warning("The state of the task is %s now. %s", own, self._left())
                return

    def _stop_once(self, job_id: str) -> None:
        ending = self._end(job_id, 0, timeout=_TIMEOUT)
        self._log.log(ending.level, "This task was killed. %s", ending.line)

    def _help(self) -> None:
        try:
            state = state_of(self._task_instance)
            if not state_means_killed(state):
                self._log.warning("The worker is told to end; the task is %s. %s", state or "gone", self._left())
                return
            self._killed = True
            if self.job_id is None:
                self._log.warning(
                    "This task was killed (it is %s) before it had a job: nothing is started.", state
                )
            elif not self._action.stops(state):
                self._log.warning("This task was killed (it is %s). %s", state, self._left_by_choice())
            else:
                self._stop_once(self.job_id)
        except Exception:
            self._log.exception("The worker is told to end, and that failed. %s", self._left())

    def _end(self, job_id: str, budget: float, **options: Any) -> StopResult:
        # A kill does not queue for the account's limit.
        with make_client(self._config, self._api, rate_limited_by_caller=True, **options) as client:
            return stop_now(client, job_id, budget, clock.now())

    def _at_risk(self) -> str:
        if self.job_id is None:
            return "It has no job yet, or the answer to its creation is under way."
        return about("The job may be running", name_of(self._api, self.job_id))

    def _left_by_choice(self) -> str:
        return words.left(name_of(self._api, self.job_id or ""), f"on_kill='{self._action}'")

    def _left(self) -> str:
        heir = "The next attempt of this task goes on with it."
        if self.job_id is None:
            return f"What was asked of the service is left as it is. {heir}"
        return about("The job is left as it is", name_of(self._api, self.job_id), heir)
