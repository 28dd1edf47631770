"""Messages about actions on a job: what was found, what it means, and what to do next."""

from __future__ import annotations

from airflow_sentinelhub.exceptions import SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.jobs import wait_messages
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.formatting import format_duration
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.restart_lock import lock_seconds
from airflow_sentinelhub.jobs.statuses import JobStatus, StopReason, UserAction


def now_is(job: BatchJob) -> str:
    """Return where a job is."""
    said = [job.raw_status or "without a status"]
    if job.status is JobStatus.PROCESSING and job.completion_percentage is not None:
        said[0] += f" {job.completion_percentage:.0f} %"
    if job.status is JobStatus.STOPPED:
        said[0] += f" ({job.stopped_reason or 'no reason given'})"
    if job.user_action not in (None, UserAction.NONE):
        said.append(f"user action {job.user_action}")
    if job.cost_pu:
        said.append(f"{job.cost_pu:,.0f} PU so far" if job.cost_pu >= 100 else f"{job.cost_pu:.3g} PU so far")
    return f"{job.label} is {', '.join(said)}."


def left(label: str, reason: str = "") -> str:
    """
    Return the message that the job of a killed task is not stopped.

    :param label: of the job.
    :param reason: the user's choice, for example ``on_kill='leave'``; empty: it is not for that.
    """
    why = f" ({reason})" if reason else ""
    return (
        f"{label} IS LEFT AS IT IS{why}. If it runs, it goes on spending processing units: stop it with "
        "SentinelHubBatchStopOperator or in the service's dashboard."
    )


def doing(job: BatchJob, what: str) -> str:
    """Return what the service is asked for."""
    return f"{now_is(job)} The service is asked to {what}."


def asked_already(job: BatchJob) -> str:
    """Return the message for an action that is pending, and that the status does not show yet."""
    return f"{now_is(job)} That was asked for before, so nothing is asked again."


def under_way(job: BatchJob) -> str:
    """Return the message for an action that is under way."""
    return f"{now_is(job)} That is under way, so nothing is asked again."


def behind_it(job: BatchJob, what: str) -> str:
    """Return the message for an action that is over already."""
    return f"{now_is(job)} It has {what} behind it, so nothing is asked again."


def over_since_start(job: BatchJob) -> str:
    """START, and it ran to its end."""
    rest = f" Some of it failed: {_restart_operator(job)}." if job.status is JobStatus.PARTIAL else ""
    return f"{now_is(job)} It was started before and is over, so nothing is asked again.{rest}"


def done(job: BatchJob) -> str:
    """Restart, and there is nothing to restart."""
    return f"{now_is(job)} There is nothing left to restart, so nothing is asked for."


def restarted(job: BatchJob) -> str:
    """Return the message for a STOPPED or PARTIAL job that was started again a moment ago."""
    return f"{now_is(job)} It was started again since; its status follows in a while."


