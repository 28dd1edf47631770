"""The whole of a batch job in one task: created once, started, waited for, verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, assert_never

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import (
    SentinelHubError,
    ServiceUnavailable,
    StorageUnavailable,
)
from airflow_sentinelhub.jobs import (
    Action,
    BatchApi,
    BatchJob,
    Deadlines,
    Outcome,
    Verdict,
    WaitGoal,
    WaitPolicy,
)
from airflow_sentinelhub.jobs.failure_threshold import FailureThreshold
from airflow_sentinelhub.jobs.intervals import ANALYSIS_POKE_INTERVAL, POKE_INTERVALS, to_seconds_required
from airflow_sentinelhub.jobs.limit import Limit
from airflow_sentinelhub.jobs.run_record import RunRecord
from airflow_sentinelhub.jobs.run_rules import (
    Fail,
    Finish,
    GoOn,
    RunStep,
    RunTerms,
    after_action,
    after_pause,
    after_refused_action,
    after_wait,
    begin,
    read_again,
)
from airflow_sentinelhub.jobs.run_state import RunPhase, RunState
from airflow_sentinelhub.jobs.wait_rules import exceeds_max_cost
from airflow_sentinelhub.links.batch import link_to, note_resumed
from airflow_sentinelhub.operators.action_runner import ActionContext, ActionRunner
from airflow_sentinelhub.operators.final_failure import run_failure, unread_for_good
from airflow_sentinelhub.operators.job_creation import JobCreator
from airflow_sentinelhub.operators.request_operator import SentinelHubBatchRequestOperator
from airflow_sentinelhub.operators.run_arguments import (
    recreations,
    some_failures,
    some_kill_action,
    validate_end_action,
    validate_max_cost,
    validate_resume,
)
from airflow_sentinelhub.operators.run_report import RunReport
from airflow_sentinelhub.operators.verification import verify
from airflow_sentinelhub.tasks import last_deferral
from airflow_sentinelhub.tasks.deferral import DeferMixin, TaskDeadline
from airflow_sentinelhub.tasks.kill_check import KillCheck
from airflow_sentinelhub.tasks.kill_handler import KillHandler
from airflow_sentinelhub.tasks.state_store import TaskStateStore
from airflow_sentinelhub.tasks.trigger_failure import trigger_failure
from airflow_sentinelhub.tasks.wait_options import TEMPLATED_LIMITS, WaitOptionsMixin
from airflow_sentinelhub.tasks.worker_wait import WorkerWait
from airflow_sentinelhub.triggers.run import SentinelHubBatchRunPauseTrigger, SentinelHubBatchRunTrigger
from airflow_sentinelhub.triggers.wait import MIN_DEFERRAL, wait_kwargs
from airflow_sentinelhub.waits.progress_log import verdict_line
from airflow_sentinelhub.waits.wait import WaitSpec

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger


_UNHEARD = "The triggerer has not said anything of it: is one running?"
_NOT_VERIFIED = "Not verified: DONE does not say that every feature came out (see max_failed_tiles)."
_UNVERIFIED = {
    BatchApi.PROCESS: _NOT_VERIFIED,
    BatchApi.STATISTICAL: _NOT_VERIFIED,
    BatchApi.PROCESS_V1: "Its tiles were not read (max_failed_tiles); v1 calls no job DONE of which some failed.",
}


@dataclass(frozen=True, slots=True)
class RunFinished:
    """
    A run that ended well.

    :param job: the final job.
    :param counts: its tiles or features by status, if they were counted.
    :param payload: all that the service says of it, with its request, if that was read.
    """

    job: BatchJob
    counts: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None


class SentinelHubBatchRunOperator(DeferMixin, WaitOptionsMixin, SentinelHubBatchRequestOperator):
    """
    Runs a batch job: creates it once, starts it (the service analyses it first), waits, and verifies.

    Returns the final job without its request. What is known of the job is pushed also before the task fails. Where
    its tiles or features were verified, the XCom ``counts`` has their number by status. Events of
    ``outlets`` carry ``request_id``, ``cost_pu``, ``counts`` and ``delivery_url``.

    However often the task is retried or cleared, its job is created and paid for once: an attempt goes on with
    the job of the one before, wherever that was. A clear of an attempt that had succeeded runs a new job. Before
    Airflow 3.3 an attempt continues only a job that is not over. So a task that fails because of the cost or the
    results of its job is not retried there.

    :param deferrable: wait in the triggerer, without a worker slot; a triggerer has to be running. ``False`` holds
        the worker. ``[operators] default_deferrable`` has no effect.
    :param wait_for_completion: ``False`` returns as soon as the job is started. Nothing that is said below of
        its cost, its stops and its results then happens.
    :param poke_interval: between two polls, in seconds or as a ``timedelta`` (default: 120, Batch
        Statistical 30; three times as long while nothing changes).
    :param analysis_poke_interval: the same during its analysis (default: 10).
    :param timeout: how long the task may take, in seconds or as a ``timedelta`` (default: 7 days). It then fails
        for good, whatever its retries; ``execution_timeout`` ends the attempt with
        :class:`~airflow_sentinelhub.exceptions.BatchTimeout`, which is retried. Both hold while it is deferred.
    :param on_timeout: what becomes of the job then: ``stop`` (default) or ``leave``.
    :param on_kill: what becomes of the job when the task is marked as failed or skipped, or removed from its DAG
        file, while it is deferred (from Airflow 3.3 on) or running: ``stop`` (default), ``leave``, or
        ``stop_unless_removed``, which leaves it where the task was renamed or deleted there. A killed task of
        which the worker has not heard yet starts nothing: its state is read before. Nothing else stops it: no
        clear, no success by hand, no restart of a worker or triggerer, no outage of the service.
    :param max_cost_pu: processing units that all jobs of the task may cost together, since it was last cleared
        (usually it is one job, see ``recreate_failed``). When they have cost more the job is stopped, and the task
        fails with :class:`~airflow_sentinelhub.exceptions.BatchCostExceeded`. What it spends until the next poll
        comes on top. ``None`` (default): no limit. (Templated.)
    :param max_failed_tiles: how many tiles or features may fail: a number, or a ratio below 1 (templated).
        After the job, its results are read (v1: from the service, else from its bucket), and the task fails with
        :class:`~airflow_sentinelhub.exceptions.BatchIncomplete` if more did. ``None`` (default): nothing is read,
        and DONE is believed; only a PARTIAL job fails. With a number, PARTIAL is judged by that number.
    :param count_no_data: whether a feature of Batch Process counts as failed for which there was no data.
    :param resume: how often a job that the service stops is started again, by the reason for which it was
        stopped: ``{"OUT_OF_PU": 3, "UNHEALTHY": 1}`` (default: never). The lock of 30 or 60 minutes is waited out
        without a worker. Not for v1, whose jobs are not stopped.
    :param recreate_failed: whether a retry creates and pays for a new job when the one before is FAILED, CANCELED
        or gone: ``True``, or how many times since the last clear. ``False`` (default): the task fails for good;
        a clear creates a new job.
    :param storage_conn_id: the Airflow connection that reads the job's bucket (templated). ``None``: the worker's
        own credentials.
    :param allow_partial: take a PARTIAL job for done (default: no).
    :param start_grace: how long the started job may look as if it were not started (default: 1 hour; templated).
    :param stall_timeout: how long it may show no change before
        :class:`~airflow_sentinelhub.exceptions.BatchStalled` (default ``None``: any time; templated).
    :param outage_tolerance: for how long the service may give no usable answer before
        :class:`~airflow_sentinelhub.exceptions.ServiceUnavailable` (default: 6 hours; templated). The job is left
        alone then.
    :param kwargs: see :class:`~airflow_sentinelhub.operators.request_operator.SentinelHubBatchRequestOperator`.
    :raises ValueError: an argument makes no sense.
    """

    template_fields: Sequence[str] = (
        *SentinelHubBatchRequestOperator.template_fields,
        "storage_conn_id",
        "max_cost_pu",
        "max_failed_tiles",
        *TEMPLATED_LIMITS,
    )

    max_cost_pu = Limit(lambda task, _, value: validate_max_cost(task.api, value))
    max_failed_tiles = Limit(lambda _, __, value: some_failures(value))

    def __init__(
        self,
        *,
        deferrable: bool = True,
        wait_for_completion: bool = True,
        poke_interval: timedelta | float | None = None,
        analysis_poke_interval: timedelta | float = ANALYSIS_POKE_INTERVAL,
        timeout: timedelta | float = 7 * 86_400.0,
        on_timeout: str = "stop",
        on_kill: str = "stop",
        max_cost_pu: float | str | None = None,
        max_failed_tiles: float | str | None = None,
        count_no_data: bool = False,
        resume: Mapping[str, int] | None = None,
        recreate_failed: bool | int = False,
        storage_conn_id: str | None = None,
        allow_partial: bool = False,
        start_grace: timedelta | float | str | None = 3600.0,
        stall_timeout: timedelta | float | str | None = None,
        outage_tolerance: timedelta | float | str = 6 * 3600.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.wait_for_completion = wait_for_completion
        self.may_slow_down = poke_interval is None
        interval = POKE_INTERVALS[self.api] if poke_interval is None else poke_interval
        self.poke_interval = to_seconds_required("poke_interval", interval)
        self.analysis_poke_interval = to_seconds_required("analysis_poke_interval", analysis_poke_interval)
        self.timeout = to_seconds_required("timeout", timeout)
        self.stops_at_timeout = validate_end_action("on_timeout", on_timeout)
        self.kill_action = some_kill_action(on_kill)
        self.max_cost_pu = max_cost_pu
        self.max_failed_tiles = max_failed_tiles
        self.count_no_data = count_no_data
        self.resume = validate_resume(self.api, resume)
        self.recreate_failed = recreate_failed
        self._recreations = recreations(recreate_failed)
        self.storage_conn_id = storage_conn_id
        self.allow_partial = allow_partial
        self.start_grace = start_grace
        self.stall_timeout = stall_timeout
        self.outage_tolerance = outage_tolerance
        self._kill_handler: KillHandler | None = None
        if not wait_for_completion and (max_cost_pu, max_failed_tiles, resume) != (None, None, None):
            raise ValueError(
                "wait_for_completion=False ends when the job is started: leave out max_cost_pu, max_failed_tiles "
                "and resume"
            )

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Run the job, or go on with the one of an earlier attempt.

        :return: the final job.
        :raises InvalidRequest: ``request`` is none.
        :raises InvalidConnection: an Airflow connection lacks a field.
        :raises BatchError: a subclass of it, when the job did not end as it should.
        :raises ServiceError: a subclass of it, when the service refuses something or gives no answer.
        :raises ResultsUnavailable: what came out of the job cannot be read.
        """
        _, deadlines = self._limits(False, clock.now())
        deadlines = replace(deadlines, stops_job=self.stops_at_timeout)
        kill_handler = self._install_kill_handler(context)
        rendered = self.render_request(context)
        store = TaskStateStore.of(context)
        with self.client() as client:
            recreates = self._may_recreate(store)
            job = JobCreator(client, rendered, store, self.log, restarts=True, recreates=recreates).job()
        kill_handler.job_id = job.id
        link_to(self, config=client.config, job_id=job.id)
        known, terms = store.read_run(), self._terms(context, job.id)
        step = begin(job, deadlines, known.begun(job.id, store.max_tries), terms)
        return self._run(context, terms, known, step)

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, state: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """
        Go on after a stay in the triggerer.

        :param context: Airflow's context.
        :param event: what the trigger fired: a verdict, or only that time has passed.
        :param state: what was known before; ``dag.test()`` loses it, and the task begins again with its job.
        """
        if state is not None:
            known = RunState.from_json(state)
        elif TaskStateStore.of(context).remembers:
            return self.execute(context)
        else:
            # Beginning again would create and start another job, after each wait.
            known = self._recovered(context, event or {})
        self._install_kill_handler(context, known.job_id)
        terms = self._terms(context, known.job_id)
        if known.phase is not RunPhase.WAITING:
            return self._run(context, terms, known.record, GoOn(known))
        try:
            verdict = Verdict.from_json(event)
        except ValueError as error:
            raise SentinelHubError(
                f"The trigger of this wait fired something that cannot be read ({error}). Are the triggerer and "
                f"the workers of one version? Job {known.job_id} was left alone: clear this task to go on with it."
            ) from None
        return self._run(context, terms, known.record, after_wait(known, verdict, clock.now(), terms))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Report what becomes of the job when its trigger never fired; Airflow does not tell what was known."""
        note_resumed(self)
        failure = trigger_failure(next_method, next_kwargs, self.log)
        if failure is None:
            return super().resume_execution(next_method, next_kwargs, context)
        job_id = RunReport(self, context).job_id()
        if job_id is None or not failure.timed_out:
            raise SentinelHubError(
                f"The trigger of this task ended without a verdict ({failure.reason}). {self.api.display_name} "
                f"job {job_id or '(its id is not known)'} was left alone: clear this task to go on with it.",
                job_id=job_id,
                api=self.api.value,
            )
        self._install_kill_handler(context, job_id)
        now = clock.now()
        allowed = None if self.execution_timeout is None else self.execution_timeout.total_seconds()
        ends_attempt = allowed is not None and allowed <= self.timeout
        deadlines = Deadlines(
            started_at=now - (allowed if ends_attempt and allowed else self.timeout),
            timeout_at=now,
            execution_timeout_at=now if ends_attempt else None,
            stops_job=self.stops_at_timeout,
        )
        verdict = deadlines.passed(self.api, job_id, None)
        verdict = replace(verdict, message=f"{verdict.message} {_UNHEARD}")
        state = RunState(job_id, deadlines, TaskStateStore.of(context).read_run())
        terms = self._terms(context, job_id)
        return self._run(context, terms, state.record, after_wait(state, verdict, now, terms))

    def on_kill(self) -> None:
        """Stop the job, or leave it, when this worker is told to end."""
        if self._kill_handler is not None:
            self._kill_handler.on_kill()

    # The phases of a run

    def _terms(self, context: Context, job_id: str) -> RunTerms:
        store = TaskStateStore.of(context)
        return RunTerms(
            resume=self.resume,
            max_cost_pu=self.max_cost_pu,
            spent_before=store.read_costs().of_others(job_id, store.max_tries),
            stops_at_timeout=self.stops_at_timeout,
            accepts_partial=self._accepts_partial,
            waits=self.wait_for_completion,
        )

    def _run(
        self, context: Context, terms: RunTerms, kept: RunRecord, step: RunStep | RunFinished
    ) -> dict[str, Any]:
        """
        Go from phase to phase, until the task ends or leaves its worker.

        :param kept: the record that Airflow has.
        """
        while isinstance(step, GoOn):
            if step.state.record != kept:
                kept = step.state.record
                TaskStateStore.of(context).keep_run(kept)
            # An XCom that cannot be pushed must not keep a job from its stop; the failure publishes it afterwards.
            if step.job is not None and step.state.phase is not RunPhase.STOPPING:
                RunReport(self, context).publish(step.job)
            step = self._go_on(context, terms, step)
        if isinstance(step, Fail):
            self._fail(context, step.verdict)
        return self._finish(context, step)

    def _go_on(self, context: Context, terms: RunTerms, step: GoOn) -> RunStep | RunFinished:
        match step.state.phase:
            case RunPhase.STARTING:
                return self._act(context, terms, step.state, Action.START)
            case RunPhase.RESTARTING:
                if step.message:
                    self.log.warning("%s", step.message)
                return self._act(context, terms, step.state, Action.RESTART)
            case RunPhase.STOPPING:
                if step.message:
                    self.log.error("%s", step.message)
                return self._act(context, terms, step.state, Action.STOP)
            case RunPhase.WAITING:
                return self._wait(context, terms, step.state)
            case RunPhase.READING_RESULTS:
                return self._read_results(context, terms, step)
            case _:
                assert_never(step.state.phase)

    def _recovered(self, context: Context, event: dict[str, Any]) -> RunState:
        """Make up for what ``dag.test()`` has lost of a wait, where Airflow remembers nothing."""
        _, deadlines = self._limits(False, clock.now())
        job_id = event.get("job_id") or RunReport(self, context).job_id() or "(its id is not known)"
        return RunState(job_id, replace(deadlines, stops_job=self.stops_at_timeout), RunRecord())

    def _act(self, context: Context, terms: RunTerms, state: RunState, action: Action) -> RunStep:
        """Start the job, start it again, or stop it."""
        limit = self._limit(state, action)
        action_context = ActionContext(
            log=self.log,
            connect=self.hook.get_conn,
            wait=lambda until, action_state: self._wait_until(
                until, limit, {"state": replace(state, action_state=action_state).to_json()}
            ),
            sleep=lambda duration: self._sleep_in_time(duration, limit),
            keep=lambda job: RunReport(self, context).publish(job),
            before_asking=lambda: None if state.ending else self._kill_check.before_start(state.job_id),
        )
        try:
            with self.client() as client:
                job = ActionRunner(client, action, state.job_id, state.action_state, action_context).job()
        except SentinelHubError as error:
            failed = after_refused_action(state, error)
            if failed is None:
                raise
            self.log.error("The job could not be stopped, and may go on spending processing units: %s", error)
            return failed
        if state.ending is None and not (self.deferrable and self.wait_for_completion):
            # Nothing else would look: a deferral is preceded by this question.
            self._kill_check.while_started(state.job_id)
        return after_action(state, job, terms)

    def _wait(self, context: Context, terms: RunTerms, state: RunState) -> RunStep:
        is_local = self.hook.get_config().is_local
        policy, _ = self._limits(is_local, state.deadlines.started_at)
        policy = replace(policy, max_cost_pu=terms.cost_limit)
        spec = WaitSpec(self.api, state.job_id, WaitGoal.COMPLETION, policy, state.deadlines)
        self._log_start(f"{self.api.display_name} job {state.job_id} is done", policy, state.deadlines)
        if self.deferrable:
            self._hand_over(
                state.job_id,
                self._trigger(spec, 0.0 if is_local else clock.now() + MIN_DEFERRAL),
                {"state": state.to_json()},
                self._backstop(policy, state.deadlines),
            )
        verdict = WorkerWait(context, spec, self.sentinelhub_conn_id, self.log).verdict()
        return after_wait(state, verdict, clock.now(), terms)

    def _fail(self, context: Context, verdict: Verdict) -> NoReturn:
        store = TaskStateStore.of(context)
        if verdict.job is not None:
            RunReport(self, context).publish(verdict.job)
        raise run_failure(
            verdict, self.max_cost_pu, remembers=store.remembers, may_recreate=self._may_recreate(store)
        )

    def _may_recreate(self, store: TaskStateStore) -> bool:
        """Return whether a retry may create another job. Without a store, each attempt may have created one."""
        used = store.read_run().recreated if store.remembers else store.try_number - 1
        return used < self._recreations

    def _read_results(self, context: Context, terms: RunTerms, step: GoOn) -> RunStep | RunFinished:
        """Verify the job; one that is done is not lost because its results cannot be read now."""
        state, job = step.state, step.job
        try:
            if job is not None:
                done = Verdict(Outcome.DONE, self.api, job.id, job=job)
                self.log.info("%s", verdict_line(done, clock.now() - state.deadlines.started_at))
                return self._verified(context, terms, job)
            with self.client() as client:
                payload = client.get(state.job_id)
            job = BatchJob.from_payload(self.api, payload)
            seen = after_pause(state, job, terms)
            if seen.state.phase is not RunPhase.READING_RESULTS:
                return seen
            RunReport(self, context).publish(job)
            return self._verified(context, terms, job, payload)
        except SentinelHubError as error:
            again = read_again(state, clock.now(), self.outage_tolerance)
            if again is None or not isinstance(error, ServiceUnavailable | StorageUnavailable):
                if not TaskStateStore.of(context).remembers:
                    raise unread_for_good(error) from error
                raise
            self.log.warning("The job is over, but its results cannot be read now. This task waits on: %s", error)
        until, later = again
        self._wait_until(until, self._limit(later, "read the results of"), {"state": later.to_json()})
        return GoOn(later)

    def _verified(
        self, context: Context, terms: RunTerms, job: BatchJob, payload: dict[str, Any] | None = None
    ) -> RunFinished:
        """
        Verify the job, as far as that was asked for.

        :param payload: all that the service says of it, with its request; ``None``: it is asked if that is needed.
        """
        if terms.cost_limit is not None and exceeds_max_cost(job, terms.cost_limit):
            self.log.warning("It cost more than max_cost_pu, but was done before that was seen.")
        allowance, counts = self._allowance, None
        if allowance is not None or self.outlets:
            with self.client() as client:
                if payload is None:
                    payload = client.get(job.id)
                    job = BatchJob.from_payload(self.api, payload)
                    RunReport(self, context).publish(job)
                if allowance is not None:
                    counts = verify(
                        client,
                        job,
                        payload,
                        storage_conn_id=self.storage_conn_id,
                        allowance=allowance,
                        count_no_data=self.count_no_data,
                        log=self.log,
                        keep=lambda counts: RunReport(self, context).push("counts", counts),
                        sleep=clock.sleep,
                    )
        if counts is None:
            self.log.info("%s", _UNVERIFIED[self.api])
        return RunFinished(job, counts, payload)

    def _finish(self, context: Context, run: RunFinished | Finish) -> dict[str, Any]:
        """Return the job, and record that it is handed on."""
        report = RunReport(self, context)
        if isinstance(run, Finish):
            report.publish(run.job)
            TaskStateStore.of(context).keep_run(run.record)
            self.log.info("It is not waited for (wait_for_completion=False).")
            run = RunFinished(run.job)
        report.add_to_assets(run.job, run.counts, run.payload)
        TaskStateStore.of(context).finish()
        return run.job.to_json()

    # What these steps need

    @property
    def _allowance(self) -> FailureThreshold | None:
        return None if self.max_failed_tiles is None else FailureThreshold.of(self.max_failed_tiles)

    @property
    def _accepts_partial(self) -> bool:
        """True if a PARTIAL job is no failure: what is missing may be counted, and judged by that."""
        return self.allow_partial or self._allowance is not None

    def _limit(self, state: RunState, purpose: str) -> TaskDeadline:
        deadlines = state.deadlines
        return TaskDeadline(deadlines.first, deadlines.name, purpose, self.api, state.job_id)

    def _trigger(self, terms: WaitSpec, fire_not_before: float) -> SentinelHubBatchRunTrigger:
        return SentinelHubBatchRunTrigger(
            api=terms.api.value,
            goal=terms.goal.value,
            request_id=terms.job_id,
            sentinelhub_conn_id=self.sentinelhub_conn_id,
            **wait_kwargs(terms.policy, terms.deadlines),
            fire_not_before=fire_not_before,
            kill_action=self.kill_action.value,
        )

    def _pause_trigger(self, until: float, limit: TaskDeadline) -> SentinelHubBatchRunPauseTrigger:
        return SentinelHubBatchRunPauseTrigger(
            until=until,
            api=self.api.value,
            request_id=limit.job_id,
            sentinelhub_conn_id=self.sentinelhub_conn_id,
            kill_action=self.kill_action.value,
        )

    @staticmethod
    def _defer_timeout_at(until: float, limit: TaskDeadline) -> float:
        # Airflow does not tell what was waited for, so only the end of the task's time may end it.
        return until if limit.ends_at is None else max(until, limit.ends_at)

    def _intervals(self) -> dict[str, float]:
        return {**super()._intervals(), "analysis_poke_interval": self.analysis_poke_interval}

    def _policy(self, poke_interval: float, analysis_poke_interval: float) -> WaitPolicy:
        return replace(
            super()._policy(poke_interval, analysis_poke_interval),
            allow_partial=self._accepts_partial,
        )

    def _install_kill_handler(self, context: Context, job_id: str | None = None) -> KillHandler:
        """Be ready for a kill of the worker, and lead to the job where it is known."""
        config = self.hook.get_config()
        last_deferral.forget()
        self._kill_handler = KillHandler(self.api, config, context["ti"], self.log, action=self.kill_action)
        self._kill_handler.job_id = job_id
        if job_id is not None:
            link_to(self, config=config, job_id=job_id)
        return self._kill_handler

    @property
    def _kill_check(self) -> KillCheck:
        if self._kill_handler is None:
            raise AssertionError("a task that acts on its job is guarded before")
        return self._kill_handler.check

    def _hand_over(self, job_id: str, trigger: BaseTrigger, kwargs: dict[str, Any], timeout: timedelta) -> None:
        # Whatever can fail comes before the last question: after it, there is only Airflow's own call.
        trigger.serialize()
        self._kill_check.while_started(job_id)
        last_deferral.remember(lambda: self._kill_check.after_deferral(job_id))
        super()._hand_over(job_id, trigger, kwargs, timeout)
