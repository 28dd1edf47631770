"""Messages about actions on a job: what was found, what it means, and what to do next."""

from __future__ import annotations

from airflow_sentinelhub.exceptions import SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.jobs import wait_messages
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.formatting import format_cost, format_duration
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.message import about
from airflow_sentinelhub.jobs.restart_lock import lock_seconds
from airflow_sentinelhub.jobs.statuses import JobStatus, StopReason, UserAction


def state_of(job: BatchJob) -> str:
    """Return where a job is, as a part of a line."""
    said = [job.raw_status or "without a status"]
    if job.status is JobStatus.PROCESSING and job.completion_percentage is not None:
        said[0] += f" {job.completion_percentage:.0f} %"
    if job.status is JobStatus.STOPPED:
        said[0] += f" ({job.stopped_reason or 'no reason given'})"
    if job.user_action not in (None, UserAction.NONE):
        said.append(f"user action {job.user_action}")
    if job.cost_pu:
        said.append(f"{format_cost(job.cost_pu)} so far")
    return ", ".join(said)


def now_is(job: BatchJob) -> str:
    """Return where a job is, as a line."""
    return about(state_of(job), job.name)


def left(name: str, reason: str = "") -> str:
    """
    Return the message that the job of a killed task is not stopped.

    :param name: of the job.
    :param reason: the user's choice, for example ``on_kill='leave'``; empty: it is not for that.
    """
    return about(
        f"LEFT AS IT IS, {reason}" if reason else "LEFT AS IT IS",
        name,
        "If it runs, it goes on spending processing units: stop it with SentinelHubBatchStopOperator or in the "
        "service's dashboard.",
    )


def doing(job: BatchJob, what: str) -> str:
    """Return what the service is asked for."""
    return about(f"Asking the service to {what}: {state_of(job)}", job.name)


def asked_already(job: BatchJob) -> str:
    """Return the message for an action that is pending, and that the status does not show yet."""
    return about(f"Asked for before, nothing is asked again: {state_of(job)}", job.name)


def under_way(job: BatchJob) -> str:
    """Return the message for an action that is under way."""
    return about(f"Under way, nothing is asked again: {state_of(job)}", job.name)


def behind_it(job: BatchJob, what: str) -> str:
    """Return the message for an action that is over already."""
    return about(f"Nothing is asked again, {what} is over: {state_of(job)}", job.name)


def over_since_start(job: BatchJob) -> str:
    """START, and it ran to its end."""
    rest = [f"Some of it failed: {_restart_operator(job)}."] if job.status is JobStatus.PARTIAL else []
    return about(f"Nothing is asked again, it was started before and is over: {state_of(job)}", job.name, *rest)


def done(job: BatchJob) -> str:
    """Restart, and there is nothing to restart."""
    return about(f"Nothing to restart: {state_of(job)}", job.name)


def restarted(job: BatchJob) -> str:
    """Return the message for a STOPPED or PARTIAL job that was started again a moment ago."""
    return about(f"Started again already: {state_of(job)}", job.name, "Its status follows in a while.")


def nothing_runs(job: BatchJob) -> str:
    """Return the message for a stop of a job that was never started."""
    return about(
        f"Nothing to stop: {state_of(job)}",
        job.name,
        "It was never started, so nothing runs; the service stops a job from its analysis on.",
    )


def nothing_left_to_stop(job: BatchJob) -> str:
    """Stop, and it is over."""
    match job.status:
        case JobStatus.DONE:
            meaning = "It was done before it could be stopped: its results are there, and charged for."
        case JobStatus.STOPPED if job.stopped_reason == StopReason.UNHEALTHY:
            meaning = "It stands still, but Sentinel Hub's staff may start an unhealthy job again."
        case JobStatus.STOPPED:
            meaning = "It stands still already."
        case _:
            meaning = "It is over already."
    return about(f"Nothing to stop: {state_of(job)}", job.name, meaning)


def in_analysis(job: BatchJob) -> str:
    """Start, and an analysis that was asked for runs."""
    return about(f"Waiting until its analysis has ended: {state_of(job)}", job.name, "It can be started then.")


def about_to_stop(job: BatchJob) -> str:
    """Restart, and a stop is pending."""
    return about(f"Waiting until it is stopped: {state_of(job)}", job.name, "It can be started again after that.")


