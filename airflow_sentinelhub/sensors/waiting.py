"""How a sensor waits for a batch job: deferred, poking or rescheduled, with the same end in every mode."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
)

from airflow_sentinelhub.exceptions import BatchTimeout, SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import (
    BatchApi,
    Deadlines,
    Goal,
    Outcome,
    Policy,
    Verdict,
    parse_request_id,
    reduce_to_id,
)
from airflow_sentinelhub.jobs.durations import in_words
from airflow_sentinelhub.sensors.on_worker import WorkerWait
from airflow_sentinelhub.triggers.batch import SETTLING_TIME, SentinelHubBatchTrigger
from airflow_sentinelhub.watching import Terms, clock, verdict_line

if TYPE_CHECKING:
    from airflow.sdk import Context

SHORTEST_INTERVAL = 5.0
"""Seconds between two looks at a job that a sensor never goes below, except on this machine."""

# How Airflow says that a trigger did not come to its event, and why.
_TRIGGER_FAILED = "__fail__"
_TRIGGER_TIMEOUT = "Trigger timeout"

_SLOWEST = 3
_BACKSTOP = 180.0
_WORKER_MARGIN = 3.0
_RESULT_RETRY_PAUSE = 60.0


class ResultUnavailable(ServiceUnavailable):
    """The job is done, but the rest of its result cannot be read now."""


class SentinelHubBatchWaitSensor(BaseSensorOperator):
    """
    Waits for a batch job; the six sensors say of which API and for what.

    :param request_id: id of the job, a job as a dictionary or JSON text with ``id``, an object with
        ``request_id``, or the output of a task that gives one of these (templated).
    :param sentinelhub_conn_id: the Airflow connection (templated).
    :param deferrable: wait in the triggerer, without a worker slot. Unlike in Airflow's own sensors this is the
        default, since jobs run for hours; a triggerer has to be running. ``mode`` matters only without it.
    :param poke_interval: between two looks at the job, in seconds or as a ``timedelta``. Deferred waits of one
        account share their requests, and come up to a fifth of it early or late for that. Without it, a job at
        which nothing has changed for a long time is looked at up to three times less often than by default.
    :param start_grace: how long to wait for somebody to start the job before
        :class:`~airflow_sentinelhub.exceptions.BatchNotStarted` is raised (default: 1 hour); ``None``: until
        the timeout.
    :param stall_timeout: how long the job may show no change of progress, cost or time stamp before
        :class:`~airflow_sentinelhub.exceptions.BatchStalled` is raised (default ``None``: until the timeout).
    :param outage_tolerance: for how long the service may give no usable answer before
        :class:`~airflow_sentinelhub.exceptions.ServiceUnavailable` is raised (default: 6 hours).
    :param end_from_trigger: when the job is done, let the triggerer end the task (default: no), which saves the
        start of a worker. A wait that ends otherwise is reported by a worker all the same. Not for sensors with
        ``outlets``, whose asset events Airflow would not emit, and without effect unless ``deferrable``.
    :param kwargs: everything else that ``BaseSensorOperator`` takes. ``timeout`` (default: 7 days) ends the
        wait for good, ``execution_timeout`` ends the attempt with
        :class:`~airflow_sentinelhub.exceptions.BatchTimeout`, which is retried. With ``soft_fail`` or
        ``never_fail`` both skip the task; a job that failed is a failed task whatever they say.
    """

    template_fields: Sequence[str] = ("request_id", "sentinelhub_conn_id")
    ui_color = "#dff3e4"

    api: ClassVar[BatchApi]
    goal: ClassVar[Goal]
    default_poke_interval: ClassVar[float]

    def __init__(
        self,
        *,
        request_id: Any,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        deferrable: bool = True,
        poke_interval: timedelta | float | None = None,
        start_grace: timedelta | float | None = 3600.0,
        stall_timeout: timedelta | float | None = None,
        outage_tolerance: timedelta | float = 6 * 3600.0,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        interval = self.default_poke_interval if poke_interval is None else poke_interval
        super().__init__(poke_interval=interval, **kwargs)
        self.may_slow_down = poke_interval is None
        self.end_from_trigger = end_from_trigger
        if end_from_trigger and self.outlets:
            raise ValueError("end_from_trigger=True would lose the events of outlets: leave out one of the two")
        self.request_id = request_id
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.deferrable = deferrable
        self.start_grace = seconds("start_grace", start_grace)
        self.stall_timeout = seconds("stall_timeout", stall_timeout)
        self.outage_tolerance = some_seconds("outage_tolerance", outage_tolerance)

    @property
    def request_id(self) -> Any:
        """The job's id, or what will give it. A whole job is reduced to its id as soon as it is known."""
        return self._request_id

    @request_id.setter
    def request_id(self, value: Any) -> None:
        # Airflow shows rendered fields, and a job's payload carries its request.
        self._request_id = reduce_to_id(value)

    def execute(self, context: Context) -> Any:
        """
        Wait for the job.

        :return: what the class says under "returns".
        :raises InvalidRequestId: ``request_id`` holds no id.
        :raises InvalidConnection: the Airflow connection lacks a field.
        :raises BatchError: a subclass of it, when the job did not end as it should.
        :raises ServiceError: a subclass of it, when the job cannot be watched.
        """
        rescheduled_since = None
        if not self.deferrable and self.reschedule:
            rescheduled_since = context["ti"].get_first_reschedule_date(context)
        try:
            is_local = SentinelHubHook(self.sentinelhub_conn_id).get_config().is_local
        except SentinelHubError:
            if not rescheduled_since:
                raise
            is_local = False  # the look below meets the same error, and the rules say what it means
        terms = self._terms(is_local, rescheduled_since.timestamp() if rescheduled_since else time.time())
        if not rescheduled_since:
            self._tell_beginning(terms)
        if self.deferrable:
            trigger = self._trigger(terms)
            if not is_local:
                trigger.fire_not_before = time.time() + SETTLING_TIME
            self._defer_to(trigger)
        return self._wait_on_worker(context, terms)

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, terms: dict[str, Any] | None = None
    ) -> Any:
        """
        Take over from the trigger: report its verdict and return the result.

        :param context: Airflow's context.
        :param event: what the trigger fired.
        :param terms: the trigger's arguments, in case it has to go on; ``dag.test()`` loses them.
        :raises SentinelHubError: a subclass of it that says why the wait failed.
        """
        try:
            verdict = Verdict.from_json(event)
        except ValueError as error:
            raise SentinelHubError(
                f"The trigger of this wait fired something that cannot be read ({error}). Are the triggerer and "
                "the workers of one version? Clear this task to wait again."
            ) from None
        if terms is None:
            config = SentinelHubHook(self.sentinelhub_conn_id).get_config()
            trigger = self._trigger(self._terms(config.is_local, time.time()))
        else:
            trigger = SentinelHubBatchTrigger(**terms)
        try:
            return self._settle(context, verdict, trigger.deadlines)
        except ResultUnavailable as error:
            self._tell_delay(error, trigger.deadlines)
            trigger.first_look_after = _RESULT_RETRY_PAUSE
            return self._defer_to(trigger)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Say what became of a wait whose trigger never fired; only a real timeout may skip the task."""
        if next_method == _TRIGGER_FAILED:
            failure = next_kwargs or {}
            reason = failure.get("error", "unknown")
            if reason != _TRIGGER_TIMEOUT:
                self.log.error("The trigger failed:\n%s", "".join(failure.get("traceback") or ["no traceback"]))
                raise SentinelHubError(
                    f"The trigger of this wait ended without a verdict ({reason}). The job was left alone: clear "
                    "this task to wait for it again."
                )
            limit = self.execution_timeout
            retried = limit is not None and limit.total_seconds() <= self.timeout
            if retried and not (self.soft_fail or self.never_fail):
                raise BatchTimeout(
                    "execution_timeout has passed, and the trigger of this wait has not said anything: is a "
                    "triggerer running? The job was left alone."
                )
        return super().resume_execution(next_method, next_kwargs, context)

    def result(self, context: Context, verdict: Verdict) -> Any:  # noqa: ARG002 - for the v1 sensor
        """
        Give what the task returns; here the job.

        :param context: Airflow's context.
        :param verdict: a final one, of whatever outcome.
        :raises ResultUnavailable: the job is done, but the rest of the result cannot be read now.
        """
        return verdict.job.to_json() if verdict.job else None

    def _policy(self, poke_interval: float, analysis_poke_interval: float) -> Policy:
        return Policy(
            poll_interval=poke_interval,
            analysis_poll_interval=analysis_poke_interval,
            start_grace=self.start_grace,
            stall_timeout=self.stall_timeout,
            outage_tolerance=self.outage_tolerance,
            slowest_poll_interval=_SLOWEST * poke_interval if self.may_slow_down else None,
        )

    def _intervals(self) -> dict[str, float]:
        """The intervals that the user can set, by the name of their argument."""
        return {"poke_interval": self.poke_interval}

    def _terms(self, is_local: bool, started_at: float) -> Terms:
        floor = 0.0 if is_local else SHORTEST_INTERVAL
        intervals = {name: max(floor, interval) for name, interval in self._intervals().items()}
        poke_interval = intervals["poke_interval"]
        policy = self._policy(poke_interval, intervals.get("analysis_poke_interval", poke_interval))
        execution_timeout_at = None
        if self.execution_timeout is not None:
            # On a worker Airflow interrupts the task at that moment; the clear message has to come before.
            allowed = self.execution_timeout.total_seconds()
            margin = 0.0 if self.deferrable else min(_WORKER_MARGIN, allowed / 10)
            execution_timeout_at = time.time() + allowed - margin
        return Terms(
            api=self.api,
            job_id=parse_request_id(self.request_id),
            goal=self.goal,
            policy=policy,
            deadlines=Deadlines(started_at, started_at + self.timeout, execution_timeout_at),
        )

    def _tell_beginning(self, terms: Terms) -> None:
        policy, deadlines = terms.policy, terms.deadlines
        for name, interval in self._intervals().items():
            used = getattr(policy, name.replace("poke", "poll"))
            if used != interval:
                self.log.info("%s is raised from %g s to %g s.", name, interval, used)
        awaited = "analysed" if self.goal is Goal.ANALYSIS else "done"
        often = f"every {in_words(policy.poll_interval)}"
        if policy.analysis_poll_interval != policy.poll_interval:
            often += f" ({in_words(policy.analysis_poll_interval)} during its analysis)"
        if policy.slowest_poll_interval is not None:
            often += f", {in_words(policy.slowest_poll_interval)} at most while nothing changes"
        self.log.info(
            "Waiting until %s job %s is %s: looking %s, until %s at most.",
            self.api.display_name,
            terms.job_id,
            awaited,
            often,
            clock(deadlines.first, deadlines.started_at),
        )
        if self.deferrable:
            self.log.info("No worker is held meanwhile. A triggerer must be running, or this task waits for ever.")
            if self.exponential_backoff or self.max_wait:
                self.log.warning("exponential_backoff and max_wait have no effect while deferrable=True.")
        if self.silent_fail:
            self.log.warning("silent_fail has no effect: trouble with the service never fails a poke.")

    def _trigger(self, terms: Terms) -> SentinelHubBatchTrigger:
        policy, deadlines = terms.policy, terms.deadlines
        return SentinelHubBatchTrigger(
            api=terms.api.value,
            goal=terms.goal.value,
            request_id=terms.job_id,
            sentinelhub_conn_id=self.sentinelhub_conn_id,
            poke_interval=policy.poll_interval,
            analysis_poke_interval=policy.analysis_poll_interval,
            started_at=deadlines.started_at,
            timeout_at=deadlines.timeout_at,
            execution_timeout_at=deadlines.execution_timeout_at,
            allow_partial=policy.allow_partial,
            start_grace=policy.start_grace,
            stall_timeout=policy.stall_timeout,
            outage_tolerance=policy.outage_tolerance,
            slowest_poke_interval=policy.slowest_poll_interval,
            end_from_trigger=self.end_from_trigger,
            do_xcom_push=bool(self.do_xcom_push),
        )

    def _defer_to(self, trigger: SentinelHubBatchTrigger) -> None:
        # Airflow's own timeout is a backstop behind ours, which can say what it waited for.
        left = max(0.0, trigger.deadlines.first - time.time())
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"terms": trigger.serialize()[1]},
            timeout=timedelta(seconds=left + 2 * trigger.policy.poll_interval + _BACKSTOP),
        )

    def _wait_on_worker(self, context: Context, terms: Terms) -> Any:
        worker = WorkerWait(self, self.sentinelhub_conn_id, context, terms)
        while True:
            verdict = worker.verdict()
            try:
                return self._settle(context, verdict, worker.deadlines)
            except ResultUnavailable as error:
                self._tell_delay(error, worker.deadlines)
                worker.pause(_RESULT_RETRY_PAUSE)

    def _tell_delay(self, error: ResultUnavailable, deadlines: Deadlines) -> None:
        """Say that the task goes on waiting for its result, unless time is up."""
        if time.time() >= deadlines.first:
            raise error
        self.log.warning("The job is done, but its result cannot be read now, so this task waits on. %s", error)

    def _settle(self, context: Context, verdict: Verdict, deadlines: Deadlines) -> Any:
        """End the task as the verdict says, the same way in every mode."""
        result = self.result(context, verdict)
        if verdict.outcome is Outcome.DONE:
            self.log.info("%s", verdict_line(verdict, time.time() - deadlines.started_at))
            return result
        if result is not None and self.do_xcom_push:
            # A failed task returns nothing; what is known of the job is useful all the same.
            context["ti"].xcom_push(key="return_value", value=result)
        if verdict.is_timeout and (self.soft_fail or self.never_fail):
            raise AirflowSkipException(f"{verdict.message} Skipped, as soft_fail or never_fail wants it.")
        if verdict.outcome is Outcome.TIMEOUT:
            raise AirflowSensorTimeout(verdict.message)
        raise verdict.exception()


def seconds(name: str, duration: timedelta | float | None) -> float | None:
    """
    Read a duration that is given in seconds or as a ``timedelta``.

    :param name: its argument, for the message.
    :param duration: the duration; ``None`` stays ``None``.
    :raises ValueError: it is neither, or negative.
    """
    if duration is None:
        return None
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not duration >= 0:
        raise ValueError(f"{name} must be a number of seconds or a timedelta, not negative; it is {duration!r}")
    return float(duration)


def some_seconds(name: str, duration: timedelta | float | None) -> float:
    """
    Read a duration that cannot be left out.

    :param name: its argument, for the message.
    :param duration: the duration, in seconds or as a ``timedelta``.
    :raises ValueError: it is neither, negative, or ``None``.
    """
    given = seconds(name, duration)
    if given is None:
        raise ValueError(f"{name} must be a number of seconds or a timedelta; it is None")
    return given
