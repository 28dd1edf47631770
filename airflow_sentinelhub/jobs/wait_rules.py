"""
The one rule that decides what a job's state means for a wait.

Sensors in every mode, triggers and operators all call :func:`evaluate`, so that they cannot disagree. It does no
I/O and reads no clock; what it has to remember is handed in and out. The comments name the fact of the service
that a branch rests on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from airflow_sentinelhub.jobs import wait_messages
from airflow_sentinelhub.jobs.formatting import format_time
from airflow_sentinelhub.jobs.job import BatchJob, MissingJob
from airflow_sentinelhub.jobs.message import first_line
from airflow_sentinelhub.jobs.restart_lock import parse_timestamp
from airflow_sentinelhub.jobs.statuses import JobStatus, UserAction
from airflow_sentinelhub.jobs.verdict import Outcome, Verdict
from airflow_sentinelhub.jobs.wait_policy import WaitGoal, WaitPolicy
from airflow_sentinelhub.jobs.wait_state import WaitState

NOT_FOUND_GRACE = 300.0
"""
Seconds after its creation for which a job may be 404, also when it was seen before.

The service's read and write databases get out of step: its makers' own client (eo-grow) waits for up to 230 s.
"""

UNKNOWN_STATUS_GRACE = 3600.0
"""Seconds for which a job may keep an unknown status with nothing else changing."""

REMINDER_INTERVAL = 600.0
"""Seconds between two warnings about a job that was not started."""

_NOBODY_STARTED = (UserAction.NONE, UserAction.ANALYSE)


def evaluate(
    job: BatchJob | MissingJob, goal: WaitGoal, policy: WaitPolicy, now: float, wait_state: WaitState
) -> tuple[Verdict, WaitState]:
    """
    Decide what a reading of a job means.

    :param job: what the service said; :class:`MissingJob` for a 404.
    :param goal: what is waited for.
    :param policy: how patient the wait is.
    :param now: seconds since 1970, at the moment of the poll.
    :param wait_state: what the previous call returned; ``WaitState()`` for the first.
    :return: the verdict, and what to hand in next time.
    """
    began = now if wait_state.first_answer_at is None else wait_state.first_answer_at
    # The service answered: an outage, if there was one, is over.
    wait_state = _with(wait_state, first_answer_at=began, outage_failures=0, outage_last=0.0, outage_seconds=0.0)
    if isinstance(job, MissingJob):
        return _evaluate_missing(job, policy, now, wait_state)
    wait_state = _seen(job, now, wait_state)
    over = _after_analysis if goal is WaitGoal.ANALYSIS else _after_processing
    outcome = None if job.status is None else over(job.status)
    if outcome is None and policy.max_cost_pu is not None and exceeds_max_cost(job, policy.max_cost_pu):
        # What is over costs nothing more. A cost is charged for good, so it is read only once.
        message = wait_messages.too_dear(job, policy.max_cost_pu)
        return _verdict(Outcome.COST_EXCEEDED, job, message), _clear_pending(_clear_idle(wait_state))
    if job.status is None:
        return _evaluate_unknown_status(job, now, _clear_pending(_clear_idle(wait_state)))
    if outcome is None and awaits_start(job, goal):
        return _evaluate_resting(job, goal, policy, now, wait_state)
    wait_state = _clear_idle(wait_state)
    match outcome:
        case None:
            return _evaluate_moving(job, policy, now, wait_state)
        case Outcome.DONE:
            return _verdict(Outcome.DONE, job), _clear_pending(wait_state)
        case Outcome.FAILED:
            return _verdict(outcome, job, wait_messages.failed(job)), _clear_pending(wait_state)
        case Outcome.CANCELED:
            return _verdict(outcome, job, wait_messages.canceled(job)), _clear_pending(wait_state)
        case Outcome.STOPPED:
            # A job stopped as UNHEALTHY may be started again by the service's staff.
            return _confirm(outcome, job, wait_messages.stopped(job), policy, now, wait_state)
        case Outcome.PARTIAL:
            # PARTIAL was seen to turn into DONE by itself, and lingers after a restart.
            verdict, wait_state = _confirm(outcome, job, wait_messages.partial(job), policy, now, wait_state)
            if policy.allow_partial and verdict.is_final:
                verdict = replace(verdict, outcome=Outcome.DONE, message="which is accepted")
            return verdict, wait_state
        case _:
            raise AssertionError(f"no status means {outcome}")


def exceeds_max_cost(job: BatchJob, max_cost_pu: float) -> bool:
    """Return whether a job has cost more processing units than it may."""
    return job.cost_pu is not None and job.cost_pu > max_cost_pu


def _after_processing(status: JobStatus) -> Outcome | None:
    """
    Return the outcome of a status when completion is awaited; ``None``: not over.

    Neither percentage nor tile counts matter: DONE comes at 97 % too (and straight after the analysis when all
    outputs exist), and at 100 % the job may still be PROCESSING.
    """
    match status:
        case JobStatus.CREATED | JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE | JobStatus.PROCESSING:
            return None
        case JobStatus.DONE:
            return Outcome.DONE
        case JobStatus.FAILED:
            return Outcome.FAILED
        case JobStatus.CANCELED:
            return Outcome.CANCELED
        case JobStatus.STOPPED:
            return Outcome.STOPPED
        case JobStatus.PARTIAL:
            return Outcome.PARTIAL
        case _:
            assert_never(status)


def _after_analysis(status: JobStatus) -> Outcome | None:
    """Return the outcome of a status when the analysis is awaited: anything later than it is success."""
    match status:
        case JobStatus.CREATED | JobStatus.ANALYSING:
            return None
        case JobStatus.ANALYSIS_DONE | JobStatus.PROCESSING | JobStatus.DONE | JobStatus.PARTIAL:
            return Outcome.DONE
        case JobStatus.FAILED:
            return Outcome.FAILED
        case JobStatus.CANCELED:
            return Outcome.CANCELED
        case JobStatus.STOPPED:
            return Outcome.STOPPED
        case _:
            assert_never(status)


def awaits_start(job: BatchJob, goal: WaitGoal) -> bool:
    """
    Return whether the job has to be started by a user.

    The status alone cannot tell: it stays CREATED for minutes after a START. An answer without a user action
    (statistical ``/status``, or an unknown word) proves nothing, and a pending STOP or CANCEL will end the job.
    """
    if job.user_action is None:
        return False
    if job.status is JobStatus.CREATED:
        return job.user_action is UserAction.NONE
    return (
        goal is WaitGoal.COMPLETION
        and job.status is JobStatus.ANALYSIS_DONE
        and job.user_action in _NOBODY_STARTED
    )


def _evaluate_resting(
    job: BatchJob, goal: WaitGoal, policy: WaitPolicy, now: float, wait_state: WaitState
) -> tuple[Verdict, WaitState]:
    action = f"{job.user_action}@{job.user_action_updated}"
    if wait_state.idle_action != action:
        wait_state = replace(_clear_pending(wait_state), idle_action=action, idle_since=_since(now, wait_state))
    rested = now - wait_state.idle_since
    if policy.start_grace is not None and rested >= policy.start_grace:
        message = wait_messages.not_started(job, goal, rested)
        return _confirm(Outcome.NOT_STARTED, job, message, policy, now, wait_state)
    grace = policy.start_grace
    fails_at = None if grace is None else format_time(wait_state.idle_since + grace, now)
    message = wait_messages.resting(job, goal, fails_at)
    return _warning(job, f"resting {action}", message, now, wait_state, again=REMINDER_INTERVAL)


def _evaluate_unknown_status(job: BatchJob, now: float, wait_state: WaitState) -> tuple[Verdict, WaitState]:
    unchanged = now - wait_state.state_since
    if unchanged >= UNKNOWN_STATUS_GRACE:
        return _verdict(
            Outcome.UNKNOWN_STATUS, job, wait_messages.unknown_status_for_too_long(job, unchanged)
        ), wait_state
    return _warning(job, f"status {job.raw_status}", wait_messages.unknown_status(job), now, wait_state)


def _evaluate_moving(
    job: BatchJob, policy: WaitPolicy, now: float, wait_state: WaitState
) -> tuple[Verdict, WaitState]:
    unchanged = now - wait_state.state_since
    if policy.stall_timeout is not None and unchanged >= policy.stall_timeout:
        return _confirm(Outcome.STALLED, job, wait_messages.stalled(job, unchanged), policy, now, wait_state)
    return _verdict(Outcome.WAITING, job), _clear_pending(wait_state)


def _evaluate_missing(
    job: MissingJob, policy: WaitPolicy, now: float, wait_state: WaitState
) -> tuple[Verdict, WaitState]:
    verdict, wait_state = _evaluate_404(job, policy, now, _clear_idle(wait_state))
    return replace(verdict, missing=True), wait_state


def may_be_missing_until(created: float | None, first_look: float) -> float:
    """
    Return the time until which a 404 says nothing of a job, in seconds since 1970.

    :param created: when the job was created; ``None``: not known.
    :param first_look: when it was first asked for.
    """
    # A clock of the service that runs ahead of this one must not prolong the grace.
    return (first_look if created is None else min(created, first_look)) + NOT_FOUND_GRACE


def _evaluate_404(
    job: MissingJob, policy: WaitPolicy, now: float, wait_state: WaitState
) -> tuple[Verdict, WaitState]:
    began = now if wait_state.first_answer_at is None else wait_state.first_answer_at
    if now < may_be_missing_until(wait_state.created, began):
        message = (
            wait_messages.vanished_in_its_first_minutes(job)
            if wait_state.seen
            else wait_messages.not_yet_found(job)
        )
        return _warning(job, "not found", message, now, wait_state)
    if wait_state.seen:
        return _confirm(
            Outcome.NOT_FOUND, job, wait_messages.gone(job), policy, now, wait_state, wait_messages.vanished(job)
        )
    if wait_state.state_since_fallback is not None:
        # Nothing is remembered: it may have been there a moment ago.
        return _confirm(Outcome.NOT_FOUND, job, wait_messages.never_found(job), policy, now, wait_state)
    return _verdict(Outcome.NOT_FOUND, job, wait_messages.never_found(job)), wait_state


def _confirm(
    outcome: Outcome,
    job: BatchJob | MissingJob,
    message: str,
    policy: WaitPolicy,
    now: float,
    wait_state: WaitState,
    meanwhile: str | None = None,
) -> tuple[Verdict, WaitState]:
    """Return the outcome only if it is read a second time, a pause after the first."""
    pause = policy.confirmation_pause(job if isinstance(job, BatchJob) else None)
    return require_second_reading(
        _verdict(outcome, job, message),
        meanwhile or f"{first_line(message)}\nIt is polled once more before this counts.",
        pause=pause,
        now=now,
        wait_state=wait_state,
    )


def require_second_reading(
    verdict: Verdict, meanwhile: str, *, pause: float, now: float, wait_state: WaitState, readings: int = 2
) -> tuple[Verdict, WaitState]:
    """
    Return a verdict only if it is reached again.

    :param verdict: what was read.
    :param meanwhile: what to say when it is read for the first time.
    :param pause: seconds that have to lie between the two readings.
    :param now: seconds since 1970.
    :param wait_state: what is remembered of the job.
    :param readings: how often it has to be reached.
    """
    waiting = replace(verdict, outcome=Outcome.WAITING, message=meanwhile)
    if wait_state.pending_outcome != verdict.outcome.value:
        wait_state = replace(
            wait_state, pending_outcome=verdict.outcome.value, pending_since=now, pending_readings=1
        )
        return replace(waiting, warn=True), wait_state
    if now - wait_state.pending_since < pause:
        return waiting, wait_state
    reached = max(1, wait_state.pending_readings) + 1
    if reached < readings:
        return waiting, replace(wait_state, pending_since=now, pending_readings=reached)
    return verdict, wait_state


def _warning(
    job: BatchJob | MissingJob,
    topic: str,
    message: str,
    now: float,
    wait_state: WaitState,
    again: float | None = None,
) -> tuple[Verdict, WaitState]:
    """Keep waiting; say why once, and repeatedly if ``again`` seconds are given."""
    wait_state = _clear_pending(wait_state)
    due = wait_state.last_warning != topic or (again is not None and now - wait_state.warned_at >= again)
    if due:
        wait_state = replace(wait_state, last_warning=topic, warned_at=now)
    return replace(_verdict(Outcome.WAITING, job, message), warn=due), wait_state


def _seen(job: BatchJob, now: float, wait_state: WaitState) -> WaitState:
    # The user action is left out of a light answer, which must not look like a change.
    state = f"{job.raw_status} {job.completion_percentage} {job.cost_pu} {job.last_updated}"
    created = parse_timestamp(job.payload.get("created"))
    wait_state = _with(wait_state, seen=True, created=wait_state.created if created is None else created)
    if wait_state.state == state:
        return wait_state
    return _with(wait_state, state=state, state_since=_since(now, wait_state))


def _since(now: float, wait_state: WaitState) -> float:
    return now if wait_state.state_since_fallback is None else wait_state.state_since_fallback


def _clear_pending(wait_state: WaitState) -> WaitState:
    return _with(wait_state, pending_outcome="", pending_since=0.0, pending_readings=0)


def _clear_idle(wait_state: WaitState) -> WaitState:
    return _with(wait_state, idle_action="", idle_since=0.0)


def _with(wait_state: WaitState, **values: object) -> WaitState:
    # Most polls change nothing, and a triggerer takes thousands a minute: a copy costs more than all else here.
    if all(getattr(wait_state, name) == value for name, value in values.items()):
        return wait_state
    return replace(wait_state, **values)  # type: ignore[arg-type]


def _verdict(outcome: Outcome, job: BatchJob | MissingJob, message: str = "") -> Verdict:
    return Verdict(
        outcome=outcome,
        api=job.api,
        job_id=job.id,
        message=message,
        job=job if isinstance(job, BatchJob) else None,
        service_message=job.error if isinstance(job, BatchJob) else None,
    )
