"""What a worker does in the few seconds between a kill of its task and its own end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub.triggers.task_state import state_of
from airflow_sentinelhub.watching import end_job, was_killed

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig
    from airflow_sentinelhub.jobs import BatchApi

_FOR_THE_STATE = 2.0
_FOR_THE_STOP = 2.5
"""Seconds. Airflow sends SIGKILL 5 seconds after SIGTERM."""

_TIMEOUT = (1.0, 2.0)


class Killing:
    """
    Stops a job if its task was killed on the worker.

    Airflow calls ``on_kill`` also when a worker is shut down or has lost its heartbeat. So the task's state
    counts, and if Airflow does not tell it in time the job is left.

    :param api: the job's API.
    :param config: the account, read before: there is no time for it then.
    :param task_instance: the task.
    :param log: its log.
    :param stops: whether the user wants the job to be stopped then.
    """

    def __init__(self, api: BatchApi, config: ClientConfig, task_instance: Any, log: Any, *, stops: bool) -> None:
        self._api = api
        self._config = config
        self._task_instance = task_instance
        self._log = log
        self._stops = stops
        self.job_id: str | None = None
        self.wants_stop = False

    def happened(self) -> None:
        """Do what can be done within 5 seconds, from a signal handler."""
        if not self._stops:
            self._log.warning("The worker is told to end. %s (on_kill='leave')", self._left())
            return
        state = _in_time(_FOR_THE_STATE, lambda: state_of(self._task_instance))
        if not was_killed(state):
            now = state or "in a state that Airflow did not tell in time"
            self._log.warning("The worker is told to end; the task is %s. %s", now, self._left())
            return
        self.wants_stop = True
        if self.job_id is None:
            self._log.warning("This task was killed (it is %s) before it had a job: nothing is started.", state)
        else:
            self.stop(self.job_id)

    def stop(self, job_id: str) -> None:
        """
        Ask for the job to be stopped.

        :param job_id: the job.
        """
        ended: tuple[int, str] | None = _in_time(_FOR_THE_STOP, lambda: self._end(job_id))
        level, line = ended or (logging.ERROR, f"The service did not answer in time. {self._left()}")
        self._log.log(level, "This task was killed. %s", line)

    def _end(self, job_id: str) -> tuple[int, str]:
        from airflow_sentinelhub.client.batch import BatchClient

        # A kill does not queue for the account's limit.
        with BatchClient(self._config, self._api, admitted=True, timeout=_TIMEOUT) as client:
            return end_job(client, job_id, 0)

    def _left(self) -> str:
        job = f"{self._api.display_name} job {self.job_id}" if self.job_id else "What was asked of the service"
        return f"{job} is left as it is; the next attempt of this task goes on with it."


def _in_time(seconds: float, call: Callable[[], Any]) -> Any:
    """
    Make a call that may hang, since the signal may have come in the middle of another one like it.

    :return: what it gives; ``None`` if that takes too long, or fails.
    """
    given: list[Any] = []

    def make() -> None:
        try:
            given.append(call())
        except Exception:
            logging.getLogger(__name__).debug("A call during the kill failed.", exc_info=True)

    thread = threading.Thread(target=make, name="sentinelhub-kill", daemon=True)
    thread.start()
    thread.join(seconds)
    return given[0] if given else None
