"""
Whether a task still runs, asked before it starts a job and before it leaves its worker.

A worker learns of a kill only with its next heartbeat, 5 seconds later by default. Meanwhile a task can create a
job, start it and ask to be deferred. Airflow then refuses the deferral, and no trigger exists that could stop the
job.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.kill_rules import state_means_killed
from airflow_sentinelhub.tasks.own_state import OwnState, fetch_own_state

_ANSWER_WITHIN_AT_END = 5.0
"""Seconds in which Airflow has to answer when the process ends. A trigger fires 10 seconds after the deferral at
the earliest, and Airflow fails a task that is resumed while its worker still ends."""


class KillCheck:
    """
    Asks Airflow whether the task still runs, and ends the attempt if it does not.

    :param api: the API of the job.
    :param task_instance: the task.
    :param log: its log.
    :param stop: takes a job and the state of its killed task, asks the service to stop the job if the user wants
        that, and logs what came of it; default: the task does not own the job, and leaves it.
    """

    def __init__(
        self,
        api: BatchApi,
        task_instance: Any,
        log: Any,
        stop: Callable[[str, str | None], None] = lambda *_: None,
    ) -> None:
        self._api = api
        self._task_instance = task_instance
        self._log = log
        self._stop = stop

    def before_start(self, job_id: str) -> None:
        """
        Make sure that the task runs, just before the service is asked to start its job.

        :param job_id: the job. It may run already, if the answer to an earlier start was lost.
        :raises SentinelHubError: it does not, or Airflow does not tell. A retry is allowed.
        """
        own = fetch_own_state(self._task_instance)
        if own.error is not None:
            raise self._error(
                job_id,
                f"Airflow does not tell whether this task still runs ({own.error}), so nothing is started for "
                f"{self._label(job_id)}: without the task it would run on. Is the API server up? A retry goes on "
                "with the job.",
            )
        self._end_unless_running(own, job_id, "is not started")

    def while_started(self, job_id: str) -> None:
        """
        Make sure that the task runs, when its job may run and before the task waits for it.

        Without an answer the task goes on: a wait has an owner, and an attempt that fails may be the last one.

        :param job_id: the job.
        :raises SentinelHubError: it does not run. If it was killed the job was asked to stop.
        """
        own = fetch_own_state(self._task_instance)
        if own.error is not None:
            self._log.warning(
                "Airflow does not tell whether this task still runs (%s). If it was killed, %s goes on.",
                own.error,
                self._label(job_id),
            )
            return
        self._end_unless_running(own, job_id, "is left as it is")

    def after_deferral(self, job_id: str) -> None:
        """
        Stop the job if the task was killed before Airflow took up its deferral, and so has no trigger.

        :param job_id: the job.
        """
        own = fetch_own_state(self._task_instance, _ANSWER_WITHIN_AT_END)
        if own.error is not None:
            self._log.warning(
                "Airflow does not tell whether this task is deferred (%s). If it was killed, %s goes on.",
                own.error,
                self._label(job_id),
            )
        elif state_means_killed(own.state):
            self._log.warning(
                "This task was killed (it is %s) before it was deferred, so it has no trigger.", own.state
            )
            self._stop(job_id, own.state)

    def _end_unless_running(self, own: OwnState, job_id: str, otherwise: str) -> None:
        if own.is_running:
            return
        label = self._label(job_id)
        if state_means_killed(own.state):
            self._stop(job_id, own.state)
            raise self._error(job_id, f"This task was killed (it is {own.state}); nothing is started for {label}.")
        if own.state is None:
            reason = "Airflow does not know this task any more"
            heir = "Nothing goes on with it."
        elif own.state == "success":
            reason = "This task was marked as a success"
            heir = "Nothing goes on with it, unless the task is cleared."
        else:
            reason = f"This attempt is over for Airflow (the task is {own.state}, as after a clear)"
            heir = "The next attempt goes on with it."
        raise self._error(job_id, f"{reason}, so {label} {otherwise}. {heir}")

    def _error(self, job_id: str, message: str) -> SentinelHubError:
        return SentinelHubError(message, job_id=job_id, api=self._api.value)

    def _label(self, job_id: str) -> str:
        return f"{self._api.display_name} job {job_id}"
