"""One sensor that waits for many batch jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import InvalidPayload, SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    Deadlines,
    GroupVerdict,
    IdField,
    Outcome,
    Quorum,
    Until,
    Verdict,
    extract_ids,
    parse_request_ids,
)
from airflow_sentinelhub.jobs.intervals import ANALYSIS_POKE_INTERVAL, POKE_INTERVALS, to_seconds_required
from airflow_sentinelhub.jobs.limit import TEMPLATED_LIMITS
from airflow_sentinelhub.links.batch import SentinelHubJobLink, link_to
from airflow_sentinelhub.polling.fetch_many import fetch_jobs
from airflow_sentinelhub.sensors.group_worker_wait import WorkerGroupWait
from airflow_sentinelhub.tasks.base_sensor import ResultNotReadable, SentinelHubBaseSensor
from airflow_sentinelhub.tasks.wait_options import WaitOptions, backstop
from airflow_sentinelhub.triggers.group import SentinelHubBatchGroupTrigger
from airflow_sentinelhub.triggers.pause import SentinelHubPauseTrigger
from airflow_sentinelhub.triggers.wait import MIN_DEFERRAL, wait_kwargs
from airflow_sentinelhub.waits.group_progress_log import group_line
from airflow_sentinelhub.waits.group_wait import GroupWait, GroupWaitSpec

if TYPE_CHECKING:
    from airflow.sdk import Context

_RESULT_RETRY_PAUSE = 60.0
_BUDGET_AFTER_FAILURE = 5.0


class SentinelHubBatchGroupSensor(SentinelHubBaseSensor):
    """
    Waits for many batch jobs of one API in one task, with one log.

    Each job is waited for as a job sensor does it. Enough jobs that are done are a success, whatever became of the
    others, and end the wait at once. Of no jobs, all are done: an empty list is a success with ``until="all"``,
    and a failure otherwise. Jobs are never stopped; those that are left when the wait ends go on.

    Returns ``{"done": [job, ...], "failed": [job, ...], "pending": [job, ...]}``, each list in the order of
    ``request_ids``: the jobs as the service describes them, without their requests. *Failed* are those that ended
    badly or that waiting makes no sense for any longer, *pending* all others. A job that the service does not show
    any more has ``id`` and ``status`` alone. The same is pushed to XCom before the task fails.

    When the wait fails, the exception is :class:`~airflow_sentinelhub.exceptions.BatchGroupFailed`. If all jobs
    that ended badly did so in the same way, it is the one of the job sensors, such as
    :class:`~airflow_sentinelhub.exceptions.BatchStopped`, with the id of the first of them. Time is up for all
    jobs at the same time.

    :param request_ids: the ids: a list, the output of a mapped task, or the text of a list. Each of them is
        whatever the job sensors take: an id, a job as a dictionary or JSON text with ``id``, an object with
        ``request_id``, or the output of a task that gives one of these (templated). An id that is there twice
        counts once.
    :param api: ``process`` (the default), ``statistical`` or ``process_v1``.
    :param until: ``all`` jobs are done (the default), ``any`` of them, or a number of them.
    :param fail_fast: with ``until="all"``: fail with the first job that ends badly (the default); ``False`` waits
        until every job has ended. Otherwise the wait fails when so many have ended badly that the rest no longer
        suffices.
    :param poke_interval: between two polls of a job, in seconds or as a ``timedelta`` (default: 120, statistical
        30). Without it, jobs at which nothing has changed for a long time are looked at up to three times less
        often.
    :param analysis_poke_interval: between two polls of a job during its analysis, in seconds or as a
        ``timedelta`` (default: 10).
    :param allow_partial: take a PARTIAL job for done (default: no).
    :param kwargs: see :class:`~airflow_sentinelhub.tasks.base_sensor.SentinelHubBaseSensor`.
        ``deferrable=False`` waits on the worker and needs ``mode="poke"``.
    :raises ValueError: there is no such ``api``; ``until`` is none of these; or ``mode="reschedule"`` with
        ``deferrable=False``.
    """

    template_fields: Sequence[str] = ("request_ids", "sentinelhub_conn_id", *TEMPLATED_LIMITS)
    template_fields_renderers: ClassVar[dict[str, str]] = {"request_ids": "json"}
    operator_extra_links = (SentinelHubJobLink(),)

    request_ids = IdField(extract_ids)

    def __init__(
        self,
        *,
        request_ids: Any,
        api: BatchApi | str = BatchApi.PROCESS,
        until: Until = "all",
        fail_fast: bool = True,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        deferrable: bool = True,
        poke_interval: timedelta | float | None = None,
        analysis_poke_interval: timedelta | float = ANALYSIS_POKE_INTERVAL,
        allow_partial: bool = False,
        start_grace: timedelta | float | str | None = 3600.0,
        stall_timeout: timedelta | float | str | None = None,
        outage_tolerance: timedelta | float | str = 6 * 3600.0,
        **kwargs: Any,
    ) -> None:
        api = BatchApi(api)
        super().__init__(
            sentinelhub_conn_id=sentinelhub_conn_id,
            deferrable=deferrable,
            poke_interval=POKE_INTERVALS[api] if poke_interval is None else poke_interval,
            start_grace=start_grace,
            stall_timeout=stall_timeout,
            outage_tolerance=outage_tolerance,
            **kwargs,
        )
        self.may_slow_down = poke_interval is None
        self.api = api
        self.request_ids = request_ids
        self.until = until
        self.fail_fast = fail_fast
        self.quorum = Quorum(until, fail_fast)
        self.analysis_poke_interval = to_seconds_required("analysis_poke_interval", analysis_poke_interval)
        self.allow_partial = allow_partial
        if not self.deferrable and self.reschedule:
            raise ValueError(
                "SentinelHubBatchGroupSensor cannot wait in mode='reschedule': leave deferrable=True, which holds "
                "no worker either, or use mode='poke'"
            )

    def execute(self, context: Context) -> dict[str, list[dict[str, Any]]]:
        """
        Wait for the jobs.

        :return: the jobs by what became of them.
        :raises InvalidRequestId: one of ``request_ids`` holds no id; the message says which.
        :raises InvalidConnection: the Airflow connection lacks a field.
        :raises BatchError: a subclass of it, when too few jobs are done.
        :raises ServiceError: a subclass of it, when they cannot be watched.
        """
        job_ids, repeated = parse_request_ids(self.request_ids)
        config = SentinelHubHook(self.sentinelhub_conn_id).get_config()
        link_to(self, config=config)
        is_local = config.is_local
        terms = self._terms(job_ids, is_local, clock.now())
        if repeated:
            self.log.info("Ids that were given before: %d. Each job is waited for once.", repeated)
        at_once = GroupWait(terms, self.log.log).verdict()
        if at_once.is_final:
            return self._on_verdict(context, at_once, terms.deadlines, jobs={})
        awaited = f"Waiting until {self.quorum.as_text(self.api, len(job_ids))}."
        self._log_start(awaited, terms.policy, terms.deadlines)
        if not self.deferrable:
            if self.exponential_backoff or self.max_wait:
                self.log.warning("exponential_backoff and max_wait have no effect on a group.")
            return self._wait_on_worker(context, terms)
        trigger = self._trigger(terms)
        if not is_local:
            trigger.fire_not_before = clock.now() + MIN_DEFERRAL
        return self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"deadlines": terms.deadlines.to_json()},
            timeout=backstop(terms.policy, terms.deadlines.first),
        )

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,
        deadlines: dict[str, Any] | None = None,
        verdict: dict[str, Any] | None = None,
    ) -> dict[str, list[dict[str, Any]]]:
        """
        Take over from the trigger: read the jobs, report the verdict and return the result.

        :param context: Airflow's context.
        :param event: what the trigger fired.
        :param deadlines: when the wait began and has to end; ``dag.test()`` loses them.
        :param verdict: what the trigger had fired, where only the jobs could not be read then.
        :raises SentinelHubError: a subclass of it that says why the wait failed.
        """
        try:
            known = GroupVerdict.from_json(verdict or event)
        except ValueError as error:
            raise SentinelHubError(
                f"The trigger of this wait fired something that cannot be read ({error}). Are the triggerer and "
                "the workers of one version? Clear this task to wait again."
            ) from None
        ends = Deadlines.from_json(deadlines) if deadlines else self.wait_options().deadlines(clock.now())
        try:
            return self._on_verdict(context, known, ends)
        except ResultNotReadable as error:
            self._log_retry(error, ends)
            until = clock.now() + _RESULT_RETRY_PAUSE
            return self.defer(
                trigger=SentinelHubPauseTrigger(until=until),
                method_name="execute_complete",
                kwargs={"deadlines": ends.to_json(), "verdict": known.to_json()},
                timeout=backstop(self.wait_options().policy_for(is_local=False), until),
            )

    def wait_options(self) -> WaitOptions:
        """Return the options of the wait, those of its analysis included."""
        return WaitOptions.of(
            self, analysis_poke_interval=self.analysis_poke_interval, allow_partial=self.allow_partial
        )

    def _terms(self, job_ids: list[str], is_local: bool, started_at: float) -> GroupWaitSpec:
        options = self.wait_options()
        policy = options.policy_for(is_local=is_local)
        return GroupWaitSpec(self.api, job_ids, self.quorum, policy, options.deadlines(started_at))

    def _trigger(self, terms: GroupWaitSpec) -> SentinelHubBatchGroupTrigger:
        return SentinelHubBatchGroupTrigger(
            api=terms.api.value,
            request_ids=list(terms.job_ids),
            until=terms.quorum.until,
            fail_fast=terms.quorum.fail_fast,
            sentinelhub_conn_id=self.sentinelhub_conn_id,
            **wait_kwargs(terms.policy, terms.deadlines),
        )

    def _wait_on_worker(self, context: Context, terms: GroupWaitSpec) -> dict[str, list[dict[str, Any]]]:
        verdict = WorkerGroupWait(self, self.sentinelhub_conn_id, terms).verdict()
        jobs = {job_id: each.job for job_id, each in verdict.members.items() if each and each.job}
        return self._on_verdict(context, verdict, terms.deadlines, jobs=jobs, told=True)

    def _on_verdict(
        self,
        context: Context,
        verdict: GroupVerdict,
        deadlines: Deadlines,
        jobs: dict[str, BatchJob] | None = None,
        told: bool = False,
    ) -> dict[str, list[dict[str, Any]]]:
        """
        End the task as the verdict says, the same way in every mode.

        :param jobs: the jobs as last seen; ``None``: they have to be read.
        :param told: whether this process has told the verdict before.
        :raises ResultNotReadable: the jobs are done, but cannot be read now.
        """
        done = verdict.outcome is Outcome.DONE
        if jobs is None and (done or self.do_xcom_push):
            jobs = self._read_jobs(verdict)
        verdict = _with_jobs(verdict, jobs or {})
        if done:
            if not told:
                self.log.info("%s", group_line(verdict, clock.now() - deadlines.started_at))
            return _result(verdict)
        if self.do_xcom_push:
            # A failed task returns nothing; what is known of the jobs is useful all the same.
            context["ti"].xcom_push(key="return_value", value=_result(verdict))
        raise self._failure(verdict)

    def _read_jobs(self, verdict: GroupVerdict) -> dict[str, BatchJob]:
        """
        Ask for the jobs, which the event does not carry: Airflow logs it, and keeps it in its database.

        :raises ResultNotReadable: the jobs are done, but cannot be read now.
        """
        job_ids = list(verdict.members)
        done = verdict.outcome is Outcome.DONE
        try:
            # A failure is not worth a long wait: ids and statuses are known.
            with SentinelHubHook(self.sentinelhub_conn_id).get_conn(self.api) as client:
                results = fetch_jobs(client, job_ids, budget=None if done else _BUDGET_AFTER_FAILURE)
        except SentinelHubError as error:
            results = dict.fromkeys(job_ids, error)
        errors = [result for result in results.values() if isinstance(result, SentinelHubError)]
        # What cannot be read now does not undo that the jobs are done: of such a job, id and status are known.
        unreadable = [error for error in errors if isinstance(error, InvalidPayload)]
        errors = [error for error in errors if not isinstance(error, InvalidPayload)]
        if unreadable:
            self.log.warning("Jobs that could not be read: %d. %s", len(unreadable), unreadable[0])
        if errors and done:
            if isinstance(errors[0], ServiceUnavailable):
                raise ResultNotReadable(str(errors[0]), api=self.api.value) from errors[0]
            raise errors[0]
        if errors:
            # It must not hide why the wait failed.
            self.log.warning("Jobs that could not be read: %d. %s", len(errors), errors[0])
        return {job_id: result for job_id, result in results.items() if isinstance(result, BatchJob)}


def _with_jobs(verdict: GroupVerdict, jobs: dict[str, BatchJob]) -> GroupVerdict:
    """Put the jobs, as last seen, into the verdicts on them."""
    members = {
        job_id: replace(each, job=jobs.get(job_id, each.job)) if each else None
        for job_id, each in verdict.members.items()
    }
    return replace(verdict, members=members)


def _result(verdict: GroupVerdict) -> dict[str, list[dict[str, Any]]]:
    """Return the jobs by what became of them, as they go to XCom."""
    standing = verdict.standing
    pending = set(standing.pending)
    kinds = {
        "done": standing.done,
        "failed": standing.failed,
        "pending": [job_id for job_id in verdict.members if job_id in pending],
    }
    return {
        kind: [_shown(job_id, verdict.members[job_id]) for job_id in job_ids] for kind, job_ids in kinds.items()
    }


def _shown(job_id: str, verdict: Verdict | None) -> dict[str, Any]:
    job = verdict.job if verdict else None
    return job.to_json() if job else {"id": job_id, "status": None}
