"""Letting time pass in the middle of a task: in the triggerer where it is worth it, else on the worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import BatchTimeout
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.formatting import format_time
from airflow_sentinelhub.triggers.pause import SentinelHubPauseTrigger

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.triggers.base import BaseTrigger

DEFERRED_FROM = 30.0
"""Seconds of waiting below which a worker sleeps: handing a task over and back takes about as long."""

_DEFER_TIMEOUT_MARGIN = 600.0


@dataclass(frozen=True, slots=True)
class TaskDeadline:
    """
    Deadline of a task.

    :param ends_at: seconds since 1970; ``None``: whenever.
    :param name: the argument that says so.
    :param purpose: what there would be no time for, such as ``start``.
    :param api: the API of the job.
    :param job_id: the job that it is about.
    """

    ends_at: float | None
    name: str
    purpose: str
    api: BatchApi
    job_id: str

    def check(self, until: float) -> None:
        """
        Make sure that a wait ends in time.

        Airflow does not enforce ``execution_timeout`` while a task is deferred, and begins to count anew
        afterwards.

        :param until: when the wait ends, in seconds since 1970.
        :raises BatchTimeout: that is too late.
        """
        if self.ends_at is None or until <= self.ends_at:
            return
        now = clock.now()
        raise BatchTimeout(
            f"{self.name} leaves no time to {self.purpose} {self.api.display_name} job {self.job_id}: the "
            f"next look at it would be due at {format_time(until, now)}, and the time of this task ends at "
            f"{format_time(self.ends_at, now)}. What the log says was asked of the service stands, and no more is "
            f"asked: raise {self.name}, or clear this task later.",
            job_id=self.job_id,
            api=self.api.value,
        )


class Deferral:
    """
    Lets time pass for a task; what the task knows goes with it as plain JSON.

    :param task: the task, which has ``execute_complete``.
    :param deferrable: whether it may leave its worker.
    """

    def __init__(self, task: BaseOperator, *, deferrable: bool) -> None:
        self._task, self._deferrable = task, deferrable

    def wait_until(self, until: float, limit: TaskDeadline, kwargs: dict[str, Any]) -> None:
        """
        Wait, in the triggerer if it is worth it; Airflow then begins again in another process.

        :param until: seconds since 1970.
        :param limit: when the task has to be over.
        :param kwargs: what ``execute_complete`` gets then.
        """
        now = clock.now()
        if self._deferrable and until - now >= DEFERRED_FROM:
            limit.check(until)
            self._task.log.info("No worker is held until %s. Needs a running triggerer.", format_time(until, now))
            timeout = timedelta(seconds=self.ends_at(until, limit) - now + _DEFER_TIMEOUT_MARGIN)
            self.hand_over(limit.job_id, self.pause_trigger(until, limit), kwargs, timeout)
        if until - now >= DEFERRED_FROM:
            self._task.log.info("This task holds its worker until %s (deferrable=False).", format_time(until, now))
        self.sleep(until - now, limit)

    def sleep(self, duration: float, limit: TaskDeadline) -> None:
        """
        Sleep on the worker.

        :param duration: seconds.
        :param limit: when the task has to be over.
        """
        limit.check(clock.now() + duration)
        clock.sleep(max(0.0, duration))

    def hand_over(
        self,
        job_id: str,  # noqa: ARG002 - for subclasses
        trigger: BaseTrigger,
        kwargs: dict[str, Any],
        timeout: timedelta,
    ) -> None:
        """
        Leave the worker; ``execute_complete`` goes on.

        :param job_id: the job that the task is about.
        :param trigger: what calls the task back.
        :param kwargs: what ``execute_complete`` gets.
        :param timeout: after which Airflow gives the task up without an event.
        """
        self._task.defer(trigger=trigger, method_name="execute_complete", kwargs=kwargs, timeout=timeout)

    def pause_trigger(self, until: float, limit: TaskDeadline) -> BaseTrigger:  # noqa: ARG002 - for subclasses
        """Return the trigger of a pause."""
        return SentinelHubPauseTrigger(until=until)

    def ends_at(self, until: float, limit: TaskDeadline) -> float:  # noqa: ARG002 - for subclasses
        """Return when Airflow gives the task up without an event, in seconds since 1970."""
        return until
