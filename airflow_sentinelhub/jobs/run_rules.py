"""
Rules of a run: the phase that follows for a task that runs a job.

Like :func:`~airflow_sentinelhub.jobs.evaluate` they do no I/O and read no clock. :func:`begin` is for the begin of
an attempt; :func:`after_action`, :func:`after_refused_action` and :func:`after_wait` are for the end of a phase.
:func:`read_again` and :func:`after_pause` are for results that could not be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from airflow_sentinelhub.jobs import action_messages, wait_messages
from airflow_sentinelhub.jobs.action_retry_rules import ActionState
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.message import about
from airflow_sentinelhub.jobs.run_record import RunRecord, is_stopped
from airflow_sentinelhub.jobs.run_state import RunPhase, RunState
from airflow_sentinelhub.jobs.statuses import JobStatus
from airflow_sentinelhub.jobs.verdict import Outcome, Verdict
from airflow_sentinelhub.jobs.wait_policy import Deadlines
from airflow_sentinelhub.jobs.wait_rules import exceeds_max_cost

TIME_TO_STOP = 2 * 3600.0
"""Seconds that the stop of a job may take: its task's own time is over then."""

_READ_AGAIN, _READ_AGAIN_AT_MOST = 60.0, 1800.0
"""Seconds between two attempts to read the results of a job."""


@dataclass(frozen=True, slots=True)
class RunTerms:
    """
    What a user allows a run.

    :param resume: how often a stopped job is started again, for each reason.
    :param max_cost_pu: processing units that all jobs of the task may cost; ``None``: any number.
    :param spent_before: what other jobs of the task have cost, which is taken off that.
    :param stops_at_timeout: whether the job is stopped when the time of the task is over.
    :param accepts_partial: whether the results of a PARTIAL job are read.
    :param waits: whether the end of the job is waited for.
    """

    resume: Mapping[str, int]
    max_cost_pu: float | None = None
    spent_before: float = 0.0
    stops_at_timeout: bool = True
    accepts_partial: bool = False
    waits: bool = True

    @property
    def cost_limit(self) -> float | None:
        """Processing units that the job may cost; ``None``: any number."""
        return None if self.max_cost_pu is None else self.max_cost_pu - self.spent_before


