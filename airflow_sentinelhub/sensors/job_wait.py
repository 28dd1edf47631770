"""Base of the sensors for one batch job: deferred, poking or rescheduled, with the same end in every mode."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import (
    BatchApi,
    Deadlines,
    IdField,
    Outcome,
    Verdict,
    WaitGoal,
    extract_id,
    parse_request_id,
)
from airflow_sentinelhub.jobs.limit import TEMPLATED_LIMITS
from airflow_sentinelhub.jobs.message import about, name_of
from airflow_sentinelhub.links.batch import SentinelHubDeliveryLink, SentinelHubJobLink, link_to
from airflow_sentinelhub.tasks.base_sensor import ResultNotReadable, SentinelHubBaseSensor
from airflow_sentinelhub.tasks.wait_options import backstop
from airflow_sentinelhub.tasks.worker_wait import WorkerWait
from airflow_sentinelhub.triggers.batch import SentinelHubBatchTrigger
from airflow_sentinelhub.triggers.wait import MIN_DEFERRAL, wait_kwargs
from airflow_sentinelhub.waits.progress_log import verdict_line
from airflow_sentinelhub.waits.wait import WaitSpec

if TYPE_CHECKING:
    from airflow.sdk import Context

_RESULT_RETRY_PAUSE = 60.0


class SentinelHubBatchBaseSensor(SentinelHubBaseSensor):
    """
    Waits for a batch job; the six sensors say of which API and for what.

    :param request_id: id of the job, a job as a dictionary or JSON text with ``id``, an object with
        ``request_id``, or the output of a task that gives one of these (templated).
    :param end_from_trigger: when the job is done, let the triggerer end the task (default: no), which saves the
        start of a worker. A wait that ends otherwise is reported by a worker all the same. Not for sensors with
        ``outlets``, ``on_success_callback`` or ``post_execute``: Airflow emits asset events and runs these on a
        worker only, like the listeners of plugins. Without effect unless ``deferrable``.
    :param kwargs: see :class:`~airflow_sentinelhub.tasks.base_sensor.SentinelHubBaseSensor`.
    """

    template_fields: Sequence[str] = ("request_id", "sentinelhub_conn_id", *TEMPLATED_LIMITS)
    operator_extra_links = (SentinelHubJobLink(), SentinelHubDeliveryLink())

    api: ClassVar[BatchApi]
    goal: ClassVar[WaitGoal]

    request_id = IdField(extract_id)

    def __init__(
        self,
        *,
        request_id: Any,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        deferrable: bool = True,
        poke_interval: timedelta | float | None = None,
        start_grace: timedelta | float | str | None = 3600.0,
        stall_timeout: timedelta | float | str | None = None,
        outage_tolerance: timedelta | float | str = 6 * 3600.0,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            sentinelhub_conn_id=sentinelhub_conn_id,
            deferrable=deferrable,
            poke_interval=poke_interval,
            start_grace=start_grace,
            stall_timeout=stall_timeout,
            outage_tolerance=outage_tolerance,
            **kwargs,
        )
        self.end_from_trigger = end_from_trigger
        if end_from_trigger and (lost := self._lost_without_worker()):
            raise ValueError(
                f"end_from_trigger=True would lose {lost}, which Airflow does on a worker only: leave out one "
                "of the two (it may come from default_args)"
            )
        self.request_id = request_id

    def _lost_without_worker(self) -> str:
        """Return what would not happen if the task ended in the triggerer."""
        lost = {
            "the events of outlets": self.outlets,
            "on_success_callback": self.on_success_callback,
            "post_execute": self._post_execute_hook or type(self).post_execute is not BaseOperator.post_execute,
        }
        return " and ".join(name for name, given in lost.items() if given)

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
            config = SentinelHubHook(self.sentinelhub_conn_id).get_config()
            is_local = config.is_local
        except SentinelHubError:
            if not rescheduled_since:
                raise
            config, is_local = None, False  # the poll below meets the same error, and the rules say what it means
        terms = self._terms(is_local, rescheduled_since.timestamp() if rescheduled_since else clock.now())
        link_to(self, config=config, job_id=terms.job_id)
        if not rescheduled_since:
            end = "analysed" if self.goal is WaitGoal.ANALYSIS else "done"
            awaited = about(f"Waiting until the job is {end}", name_of(self.api, terms.job_id))
            self._log_start(awaited, terms.policy, terms.deadlines)
        if self.deferrable:
            trigger = self._trigger(terms)
            if not is_local:
                trigger.fire_not_before = clock.now() + MIN_DEFERRAL
            self._defer_to(trigger)
        return self._wait_on_worker(context, terms)

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, deadlines: dict[str, Any] | None = None
    ) -> Any:
        """
        Take over from the trigger: report its verdict and return the result.

        :param context: Airflow's context.
        :param event: what the trigger fired.
        :param deadlines: when the wait began and has to end; ``dag.test()`` loses them.
        :raises SentinelHubError: a subclass of it that says why the wait failed.
        """
        try:
            verdict = Verdict.from_json(event)
        except ValueError as error:
            raise SentinelHubError(
                f"The trigger of this wait fired something that cannot be read ({error}). Are the triggerer and "
                "the workers of one version? Clear this task to wait again."
            ) from None
        known = Deadlines.from_json(deadlines) if deadlines else self.wait_options().deadlines(clock.now())
        try:
            return self._on_verdict(context, verdict, known)
        except ResultNotReadable as error:
            self._log_retry(error, known)
            # The job that is done, whatever the template of request_id gives by now. Its intervals hardly matter.
            policy = self.wait_options().policy_for(is_local=False)
            trigger = self._trigger(WaitSpec(self.api, verdict.job_id, self.goal, policy, known))
            trigger.first_poll_after = _RESULT_RETRY_PAUSE
            return self._defer_to(trigger)

    def result(self, context: Context, verdict: Verdict) -> Any:  # noqa: ARG002 - for the v1 sensor
        """
        Return what the task returns; here the job.

        :param context: Airflow's context.
        :param verdict: a final one, of whatever outcome.
        :raises ResultNotReadable: the job is done, but the rest of the result cannot be read now.
        """
        return verdict.job.to_json() if verdict.job else None

    def _terms(self, is_local: bool, started_at: float) -> WaitSpec:
        options, job_id = self.wait_options(), parse_request_id(self.request_id)
        policy = options.policy_for(is_local=is_local)
        return WaitSpec(self.api, job_id, self.goal, policy, options.deadlines(started_at))

    def _trigger(self, terms: WaitSpec) -> SentinelHubBatchTrigger:
        return SentinelHubBatchTrigger(
            api=terms.api.value,
            goal=terms.goal.value,
            request_id=terms.job_id,
            sentinelhub_conn_id=self.sentinelhub_conn_id,
            **wait_kwargs(terms.policy, terms.deadlines),
            # A cluster policy may have added something.
            end_from_trigger=self.end_from_trigger and not self._lost_without_worker(),
            do_xcom_push=bool(self.do_xcom_push),
        )

    def _defer_to(self, trigger: SentinelHubBatchTrigger) -> None:
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"deadlines": trigger.deadlines.to_json()},
            timeout=backstop(trigger.policy, trigger.deadlines.first),
        )

    def _wait_on_worker(self, context: Context, terms: WaitSpec) -> Any:
        worker = WorkerWait(
            context,
            terms,
            self.sentinelhub_conn_id,
            self.log,
            reschedule=self.reschedule,
            next_poke_interval=self._get_next_poke_interval if self.exponential_backoff else None,
        )
        while True:
            verdict = worker.verdict()
            try:
                return self._on_verdict(context, verdict, worker.deadlines)
            except ResultNotReadable as error:
                self._log_retry(error, worker.deadlines)
                worker.pause(_RESULT_RETRY_PAUSE)

    def _on_verdict(self, context: Context, verdict: Verdict, deadlines: Deadlines) -> Any:
        """End the task as the verdict says, the same way in every mode."""
        if verdict.job is not None:
            link_to(self, delivery=verdict.job.delivery)
        result = self.result(context, verdict)
        if verdict.outcome is Outcome.DONE:
            self.log.info("%s", verdict_line(verdict, clock.now() - deadlines.started_at))
            return result
        if result is not None and self.do_xcom_push:
            # A failed task returns nothing; what is known of the job is useful all the same.
            context["ti"].xcom_push(key="return_value", value=result)
        raise self._failure(verdict)
