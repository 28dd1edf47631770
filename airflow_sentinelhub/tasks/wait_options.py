"""Options of a wait: poll interval, time limits and tolerances."""

from __future__ import annotations

import math
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
from airflow_sentinelhub.jobs.formatting import format_duration, format_time
from airflow_sentinelhub.jobs.intervals import SHORTEST_INTERVAL, to_seconds, to_seconds_required
from airflow_sentinelhub.jobs.limit import Limit
from airflow_sentinelhub.links.batch import note_resumed
from airflow_sentinelhub.tasks.trigger_failure import trigger_failure

if TYPE_CHECKING:
    from airflow.sdk import Context

LONGEST_INTERVAL = math.inf
"""Seconds that it never goes above: the tests of a DAG set this, so that none waits as long as its DAG does."""

_MAX_SLOWDOWN = 3
_DEFER_TIMEOUT_MARGIN = 180.0
_WORKER_MARGIN = 3.0


class ResultNotReadable(ServiceUnavailable):
    """The job is done, but the rest of its result cannot be read now."""


TEMPLATED_LIMITS = ("start_grace", "stall_timeout", "outage_tolerance")
"""Arguments of :class:`WaitOptionsMixin` that are templates."""


class WaitOptionsMixin:
    """
    Wait options of a task, made from its arguments.

    For operators whose attributes are named as those of :class:`SentinelHubBaseSensor`.
    """

    log: Any
    deferrable: bool
    poke_interval: float
    timeout: float
    execution_timeout: timedelta | None
    may_slow_down: bool

    start_grace = Limit(lambda _, name, value: to_seconds(name, value))
    stall_timeout = Limit(lambda _, name, value: to_seconds(name, value))
    outage_tolerance = Limit(lambda _, name, value: to_seconds_required(name, value))

    def _policy(self, poke_interval: float, analysis_poke_interval: float) -> WaitPolicy:
        return WaitPolicy(
            poke_interval=poke_interval,
            analysis_poke_interval=analysis_poke_interval,
            start_grace=self.start_grace,
            stall_timeout=self.stall_timeout,
            outage_tolerance=self.outage_tolerance,
            slowest_poke_interval=_MAX_SLOWDOWN * poke_interval if self.may_slow_down else None,
        )

    def _intervals(self) -> dict[str, float]:
        """Return the intervals that the user can set, by the name of their argument."""
        return {"poke_interval": self.poke_interval}

    def _limits(self, is_local: bool, started_at: float) -> tuple[WaitPolicy, Deadlines]:
        """
        Return how often to poll, and until when.

        :param is_local: whether the service is on this machine, and may be asked as often as one likes.
        :param started_at: when the wait began, in seconds since 1970.
        """
        floor = 0.0 if is_local else SHORTEST_INTERVAL
        intervals = {
            name: min(max(floor, interval), LONGEST_INTERVAL) for name, interval in self._intervals().items()
        }
        poke_interval = intervals["poke_interval"]
        policy = self._policy(poke_interval, intervals.get("analysis_poke_interval", poke_interval))
        execution_timeout_at = None
        if self.execution_timeout is not None:
            # On a worker Airflow interrupts the task at that moment; the clear message has to come before.
            allowed = self.execution_timeout.total_seconds()
            margin = 0.0 if self.deferrable else min(_WORKER_MARGIN, allowed / 10)
            execution_timeout_at = clock.now() + allowed - margin
        return policy, Deadlines(started_at, started_at + self.timeout, execution_timeout_at)

    def _log_start(self, awaited: str, policy: WaitPolicy, deadlines: Deadlines) -> None:
        for name, interval in self._intervals().items():
            used = getattr(policy, name)
            if used != interval:
                self.log.info(
                    "%s is %s from %g s to %g s.",
                    name,
                    "raised" if used > interval else "lowered",
                    interval,
                    used,
                )
        often = f"every {format_duration(policy.poke_interval)}"
        if policy.analysis_poke_interval != policy.poke_interval:
            often += f" ({format_duration(policy.analysis_poke_interval)} during its analysis)"
        if policy.slowest_poke_interval is not None:
            often += f", {format_duration(policy.slowest_poke_interval)} at most while nothing changes"
        self.log.info(
            "Waiting until %s: looking %s, until %s at most.",
            awaited,
            often,
            format_time(deadlines.first, deadlines.started_at),
        )
        if self.deferrable:
            self.log.info(
                "No worker is held meanwhile. Needs a running triggerer. (deferrable=True is the default here, "
                "whatever [operators] default_deferrable says.)"
            )

    @staticmethod
    def _backstop(policy: WaitPolicy, deadlines: Deadlines) -> timedelta:
        """Return Airflow's own timeout, which stands behind ours: only ours can say what it waited for."""
        left = max(0.0, deadlines.first - clock.now())
        return timedelta(seconds=left + 2 * policy.poke_interval + _DEFER_TIMEOUT_MARGIN)


class SentinelHubBaseSensor(WaitOptionsMixin, BaseSensorOperator):
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
    :param kwargs: everything else that ``BaseSensorOperator`` takes. ``timeout`` (default: 7 days) ends the
        wait for good, ``execution_timeout`` ends the attempt with
        :class:`~airflow_sentinelhub.exceptions.BatchTimeout`, which is retried. With ``soft_fail`` or
        ``never_fail`` both skip the task; a job that failed is a failed task whatever they say.
    """

    ui_color = "#dff3e4"

    default_poke_interval: ClassVar[float]

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
        interval = self.default_poke_interval if poke_interval is None else poke_interval
        super().__init__(poke_interval=interval, **kwargs)
        self.may_slow_down = poke_interval is None
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.deferrable = deferrable
        self.start_grace = start_grace
        self.stall_timeout = stall_timeout
        self.outage_tolerance = outage_tolerance

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

    def _log_start(self, awaited: str, policy: WaitPolicy, deadlines: Deadlines) -> None:
        super()._log_start(awaited, policy, deadlines)
        if self.deferrable and (self.exponential_backoff or self.max_wait):
            self.log.warning("exponential_backoff and max_wait have no effect while deferrable=True.")
        if self.silent_fail:
            self.log.warning("silent_fail has no effect: trouble with the service never fails a poke.")

    def _log_retry(self, error: ResultNotReadable, deadlines: Deadlines) -> None:
        """Log that the task goes on waiting for its result, unless time is up."""
        if clock.now() >= deadlines.first:
            raise error
        self.log.warning("The job is done, but its result cannot be read now, so this task waits on. %s", error)

    def _failure(self, verdict: Verdict | GroupVerdict) -> Exception:
        """Return the exception that ends the task as a verdict says that is no success, the same in every mode."""
        if verdict.is_timeout and (self.soft_fail or self.never_fail):
            return AirflowSkipException(f"{verdict.message} Skipped, as soft_fail or never_fail wants it.")
        if verdict.outcome is Outcome.TIMEOUT:
            return AirflowSensorTimeout(verdict.message)
        return verdict.exception()
