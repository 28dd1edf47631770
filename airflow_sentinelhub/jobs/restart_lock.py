"""Restart lock: when a stopped job may be started again, and whether it already was."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.statuses import JobStatus, StopReason, UserAction

LOCK_AFTER_STOP = 30 * 60.0
"""Seconds after a stop in which the service refuses a start (sections "Workflow" of both APIs)."""

LOCK_OUT_OF_PU = 60 * 60.0
"""The same after the account ran out of processing units; documented for Batch Statistical."""

LOCK_MARGIN = 15.0
"""Seconds that are waited on top, as our clock is not the service's."""

_ONE_ACTION = 5.0


def lock_seconds(job: BatchJob) -> float:
    """
    Return the length of the lock of a STOPPED job.

    :param job: a STOPPED one. That of an UNHEALTHY job is not documented and taken to be that of any stop.
    """
    return LOCK_OUT_OF_PU if job.stopped_reason == StopReason.OUT_OF_PU else LOCK_AFTER_STOP


def lock_ends(job: BatchJob, now: float) -> float | None:
    """
    Return the time from which the service should accept a start of a STOPPED job, in seconds since 1970.

    :param job: a STOPPED one.
    :param now: seconds since 1970. A stop that lies in the future (the clocks differ) counts as one of now.
    :return: ``None`` where the service does not tell when it stopped.
    """
    stops = [parse_timestamp(job.last_updated)]
    if job.user_action in (UserAction.STOP, UserAction.CANCEL):
        # A job goes on for a while after its user asked for the stop; the later time counts.
        stops.append(parse_timestamp(job.user_action_updated))
    known = [stop for stop in stops if stop is not None]
    return min(max(known), now) + lock_seconds(job) + LOCK_MARGIN if known else None


def is_restart_pending(job: BatchJob) -> bool:
    """
    Return whether a STOPPED job was just started again, and the service has not moved it yet.

    A stop by its user leaves the user action STOP, so START is newer than that. But a job that the service
    stopped for another reason still shows the START that it ran under: there only a START that is not older than
    the stop counts.
    """
    if job.status is not JobStatus.STOPPED or job.user_action is not UserAction.START:
        return False
    if job.stopped_reason == StopReason.USER_ACTION:
        return True
    asked, changed = parse_timestamp(job.user_action_updated), parse_timestamp(job.last_updated)
    # The service stamps the action and the change that comes of it one after the other.
    return asked is not None and changed is not None and asked >= changed - _ONE_ACTION


def stop_key(job: BatchJob) -> str:
    """Name a stop, so that it is told from another one of the same job."""
    return f"{job.stopped_reason} {job.user_action}@{job.user_action_updated}"


def parse_timestamp(text: object) -> float | None:
    """Read a time stamp of the service (ISO 8601, in UTC) as seconds since 1970."""
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