@dataclass(frozen=True, slots=True)
class GoOn:
    """
    The task goes on with a phase.

    :param state: the phase, and what is known for it.
    :param job: the job, where it has just been seen.
    :param message: why it is started again or stopped.
    """

    state: RunState
    job: BatchJob | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Fail:
    """The task fails, as a verdict says."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Finish:
    """
    The task is done with its job, and does not read its results.

    :param record: what is known of the job from now on.
    """

    job: BatchJob
    record: RunRecord


RunStep = GoOn | Fail | Finish


def begin(job: BatchJob, deadlines: Deadlines, record: RunRecord, terms: RunTerms) -> GoOn | Fail:
    """
    Decide how an attempt begins.

    :param job: its job, as it was created or left by an attempt before.
    :param deadlines: of the attempt.
    :param record: what is known of the job, with this attempt.
    """
    if job.status is JobStatus.FAILED:
        return _fail(Outcome.FAILED, job, wait_messages.failed(job))
    if job.status is JobStatus.CANCELED:
        return _fail(Outcome.CANCELED, job, wait_messages.canceled(job))
    if terms.max_cost_pu is not None and terms.spent_before >= terms.max_cost_pu:
        message = wait_messages.nothing_left(job.name, terms.max_cost_pu, terms.spent_before)
        return _fail(Outcome.COST_EXCEEDED, job, message)
    state = RunState(job.id, deadlines, record, RunPhase.STARTING)
    if not is_stopped(job):
        return GoOn(state, job)
    if (too_dear := _too_dear(job, terms)) is not None:
        return too_dear
    if record.may_restart:
        return GoOn(replace(state, phase=RunPhase.RESTARTING), job)
    if record.may_resume(job, terms.resume):
        return _resume(state, job, terms)
    if job.status is JobStatus.STOPPED:
        return _fail(Outcome.STOPPED, job, wait_messages.stopped(job))
    return GoOn(state, job)


def after_action(state: RunState, job: BatchJob, terms: RunTerms) -> RunStep:
    """
    Decide what follows when the service has taken an action, or need not take it any more.

    :param state: the state in which it was taken.
    :param job: the job as it is now.
    """
    if state.ending is not None:
        return Fail(_ended(state.ending, job, terms))
    # A stop from now on is a user's.
    state = replace(state, record=state.record.started(), phase=RunPhase.WAITING, action_state=ActionState())
    if not terms.waits:
        return Finish(job, state.record)
    if job.status is JobStatus.DONE:
        return GoOn(replace(state, phase=RunPhase.READING_RESULTS), job)
    return GoOn(state, job)


def after_refused_action(state: RunState, error: Exception) -> Fail | None:
    """
    Decide what follows when an action has failed; ``None``: the error is the task's end.

    :param error: what the service said, or that it gave no answer.
    """
    if state.ending is None:
        return None
    unsure = f"Its stop could not be confirmed: that is what was last known of it. {error}"
    return Fail(replace(state.ending, message=f"{state.ending.message}\n{unsure}"))


def after_wait(state: RunState, verdict: Verdict, now: float, terms: RunTerms) -> GoOn | Fail:
    """
    Decide what follows from the end of a wait.

    :param now: seconds since 1970.
    """
    job = verdict.job
    if verdict.outcome is Outcome.DONE and job is not None:
        return GoOn(replace(state, phase=RunPhase.READING_RESULTS), job)
    if verdict.outcome is Outcome.STOPPED and job is not None and state.record.may_resume(job, terms.resume):
        return _too_dear(job, terms) or _resume(state, job, terms)
    if verdict.outcome is Outcome.COST_EXCEEDED or (verdict.is_timeout and terms.stops_at_timeout):
        record = state.record.stopped_by_task() if verdict.is_timeout else state.record
        deadlines = Deadlines(state.deadlines.started_at, now + TIME_TO_STOP)
        stopping = RunState(state.job_id, deadlines, record, RunPhase.STOPPING, ending=verdict)
        return GoOn(stopping, job, verdict.message)
    return Fail(verdict)


def read_again(state: RunState, now: float, outage_tolerance: float) -> tuple[float, RunState] | None:
    """
    Decide when results are read again that cannot be read now.

    :param now: seconds since 1970.
    :param outage_tolerance: for how many seconds they may be out of reach.
    :return: when, in seconds since 1970, and the state until then; ``None``: not in time.
    """
    since = state.unread_since or now
    until = now + min(max(_READ_AGAIN, now - since), _READ_AGAIN_AT_MOST)
    if until > min(state.deadlines.first, since + outage_tolerance):
        return None
    return until, replace(state, phase=RunPhase.READING_RESULTS, unread_since=since)


def after_pause(state: RunState, job: BatchJob, terms: RunTerms) -> GoOn:
    """
    Decide whether results are read now that could not be read before.

    :param job: the job as it is now; a user may have started it again meanwhile.
    """
    is_over = job.status is JobStatus.DONE or (job.status is JobStatus.PARTIAL and terms.accepts_partial)
    if is_over:
        return GoOn(replace(state, phase=RunPhase.READING_RESULTS), job)
    # What it brings then is out of reach for as long as is tolerated, whatever was before.
    return GoOn(replace(state, phase=RunPhase.WAITING, unread_since=None), job)


def _resume(state: RunState, job: BatchJob, terms: RunTerms) -> GoOn:
    record = state.record.resuming(job)
    reason = job.stopped_reason or ""
    times = f"{record.resumed[reason]} of {terms.resume[reason]}"
    message = about(f"Started again, as resume says ({times}): {action_messages.state_of(job)}", job.name)
    return GoOn(replace(state, record=record, phase=RunPhase.RESTARTING, action_state=ActionState()), job, message)


def _too_dear(job: BatchJob, terms: RunTerms) -> Fail | None:
    """Leave a job stopped that would be stopped again as soon as it runs."""
    limit = terms.cost_limit
    if limit is None or not exceeds_max_cost(job, limit):
        return None
    return _fail(Outcome.COST_EXCEEDED, job, wait_messages.too_dear(job, limit, terms.spent_before))


def _ended(ending: Verdict, job: BatchJob, terms: RunTerms) -> Verdict:
    """Return the verdict with the job as it is after its stop: it went on until then."""
    if ending.outcome is Outcome.COST_EXCEEDED and terms.cost_limit is not None:
        message = wait_messages.too_dear(job, terms.cost_limit, terms.spent_before)
    else:
        message = f"{ending.message}\nAfter its stop: {action_messages.state_of(job)}."
    return replace(ending, job=job, message=message)


def _fail(outcome: Outcome, job: BatchJob, message: str) -> Fail:
    return Fail(Verdict(outcome, job.api, job.id, message, job))