def nothing_runs(job: BatchJob) -> str:
    """Return the message for a stop of a job that was never started."""
    return (
        f"{now_is(job)} Nobody has asked for anything, so nothing runs and there is nothing to stop; the service "
        "stops a job from its analysis on."
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
    return f"{now_is(job)} {meaning} Nothing is asked for."


def in_analysis(job: BatchJob) -> str:
    """Start, and an analysis that was asked for runs."""
    return f"{now_is(job)} It can be started when its analysis has ended, so this task waits for that."


def about_to_stop(job: BatchJob) -> str:
    """Restart, and a stop is pending."""
    return f"{now_is(job)} It is about to stop and can be started again after that, so this task waits."


def locked(job: BatchJob, left: float) -> str:
    """Restart, within the lock."""
    return (
        f"{now_is(job)} The service refuses a restart for {format_duration(lock_seconds(job))} after "
        f"{'running out of processing units' if job.stopped_reason == StopReason.OUT_OF_PU else 'a stop'}, so "
        f"this task waits for {format_duration(left)}."
    )


def ending(job: BatchJob, what: str) -> str:
    """Return the message for an action that a pending STOP or CANCEL forbids."""
    after = (
        "A canceled job cannot be started again: create a new one"
        if job.api is BatchApi.PROCESS_V1
        else "Once it is STOPPED, SentinelHubBatchRestartOperator starts it again"
    )
    return f"{now_is(job)} Somebody has asked to end it, so it cannot be {what} now. {after}."


def stopped_before_start(job: BatchJob) -> str:
    """Start, and it is STOPPED."""
    return (
        f"{wait_messages.stopped(job)} Starting it again is left to SentinelHubBatchRestartOperator, which waits "
        "until the service allows it."
    )


def never_started(job: BatchJob) -> str:
    """Return the message for a restart of a job that was never started."""
    return (
        f"{now_is(job)} It was never started, so there is nothing to restart: use SentinelHubBatchStartOperator."
    )


def not_restartable(job: BatchJob) -> str:
    """Restart, and it is an end."""
    match job.status:
        case JobStatus.FAILED:
            return wait_messages.failed(job)
        case JobStatus.CANCELED:
            return wait_messages.canceled(job)
        case JobStatus.PARTIAL:
            return (
                f"{now_is(job)} {job.api.display_name} has no way to repeat what failed of a job. Look at its "
                "results for what is missing, and create a new job for that."
            )
        case _:
            return (
                f"{wait_messages.unknown_status(job)} So it is not known whether it can be restarted, and nothing "
                "was asked for. Look at the job in the service's dashboard, and for a newer version of "
                "airflow-provider-sentinelhub."
            )


def stopped_again(job: BatchJob) -> str:
    """Restart, and the job was stopped a second time during the wait for the lock."""
    return (
        f"{now_is(job)} It was stopped again while this task waited until it may be restarted. Somebody may not "
        "want it to go on, so it was left as it is: clear this task to restart it all the same."
    )


def not_yet_for_too_long(job: BatchJob, action: str, waited: float) -> str:
    """Return the message for a job that came into no state that allows the action."""
    return (
        f"{now_is(job)} It has been in no state that allows {action!r} for {format_duration(waited)}. Look at it "
        "in the service's dashboard, then clear this task."
    )


def refused(job: BatchJob, action: str, refusal: SentinelHubError, pause: float) -> str:
    """Return the message for an action that the service refuses though the job's state should allow it."""
    what = "gives no answer when asked to" if isinstance(refusal, ServiceUnavailable) else "does not want to"
    again = f"It is asked again in {format_duration(pause)}."
    return f"The service {what} {action} the job: {refusal} {now_is(job)} {again}"


def refused_for_too_long(job: BatchJob, action: str, refusal: SentinelHubError, waited: float) -> str:
    """Return the message for a service that goes on refusing an action."""
    return (
        f"The service has refused to {action} {job.label} for {format_duration(waited)}: {refusal} {now_is(job)} "
        "Look at what the service says (a job needs at least 1,000 processing units on the account), mend it, and "
        "clear this task."
    )


def accepted(action: str, job: BatchJob) -> str:
    """
    Return the message for an action that the job shows.

    :param action: the action.
    :param job: the job as it is now.
    """
    return f"{action.capitalize()} accepted. {now_is(job)}"


def lingers(job: BatchJob) -> str:
    """``restartpartial`` was accepted, but PARTIAL is still there."""
    return (
        f"The service accepted the restart of the failed tiles, but {now_is(job).removesuffix('.')} still. That "
        "may linger; a job sensor after this task reads PARTIAL twice before it believes it."
    )


def ignored(job: BatchJob, action: str, waited: float) -> str:
    """Return the message for an action that the service accepted, and the job does not show."""
    return (
        f"The service accepted to {action} {job.label}, but does not show it {format_duration(waited)} later: "
        f"{now_is(job)} Clear this task to look again; what was done is not done twice."
    )


def _restart_operator(job: BatchJob) -> str:
    if job.api is BatchApi.PROCESS_V1:
        return "SentinelHubBatchRestartOperator processes the failed tiles again"
    return "look at its results"
