"""Execution of a run: from phase to phase, until its task ends or leaves the worker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, assert_never

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import SentinelHubError, ServiceUnavailable, StorageUnavailable
from airflow_sentinelhub.jobs import Action, BatchJob, Outcome, Verdict, WaitGoal
from airflow_sentinelhub.jobs.message import about, name_of
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
    read_again,
)
from airflow_sentinelhub.jobs.run_state import RunPhase, RunState
from airflow_sentinelhub.operators.action_runner import ActionContext, ActionRunner
from airflow_sentinelhub.operators.final_failure import run_failure, unread_for_good
from airflow_sentinelhub.operators.run_deferral import RunDeferral
from airflow_sentinelhub.operators.run_report import RunReport
from airflow_sentinelhub.operators.run_results import RunFinished, verified
from airflow_sentinelhub.tasks.deferral import TaskDeadline
from airflow_sentinelhub.tasks.kill_check import KillCheck
from airflow_sentinelhub.tasks.state_store import TaskStateStore
from airflow_sentinelhub.tasks.wait_options import backstop
from airflow_sentinelhub.tasks.worker_wait import WorkerWait
from airflow_sentinelhub.triggers.run import SentinelHubBatchRunTrigger
from airflow_sentinelhub.triggers.wait import MIN_DEFERRAL, wait_kwargs
from airflow_sentinelhub.waits.progress_log import verdict_line
from airflow_sentinelhub.waits.wait import WaitSpec

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_sentinelhub.operators.run import SentinelHubBatchRunOperator


class RunExecution:
    """
    One stay of a run on its worker.

    What follows from what is decided in :mod:`airflow_sentinelhub.jobs.run_rules`. Its attribute ``terms`` holds
    what the user allows the run.

    :param task: the task.
    :param context: Airflow's context.
    :param kill_check: whether the task still runs.
    :param job_id: its job.
    """

    def __init__(
        self, task: SentinelHubBatchRunOperator, context: Context, kill_check: KillCheck, job_id: str
    ) -> None:
        self._task, self._context, self._kill_check = task, context, kill_check
        self._log = task.log
        self._store = TaskStateStore.of(context)
        self._report = RunReport(task, context)
        self._deferral = RunDeferral(task, kill_check)
        self.terms = RunTerms(
            resume=task.resume,
            max_cost_pu=task.max_cost_pu,
            spent_before=self._store.read_costs().of_others(job_id, self._store.max_tries),
            stops_at_timeout=task.stops_at_timeout,
            accepts_partial=task.accepts_partial,
            waits=task.wait_for_completion,
        )

    def run(self, kept: RunRecord, step: RunStep | RunFinished) -> dict[str, Any]:
        """
        Go from phase to phase, until the task ends or leaves its worker.

        :param kept: the record that Airflow has.
        :param step: the first one.
        :return: the final job.
        """
        while isinstance(step, GoOn):
            if step.state.record != kept:
                kept = step.state.record
                self._store.keep_run(kept)
            # An XCom that cannot be pushed must not keep a job from its stop; the failure publishes it afterwards.
            if step.job is not None and step.state.phase is not RunPhase.STOPPING:
                self._report.publish(step.job)
            step = self._go_on(step)
        if isinstance(step, Fail):
            self._fail(step.verdict)
        return self._finish(step)

    def after_wait(self, state: RunState, verdict: Verdict) -> RunStep:
        """
        Return what follows from the end of a wait, and log it if the job is done: a failure is the task's end.

        :param state: the state in which it was waited.
        :param verdict: the final one.
        """
        if verdict.outcome is Outcome.DONE:
            self._log.info("%s", verdict_line(verdict, clock.now() - state.deadlines.started_at))
        return after_wait(state, verdict, clock.now(), self.terms)

    def _go_on(self, step: GoOn) -> RunStep | RunFinished:
        match step.state.phase:
            case RunPhase.STARTING:
                return self._act(step.state, Action.START)
            case RunPhase.RESTARTING:
                if step.message:
                    self._log.warning("%s", step.message)
                return self._act(step.state, Action.RESTART)
            case RunPhase.STOPPING:
                if step.message:
                    self._log.error("%s", step.message)
                return self._act(step.state, Action.STOP)
            case RunPhase.WAITING:
                return self._wait(step.state)
            case RunPhase.READING_RESULTS:
                return self._read_results(step)
            case _:
                assert_never(step.state.phase)

    def _act(self, state: RunState, action: Action) -> RunStep:
        """Start the job, start it again, or stop it."""
        limit = self._limit(state, action)
        action_context = ActionContext(
            log=self._log,
            connect=self._task.hook.get_conn,
            wait=lambda until, action_state: self._deferral.wait_until(
                until, limit, {"state": replace(state, action_state=action_state).to_json()}
            ),
            sleep=lambda duration: self._deferral.sleep(duration, limit),
            keep=self._report.publish,
            before_asking=lambda: None if state.ending else self._kill_check.before_start(state.job_id),
        )
        try:
            with self._task.client() as client:
                job = ActionRunner(client, action, state.job_id, state.action_state, action_context).job()
        except SentinelHubError as error:
            failed = after_refused_action(state, error)
            if failed is None:
                raise
            self._log.error("The job could not be stopped, and may go on spending processing units: %s", error)
            return failed
        if state.ending is None and not (self._task.deferrable and self._task.wait_for_completion):
            # Nothing else would look: a deferral is preceded by this question.
            self._kill_check.while_started(state.job_id)
        return after_action(state, job, self.terms)

    def _wait(self, state: RunState) -> RunStep:
        task = self._task
        is_local = task.hook.get_config().is_local
        options = task.wait_options()
        policy = replace(options.policy_for(is_local=is_local), max_cost_pu=self.terms.cost_limit)
        spec = WaitSpec(task.api, state.job_id, WaitGoal.COMPLETION, policy, state.deadlines)
        awaited = about("Waiting until the job is done", name_of(task.api, state.job_id))
        options.log_start(self._log.log, awaited, policy, state.deadlines)
        if task.deferrable:
            trigger = SentinelHubBatchRunTrigger(
                api=task.api.value,
                goal=spec.goal.value,
                request_id=state.job_id,
                sentinelhub_conn_id=task.sentinelhub_conn_id,
                **wait_kwargs(policy, state.deadlines),
                fire_not_before=0.0 if is_local else clock.now() + MIN_DEFERRAL,
                kill_action=task.kill_action.value,
            )
            timeout = backstop(policy, state.deadlines.first)
            self._deferral.hand_over(state.job_id, trigger, {"state": state.to_json()}, timeout)
        worker = WorkerWait(self._context, spec, task.sentinelhub_conn_id, self._log)
        return self.after_wait(state, worker.verdict())

    def _read_results(self, step: GoOn) -> RunStep | RunFinished:
        """Verify the job; one that is done is not lost because its results cannot be read now."""
        task, state, job, payload = self._task, step.state, step.job, None
        try:
            if job is None:
                with task.client() as client:
                    payload = client.get(state.job_id)
                job = BatchJob.from_payload(task.api, payload)
                seen = after_pause(state, job, self.terms)
                if seen.state.phase is not RunPhase.READING_RESULTS:
                    return seen
                self._report.publish(job)
            return verified(task, self._report, self.terms, job, payload)
        except SentinelHubError as error:
            again = read_again(state, clock.now(), task.outage_tolerance)
            if again is None or not isinstance(error, ServiceUnavailable | StorageUnavailable):
                if not self._store.remembers:
                    raise unread_for_good(error) from error
                raise
            self._log.warning("The job is over, but its results cannot be read now. This task waits on: %s", error)
        until, later = again
        limit = self._limit(later, "read the results of")
        self._deferral.wait_until(until, limit, {"state": later.to_json()})
        return GoOn(later)

    def _fail(self, verdict: Verdict) -> NoReturn:
        if verdict.job is not None:
            self._report.publish(verdict.job)
        raise run_failure(
            verdict,
            self._task.max_cost_pu,
            remembers=self._store.remembers,
            may_recreate=self._task.may_recreate(self._store),
        )

    def _finish(self, run: RunFinished | Finish) -> dict[str, Any]:
        """Return the job, and record that it is handed on."""
        if isinstance(run, Finish):
            self._report.publish(run.job)
            self._store.keep_run(run.record)
            self._log.info("It is not waited for (wait_for_completion=False).")
            run = RunFinished(run.job)
        self._report.add_to_assets(run.job, run.counts, run.payload)
        self._store.finish()
        return run.job.to_json()

    def _limit(self, state: RunState, purpose: str) -> TaskDeadline:
        deadlines = state.deadlines
        return TaskDeadline(deadlines.first, deadlines.name, purpose, self._task.api, state.job_id)