def locked(job: BatchJob, left: float) -> str:
    """Restart, within the lock."""
    after = "running out of processing units" if job.stopped_reason == StopReason.OUT_OF_PU else "a stop"
    return about(
        f"Waiting for {format_duration(left)}, as it is locked: {state_of(job)}",
        job.name,
        f"The service refuses a restart for {format_duration(lock_seconds(job))} after {after}.",
    )


def ending(job: BatchJob, what: str) -> str:
    """Return the message for an action that a pending STOP or CANCEL forbids."""
    after = (
        "A canceled job cannot be started again: create a new one."
        if job.api is BatchApi.PROCESS_V1
        else "Once it is STOPPED, SentinelHubBatchRestartOperator starts it again."
    )
    return about(f"Cannot be {what} now: {state_of(job)}", job.name, f"Somebody has asked to end it. {after}")


def stopped_before_start(job: BatchJob) -> str:
    """Start, and it is STOPPED."""
    return (
        f"{wait_messages.stopped(job)}\n"
        "SentinelHubBatchRestartOperator starts it again, and waits until the service allows it."
    )


def never_started(job: BatchJob) -> str:
    """Return the message for a restart of a job that was never started."""
    return about(
        f"Nothing to restart, it was never started: {state_of(job)}",
        job.name,
        "Use SentinelHubBatchStartOperator.",
    )


def not_restartable(job: BatchJob) -> str:
    """Restart, and it is an end."""
    match job.status:
        case JobStatus.FAILED:
            return wait_messages.failed(job)
        case JobStatus.CANCELED:
            return wait_messages.canceled(job)
        case JobStatus.PARTIAL:
            return about(
                f"Nothing to restart: {state_of(job)}",
                job.name,
                f"{job.api.display_name} has no way to repeat what failed of a job.",
                "Look at its results for what is missing, and create a new job for that.",
            )
        case _:
            return wait_messages.unknown_status_before_action(job)


def stopped_again(job: BatchJob) -> str:
    """Restart, and the job was stopped a second time during the wait for the lock."""
    return about(
        f"STOPPED AGAIN while this task waited: {state_of(job)}",
        job.name,
        "Somebody may not want it to go on, so it was left as it is: clear this task to restart it all the same.",
    )


def not_yet_for_too_long(job: BatchJob, action: str, waited: float) -> str:
    """Return the message for a job that came into no state that allows the action."""
    return about(
        f"CANNOT {action.upper()} for {format_duration(waited)}: {state_of(job)}",
        job.name,
        f"It has been in no state that allows {action!r}.",
        "Look at it in the service's dashboard, then clear this task.",
    )


def refused(job: BatchJob, action: str, refusal: SentinelHubError, pause: float) -> str:
    """Return the message for an action that the service refuses though the job's state should allow it."""
    what = "not answered" if isinstance(refusal, ServiceUnavailable) else "refused"
    return about(
        f"{action.capitalize()} {what}, asked again in {format_duration(pause)}: {state_of(job)}",
        job.name,
        str(refusal),
    )


def refused_for_too_long(job: BatchJob, action: str, refusal: SentinelHubError, waited: float) -> str:
    """Return the message for a service that goes on refusing an action."""
    return about(
        f"{action.upper()} REFUSED for {format_duration(waited)}: {state_of(job)}",
        job.name,
        str(refusal),
        "Look at what the service says (a job needs at least 1,000 processing units on the account), mend it,",
        "and clear this task.",
    )


def accepted(action: str, job: BatchJob) -> str:
    """
    Return the message for an action that the job shows.

    :param action: the action.
    :param job: the job as it is now.
    """
    return about(f"{action.capitalize()} accepted: {state_of(job)}", job.name)


def lingers(job: BatchJob) -> str:
    """``restartpartial`` was accepted, but PARTIAL is still there."""
    return about(
        f"Restart of the failed tiles accepted, but still {state_of(job)}",
        job.name,
        "That may linger; a job sensor after this task reads PARTIAL twice before it believes it.",
    )


def ignored(job: BatchJob, action: str, waited: float) -> str:
    """Return the message for an action that the service accepted, and the job does not show."""
    return about(
        f"{action.upper()} IGNORED, accepted {format_duration(waited)} ago: {state_of(job)}",
        job.name,
        "Clear this task to look again; what was done is not done twice.",
    )


def _restart_operator(job: BatchJob) -> str:
    if job.api is BatchApi.PROCESS_V1:
        return "SentinelHubBatchRestartOperator processes the failed tiles again"
    return "look at its results"
