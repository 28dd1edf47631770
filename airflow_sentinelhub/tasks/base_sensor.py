"""Base of all sensors: their options, and how a wait ends that is no success."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
)

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import BatchTimeout, SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import Deadlines, GroupVerdict, Outcome, Verdict, WaitPolicy
from airflow_sentinelhub.jobs.limit import duration_limit, required_duration_limit
from airflow_sentinelhub.links.batch import note_resumed
from airflow_sentinelhub.tasks.arguments import refuse_unknown_arguments
from airflow_sentinelhub.tasks.trigger_failure import trigger_failure
from airflow_sentinelhub.tasks.wait_options import WaitOptions

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial


class ResultNotReadable(ServiceUnavailable):
    """The job is done, but the rest of its result cannot be read now."""


class SentinelHubBaseSensor(BaseSensorOperator):
    """
    Waits for batch jobs; its subclasses say for which.

    :param sentinelhub_conn_id: the Airflow connection (templated).
    :param deferrable: wait in the triggerer, without a worker slot. Unlike in Airflow's own sensors this is the
        default, since jobs run for hours, and ``[operators] default_deferrable`` has no effect; a triggerer has to
        be running. ``mode`` matters only without it.
    :param poke_interval: between two polls of the job, in seconds or as a ``timedelta``. Deferred waits of one
        account share their requests, and come up to a fifth of it early or late for that. Without it, a job at
        which nothing has changed for a long time is looked at up to three times less often than by default.
    :param start_grace: how long the job may rest without being started before
        :class:`~airflow_sentinelhub.exceptions.BatchNotStarted` is raised, in seconds or as a ``timedelta``
        (default: 1 hour; templated); ``None``: until the timeout.
    :param stall_timeout: how long the job may show no change of progress, cost or time stamp before
        :class:`~airflow_sentinelhub.exceptions.BatchStalled` is raised (default ``None``: until the timeout;
        templated).
    :param outage_tolerance: for how long the service may give no usable answer before
        :class:`~airflow_sentinelhub.exceptions.ServiceUnavailable` is raised (default: 6 hours; templated).
    :param kwargs: all other arguments of ``BaseSensorOperator``. ``timeout`` (default: 7 days) ends the
        wait for good, ``execution_timeout`` ends the attempt with
        :class:`~airflow_sentinelhub.exceptions.BatchTimeout`, which is retried. With ``soft_fail`` or
        ``never_fail`` both skip the task; a job that failed is a failed task whatever they say.
    """

    ui_color = "#dff3e4"

    default_poke_interval: ClassVar[float]

    start_grace = duration_limit()
    stall_timeout = duration_limit()
    outage_tolerance = required_duration_limit()

    def __init__(
        self,
        *,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        deferrable: bool = True,
        poke_interval: timedelta | float | None = None,
        start_grace: timedelta | float | str | None = 3600.0,
        stall_timeout: timedelta | float | str | None = None,
        outage_tolerance: timedelta | float | str = 6 * 3600.0,
        **kwargs: Any,
    ) -> None:
        refuse_unknown_arguments(type(self), kwargs, kwargs.get("task_id"))
        interval = self.default_poke_interval if poke_interval is None else poke_interval
        super().__init__(poke_interval=interval, **kwargs)
        self.may_slow_down = poke_interval is None
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.deferrable = deferrable
        self.start_grace = start_grace
        self.stall_timeout = stall_timeout
        self.outage_tolerance = outage_tolerance

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """
        Make mapped tasks, see Airflow.

        :raises TypeError: there is no argument of a name that was given.
        """
        refuse_unknown_arguments(cls, kwargs, kwargs.get("task_id"))
        return super().partial(**kwargs)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Report a wait whose trigger never fired; only a real timeout may skip the task."""
        note_resumed(self)
        failure = trigger_failure(next_method, next_kwargs, self.log)
        if failure is not None:
            if not failure.timed_out:
                raise SentinelHubError(
                    f"The trigger of this wait ended without a verdict ({failure.reason}). Nothing was stopped: "
                    "clear this task to wait again."
                )
            limit = self.execution_timeout
            retried = limit is not None and limit.total_seconds() <= self.timeout
            if retried and not (self.soft_fail or self.never_fail):
                raise BatchTimeout(
                    "execution_timeout has passed, and the trigger of this wait has not said anything: is a "
                    "triggerer running? Nothing was stopped."
                )
        return super().resume_execution(next_method, next_kwargs, context)

    def wait_options(self) -> WaitOptions:
        """Return the options of the wait; subclasses add theirs."""
        return WaitOptions.of(self)

    def _log_start(self, awaited: str, policy: WaitPolicy, deadlines: Deadlines) -> None:
        self.wait_options().log_start(self.log.log, awaited, policy, deadlines)
        if self.deferrable and (self.exponential_backoff or self.max_wait):
            self.log.warning("exponential_backoff and max_wait have no effect while deferrable=True.")
        if self.silent_fail:
            self.log.warning("silent_fail has no effect: trouble with the service never fails a poke.")

    def _log_retry(self, error: ResultNotReadable, deadlines: Deadlines) -> None:
        """Log that the task goes on waiting for its result, unless time is up."""
        if clock.now() >= deadlines.first:
            raise error
        self.log.warning("The job is done, but its result cannot be read now, so this task waits on.\n%s", error)

    def _failure(self, verdict: Verdict | GroupVerdict) -> Exception:
        """Return the exception that ends the task as a verdict says that is no success, the same in every mode."""
        if verdict.is_timeout and (self.soft_fail or self.never_fail):
            return AirflowSkipException(f"{verdict.message}\nSkipped, as soft_fail or never_fail wants it.")
        if verdict.outcome is Outcome.TIMEOUT:
            return AirflowSensorTimeout(verdict.message)
        return verdict.exception()
