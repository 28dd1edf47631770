"""
Rules of actions: what it takes to act on a job in the state that it is in.

Like :func:`~airflow_sentinelhub.jobs.evaluate` it does no I/O and reads no clock. The comments name the fact of
the service that a branch rests on; where the documentation is silent, the service is asked and its answer decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from airflow_sentinelhub.exceptions import (
    BatchActionImpossible,
    BatchCanceled,
    BatchError,
    BatchFailed,
    BatchNotRestartable,
    BatchStopped,
)
from airflow_sentinelhub.jobs import action_messages as words
from airflow_sentinelhub.jobs import wait_messages
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.restart_lock import is_restart_pending, lock_ends
from airflow_sentinelhub.jobs.statuses import JobStatus, UserAction

NOT_YET_PAUSE = 60.0
"""Seconds until a job is looked at again that will soon be in a state that allows the action."""

_ENDING = (UserAction.STOP, UserAction.CANCEL)


class Action(StrEnum):
    """Action of a user on a job."""

    ANALYSE = "analyse"
    START = "start"
    STOP = "stop"
    RESTART = "restart"


class ServiceCall(StrEnum):
    """Call of the service; the values are methods of the client."""

    ANALYSE = "analyse"
    START = "start"
    STOP = "stop"
    RESTART_PARTIAL = "restart_partial"


@dataclass(frozen=True, slots=True)
class CallService:
    """The service has to be asked for ``call``."""

    call: ServiceCall
    message: str


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """It is so already: nothing has to be done."""

    message: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """
    It is too early.

    :param until: when to read the job again, in seconds since 1970.
    :param locked: the service refuses a restart until then.
    :param warn: the message is a warning.
    """

    until: float
    message: str
    locked: bool = False
    warn: bool = False


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """It cannot be done, and waiting would not help; ``kind`` is the exception that says so."""

    message: str
    kind: type[BatchError]

    def exception(self, job: BatchJob) -> BatchError:
        """Return the exception for what is not allowed."""
        reason = {"reason": job.stopped_reason} if issubclass(self.kind, BatchStopped) else {}
        return self.kind(
            self.message,
            job_id=job.id,
            api=job.api.value,
            status=job.raw_status or None,
            service_message=job.error,
            **reason,
        )


ActionStep = CallService | NothingToDo | WaitUntil | NotAllowed


def next_step(action: Action, job: BatchJob, now: float) -> ActionStep:
    """
    Decide what an action takes.

    :param action: what the user asks for.
    :param job: the job as the service describes it, with its user action.
    :param now: seconds since 1970.
    """
    match action:
        case Action.ANALYSE:
            return _analyse(job)
        case Action.START:
            return _start(job, now)
        case Action.STOP:
            return _stop(job)
        case Action.RESTART:
            return _restart(job, now)
        case _:
            assert_never(action)


def acceptance(action: Action, before: BatchJob, after: BatchJob, now: float) -> NothingToDo | NotAllowed | None:
    """
    Return whether a job shows an action that the service has accepted.

    :param before: the job before the action.
    :param after: the job as it is read now. An old state may be read for a while.
    :return: that it does; that it has come to a bad end since; ``None``: it does not show it (yet).
    """
    if after.status is None and after.raw_status != before.raw_status:
        return NothingToDo(words.now_is(after))
    step = next_step(action, after, now)
    if isinstance(step, NothingToDo | NotAllowed):
        return step
    stamped = (after.user_action, after.user_action_updated) != (before.user_action, before.user_action_updated)
    if action is Action.RESTART and stamped and after.user_action not in _ENDING:
        # The old STOPPED or PARTIAL lingers, but what the user asked for last is new.
        return NothingToDo(words.restarted(after))
    return None


def _analyse(job: BatchJob) -> ActionStep:
    match job.status:
        case JobStatus.CREATED | None if job.user_action in (UserAction.ANALYSE, UserAction.START):
            # CREATED lasts for minutes after an action; a START begins with the analysis (sections 4.4, 5.4).
            return NothingToDo(words.asked_already(job))
        case JobStatus.CREATED if job.user_action in _ENDING:
            return NotAllowed(words.ending(job, "analysed"), BatchActionImpossible)
        case JobStatus.CREATED | None:
            return CallService(ServiceCall.ANALYSE, words.doing(job, "analyse it"))
        case JobStatus.ANALYSING:
            return NothingToDo(words.under_way(job))
        case JobStatus.ANALYSIS_DONE | JobStatus.PROCESSING | JobStatus.DONE | JobStatus.PARTIAL:
            return NothingToDo(words.behind_it(job, "its analysis"))
        case JobStatus.STOPPED:
            # An analysis is finished before a stop takes effect (section 5.4).
            return NothingToDo(words.behind_it(job, "its analysis"))
        case JobStatus.FAILED:
            return NotAllowed(wait_messages.failed(job), BatchFailed)
        case JobStatus.CANCELED:
            return NotAllowed(wait_messages.canceled(job), BatchCanceled)
        case _:
            assert_never(job.status)


def _start(job: BatchJob, now: float) -> ActionStep:
    match job.status:
        case JobStatus.CREATED | JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE | None if (
            job.user_action is UserAction.START
        ):
            # Queued: the status lags behind the action by minutes (sections 4.4 and 6.2).
            return NothingToDo(words.asked_already(job))
        case JobStatus.CREATED | JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE | JobStatus.PROCESSING if (
            job.user_action in _ENDING
        ):
            return NotAllowed(words.ending(job, "started"), BatchActionImpossible)
        case JobStatus.CREATED | JobStatus.ANALYSIS_DONE | None:
            return CallService(ServiceCall.START, words.doing(job, "start it"))
        case JobStatus.ANALYSING:
            # START is drawn for CREATED and ANALYSIS_DONE only; Sentinel Hub's own driver does not send it here.
            return WaitUntil(now + NOT_YET_PAUSE, words.in_analysis(job))
        case JobStatus.PROCESSING:
            return NothingToDo(words.under_way(job))
        case JobStatus.DONE | JobStatus.PARTIAL:
            return NothingToDo(words.over_since_start(job))
        case JobStatus.STOPPED if is_restart_pending(job):
            return NothingToDo(words.restarted(job))
        case JobStatus.STOPPED:
            # A user stopped it, or the service did: going on has to be asked for by name.
            return NotAllowed(words.stopped_before_start(job), BatchStopped)
        case JobStatus.FAILED:
            return NotAllowed(wait_messages.failed(job), BatchFailed)
        case JobStatus.CANCELED:
            return NotAllowed(wait_messages.canceled(job), BatchCanceled)
        case _:
            assert_never(job.status)


def _stop(job: BatchJob) -> ActionStep:
    match job.status:
        case JobStatus.CREATED | JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE | JobStatus.PROCESSING | None if (
            job.user_action in _ENDING
        ):
            # An analysis is finished first, so the status lags behind (section 5.4).
            return NothingToDo(words.asked_already(job))
        case JobStatus.CREATED if job.user_action is UserAction.NONE and job.api is not BatchApi.PROCESS_V1:
            # V1 cancels a job that was only created; the others document a stop from ANALYSING on.
            return NothingToDo(words.nothing_runs(job))
        case JobStatus.CREATED | JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE | JobStatus.PROCESSING | None:
            # Where it is queued (CREATED, and a START is pending) this may be refused until it is analysed.
            return CallService(ServiceCall.STOP, words.doing(job, "cancel it" if _v1(job) else "stop it"))
        case JobStatus.STOPPED if is_restart_pending(job):
            return CallService(ServiceCall.STOP, words.doing(job, "stop it"))
        case JobStatus.STOPPED | JobStatus.DONE | JobStatus.PARTIAL | JobStatus.FAILED | JobStatus.CANCELED:
            return NothingToDo(words.nothing_left_to_stop(job))
        case _:
            assert_never(job.status)


def _restart(job: BatchJob, now: float) -> ActionStep:
    match job.status:
        case JobStatus.CREATED | JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE | None if (
            job.user_action is UserAction.START
        ):
            # STOPPED goes to ANALYSIS_DONE and on from there (section 5.4).
            return NothingToDo(words.asked_already(job))
        case JobStatus.CREATED | JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE | JobStatus.PROCESSING if (
            job.user_action in _ENDING
        ):
            if _v1(job):
                return NotAllowed(words.ending(job, "restarted"), BatchNotRestartable)
            return WaitUntil(now + NOT_YET_PAUSE, words.about_to_stop(job))
        case JobStatus.CREATED | JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE:
            return NotAllowed(words.never_started(job), BatchNotRestartable)
        case JobStatus.PROCESSING:
            return NothingToDo(words.under_way(job))
        case JobStatus.DONE:
            return NothingToDo(words.done(job))
        case JobStatus.PARTIAL if _v1(job):
            return CallService(ServiceCall.RESTART_PARTIAL, words.doing(job, "process its failed tiles again"))
        case JobStatus.STOPPED if is_restart_pending(job):
            return NothingToDo(words.restarted(job))
        case JobStatus.STOPPED:
            free = lock_ends(job, now)
            if free is not None and now < free:
                return WaitUntil(free, words.locked(job, free - now), locked=True)
            return CallService(ServiceCall.START, words.doing(job, "start it again"))
        case JobStatus.PARTIAL | JobStatus.FAILED | JobStatus.CANCELED | None:
            return NotAllowed(words.not_restartable(job), BatchNotRestartable)
        case _:
            assert_never(job.status)


def _v1(job: BatchJob) -> bool:
    return job.api is BatchApi.PROCESS_V1
