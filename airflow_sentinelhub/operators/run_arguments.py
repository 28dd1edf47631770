"""Validation of the run operator's arguments."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_sentinelhub.jobs import BatchApi, StopReason
from airflow_sentinelhub.jobs.failure_threshold import FailureThreshold
from airflow_sentinelhub.jobs.kill_rules import KillAction


def validate_end_action(name: str, choice: str) -> bool:
    """
    Return whether the job is to be stopped.

    :param name: the argument, for the message.
    :param choice: ``stop`` or ``leave``.
    :raises ValueError: it is neither.
    """
    if choice not in ("stop", "leave"):
        raise ValueError(f"{name} must be 'stop' (the job is stopped) or 'leave' (it goes on); it is {choice!r}")
    return choice == "stop"


def recreations(recreate_failed: bool | int) -> float:
    """
    Read how many new jobs the retries of a task may create for jobs that failed.

    :param recreate_failed: ``False``: none; ``True``: any number.
    :raises ValueError: that is no number of times.
    """
    if not isinstance(recreate_failed, int) or recreate_failed < 0:
        raise ValueError(f"recreate_failed must be True, False or a number of times; it is {recreate_failed!r}")
    return float("inf") if recreate_failed is True else float(recreate_failed)


def some_kill_action(choice: str) -> KillAction:
    """
    Read what becomes of the job when the task is killed.

    :param choice: ``stop``, ``stop_unless_removed`` or ``leave``.
    :raises ValueError: it is none of them.
    """
    try:
        return KillAction(choice)
    except ValueError:
        raise ValueError(
            "on_kill must be 'stop' (the job is stopped), 'stop_unless_removed' (the same, unless the task is "
            f"renamed or deleted in its DAG file) or 'leave' (the job goes on); it is {choice!r}"
        ) from None


def validate_max_cost(api: BatchApi, max_cost_pu: float | None) -> float | None:
    """
    Read what a job may cost.

    :param api: the API of the job.
    :param max_cost_pu: processing units; ``None``: any number.
    :raises ValueError: that is no cost, or the API tells none.
    """
    if max_cost_pu is None:
        return None
    if isinstance(max_cost_pu, bool) or not isinstance(max_cost_pu, int | float) or not max_cost_pu > 0:
        raise ValueError(
            f"max_cost_pu must be a number of processing units above 0, or None; it is {max_cost_pu!r}"
        )
    if api is BatchApi.PROCESS_V1:
        raise ValueError("max_cost_pu: Batch Process v1 does not tell what a job has cost; leave it out")
    return float(max_cost_pu)


def some_failures(max_failed_tiles: float | None) -> float | None:
    """
    Read how many tiles or features may fail.

    :param max_failed_tiles: a whole number, a ratio below 1, or ``None``.
    :raises ValueError: it is none of these.
    """
    if max_failed_tiles is not None:
        FailureThreshold.of(max_failed_tiles)
    return max_failed_tiles


def validate_resume(api: BatchApi, resume: Mapping[str, int] | None) -> dict[str, int]:
    """
    Read how often a job is to be started again, for each reason for which it was stopped.

    :param api: the API of the job.
    :param resume: what was given.
    :raises ValueError: there is no such reason, or no such API.
    """
    for reason, times in (resume or {}).items():
        if reason not in list(StopReason):
            known = ", ".join(repr(each.value) for each in StopReason)
            raise ValueError(f"resume: a job is stopped for {known}, and not for {reason!r}")
        if isinstance(times, bool) or not isinstance(times, int) or times < 0:
            raise ValueError(f"resume: how often must be a whole number; for {reason} it is {times!r}")
    if resume and api is BatchApi.PROCESS_V1:
        raise ValueError("resume: jobs of Batch Process v1 are never STOPPED; leave it out")
    return {str(reason): times for reason, times in (resume or {}).items()}
