"""The whole of a batch job in one task: created once, started, waited for, verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, Deadlines, Verdict
from airflow_sentinelhub.jobs.failure_threshold import FailureThreshold
from airflow_sentinelhub.jobs.intervals import ANALYSIS_POKE_INTERVAL, POKE_INTERVALS, to_seconds_required
from airflow_sentinelhub.jobs.limit import TEMPLATED_LIMITS, Limit, duration_limit, required_duration_limit
from airflow_sentinelhub.jobs.run_record import RunRecord
from airflow_sentinelhub.jobs.run_rules import GoOn, begin
from airflow_sentinelhub.jobs.run_state import RunPhase, RunState
from airflow_sentinelhub.links.batch import link_to, note_resumed
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
from airflow_sentinelhub.operators.run_execution import RunExecution
from airflow_sentinelhub.operators.run_report import RunReport
from airflow_sentinelhub.tasks import last_deferral
from airflow_sentinelhub.tasks.kill_handler import KillHandler
from airflow_sentinelhub.tasks.state_store import TaskStateStore
from airflow_sentinelhub.tasks.trigger_failure import trigger_failure
from airflow_sentinelhub.tasks.wait_options import WaitOptions

if TYPE_CHECKING:
    from airflow.sdk import Context

_UNHEARD = "The triggerer has not said anything of it: is one running?"


class SentinelHubBatchRunOperator(SentinelHubBatchRequestOperator):
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

    start_grace = duration_limit()
    stall_timeout = duration_limit()
    outage_tolerance = required_duration_limit()
    max_cost_pu = Limit(lambda task, _, value: validate_max_cost(task.api, value))
    max_failed_tiles = Limit(lambda _, __, value: some_failures(value))

    def __init__(
        self,
        *,
        request: Any,
        api: BatchApi | str = BatchApi.PROCESS,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        description: str | None = None,
        delivery_conn_id: str | None = None,
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
        super().__init__(
            request=request,
            api=api,
            sentinelhub_conn_id=sentinelhub_conn_id,
            description=description,
            delivery_conn_id=delivery_conn_id,
            **kwargs,
        )
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
        deadlines = self._deadlines()
        kill_handler = self._install_kill_handler(context)
        rendered = self.render_request(context)
        store = TaskStateStore.of(context)
        with self.client() as client:
            recreates = self.may_recreate(store)
            job = JobCreator(client, rendered, store, self.log, restarts=True, recreates=recreates).job()
        kill_handler.job_id = job.id
        link_to(self, config=client.config, job_id=job.id)
        execution = RunExecution(self, context, kill_handler.check, job.id)
        known = store.read_run()
        step = begin(job, deadlines, known.begun(job.id, store.max_tries), execution.terms)
        return execution.run(known, step)

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
            job_id = (event or {}).get("job_id") or RunReport(self, context).job_id() or "(its id is not known)"
            known = RunState(job_id, self._deadlines(), RunRecord())
        kill_handler = self._install_kill_handler(context, known.job_id)
        execution = RunExecution(self, context, kill_handler.check, known.job_id)
        if known.phase is not RunPhase.WAITING:
            return execution.run(known.record, GoOn(known))
        try:
            verdict = Verdict.from_json(event)
        except ValueError as error:
            raise SentinelHubError(
                f"The trigger of this wait fired something that cannot be read ({error}). Are the triggerer and "
                f"the workers of one version? Job {known.job_id} was left alone: clear this task to go on with it."
            ) from None
        return execution.run(known.record, execution.after_wait(known, verdict))

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
        return self._end_unheard(context, job_id)

    def on_kill(self) -> None:
        """Stop the job, or leave it, when this worker is told to end."""
        if self._kill_handler is not None:
            self._kill_handler.on_kill()

    # What the execution needs

    @property
    def allowance(self) -> FailureThreshold | None:
        """How much of the job may fail; ``None``: its results are not read."""
        return None if self.max_failed_tiles is None else FailureThreshold.of(self.max_failed_tiles)

    @property
    def accepts_partial(self) -> bool:
        """True if a PARTIAL job is no failure: what is missing may be counted, and judged by that."""
        return self.allow_partial or self.allowance is not None

    def may_recreate(self, store: TaskStateStore) -> bool:
        """
        Return whether a retry may create another job. Without a store, each attempt may have created one.

        :param store: what Airflow keeps of the task.
        """
        used = store.read_run().recreated if store.remembers else store.try_number - 1
        return used < self._recreations

    def wait_options(self) -> WaitOptions:
        """Return the options of the wait for the job."""
        return WaitOptions.of(
            self, analysis_poke_interval=self.analysis_poke_interval, allow_partial=self.accepts_partial
        )

    def _deadlines(self) -> Deadlines:
        return self.wait_options().deadlines(clock.now(), stops_job=self.stops_at_timeout)

    def _end_unheard(self, context: Context, job_id: str) -> dict[str, Any]:
        """End a run whose time has passed without a word from its trigger."""
        kill_handler = self._install_kill_handler(context, job_id)
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
        verdict = replace(verdict, message=f"{verdict.message}\n{_UNHEARD}")
        state = RunState(job_id, deadlines, TaskStateStore.of(context).read_run())
        execution = RunExecution(self, context, kill_handler.check, job_id)
        return execution.run(state.record, execution.after_wait(state, verdict))

    def _install_kill_handler(self, context: Context, job_id: str | None = None) -> KillHandler:
        """Be ready for a kill of the worker, and lead to the job where it is known."""
        config = self.hook.get_config()
        last_deferral.forget()
        self._kill_handler = KillHandler(self.api, config, context["ti"], self.log, action=self.kill_action)
        self._kill_handler.job_id = job_id
        if job_id is not None:
            link_to(self, config=config, job_id=job_id)
        return self._kill_handler
