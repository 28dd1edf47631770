"""Completion of a job, and how one completion is told from another one of the same job."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.restart_lock import is_restart_pending, parse_timestamp, stop_key
from airflow_sentinelhub.jobs.statuses import JobStatus, UserAction
from airflow_sentinelhub.jobs.verdict import Outcome
from airflow_sentinelhub.jobs.wait_policy import WaitGoal, WaitPolicy
from airflow_sentinelhub.jobs.wait_rules import evaluate
from airflow_sentinelhub.jobs.wait_state import WaitState

ENDS = {
    BatchApi.PROCESS: (JobStatus.DONE, JobStatus.FAILED, JobStatus.STOPPED),
    BatchApi.STATISTICAL: (JobStatus.DONE, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.STOPPED),
    BatchApi.PROCESS_V1: (JobStatus.DONE, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELED),
}
"""The statuses in which a job of each API may end (sections 4.2, 5.2 and 6.2)."""

LINGERS = 600.0
"""Seconds for which an old PARTIAL or STOPPED may still be shown after its user has started the job again."""

_OUTCOMES = (Outcome.DONE, Outcome.PARTIAL, Outcome.FAILED, Outcome.STOPPED, Outcome.CANCELED)


@dataclass(frozen=True, slots=True)
class Completion:
    """
    An end that a job has come to.

    :param name: tells it from other ends of the same job. A job that was stopped or is PARTIAL may be started
        again, and ends again.
    :param final: the service starts the job no more.
    """

    name: str
    final: bool


def completion_of(
    job: BatchJob, policy: WaitPolicy, now: float, wait_state: WaitState
) -> tuple[Completion | None, WaitState]:
    """
    Return the completion that a job has come to, if any, and the state to keep.

    :func:`~airflow_sentinelhub.jobs.evaluate` decides, so that a job has ended when a sensor would say so: DONE,
    FAILED and CANCELED at once, STOPPED and PARTIAL when they are read again, as they may not last.

    :param job: the job as a poll shows it.
    :param policy: how long after the first reading the second one counts.
    :param now: seconds since 1970, at the moment of the poll.
    :param wait_state: what the previous call returned for the job; ``WaitState()`` for the first.
    :return: the end, ``None`` while there is none; and what to hand in next time.
    """
    if is_restart_pending(job):
        return None, WaitState()
    verdict, wait_state = evaluate(job, WaitGoal.COMPLETION, policy, now, wait_state)
    if not verdict.is_final or verdict.outcome not in _OUTCOMES:
        return None, wait_state
    if verdict.outcome in (Outcome.DONE, Outcome.FAILED, Outcome.CANCELED):
        return Completion(job.raw_status, final=True), wait_state
    return Completion(f"{job.raw_status} {stop_key(job)}", final=False), wait_state


def is_stale_status(job: BatchJob, now: float) -> bool:
    """
    Return whether what looks like another end may be the old one, in a job that was started again a moment ago.

    Its user action is new at once, its status follows minutes later (sections 4.4 and 5.4). V1 has no time stamp
    of the status that would tell.

    :param job: a PARTIAL or STOPPED one that had ended so before.
    :param now: seconds since 1970.
    """
    started = parse_timestamp(job.user_action_updated)
    return job.user_action is UserAction.START and started is not None and now - started < LINGERS
