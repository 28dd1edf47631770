"""Messages for the person who has to do something about a job."""

from __future__ import annotations

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.formatting import format_cost, format_duration
from airflow_sentinelhub.jobs.job import BatchJob, MissingJob
from airflow_sentinelhub.jobs.statuses import JobStatus, StopReason, UserAction
from airflow_sentinelhub.jobs.wait_policy import WaitGoal

_LONGEST_ERROR = 1000


def failed(job: BatchJob) -> str:
    """FAILED is an end (section "Workflow" of the API's documentation): only a new job helps."""
    return f"{job.label} FAILED{_reason(job)}. A failed job cannot be started again: create a new one."


def canceled(job: BatchJob) -> str:
    """Return the message for a CANCELED job, of V1."""
    return f"{job.label} was CANCELED{_reason(job)}. It cannot be started again: create a new one."


def stopped(job: BatchJob) -> str:
    """Return the message for a STOPPED job; whether to start it again depends on the reason."""
    reason = job.stopped_reason or "no reason given"
    return f"{job.label} is STOPPED ({reason}){_reason(job)}: {_after_stop(job)}"


def _after_stop(job: BatchJob) -> str:
    match job.stopped_reason:
        case StopReason.OUT_OF_PU:
            # Falling below 1000 PU stops a job; a statistical one is then locked for 60 minutes.
            return (
                "the account ran out of processing units. Get new ones (a job needs at least 1,000 to run), "
                "then START it; a restart may be refused for 60 minutes after the stop."
            )
        case StopReason.USER_ACTION:
            return (
                "somebody stopped it. START it to go on from where it stopped; a restart is refused for 30 "
                "minutes after the stop."
            )
        case StopReason.UNHEALTHY:
            return (
                "the service stopped it because too much of it kept failing. Look at the failed features or "
                "the evalscript; Sentinel Hub's staff may also start it again, so wait for it once more or "
                "ask their support."
            )
        case None:
            return "look at it in the service's dashboard, and START it to go on."
        case _:
            return (
                "this version of the provider does not know that reason. Look at the job in the service's "
                "dashboard, and START it to go on."
            )


def partial(job: BatchJob) -> str:
    """PARTIAL: some tiles failed (V1); its meaning for Batch Statistical is not documented."""
    restart = (
        "Restart its failed tiles with 'restartpartial'"
        if job.api is BatchApi.PROCESS_V1
        else "Look at the results for what is missing"
    )
    return f"{job.label} ended PARTIAL{_reason(job)}. {restart}, or set allow_partial=True to accept it."


def accepted_partial(job: BatchJob) -> str:
    """PARTIAL where the user asked to accept it."""
    return f"{job.label} ended PARTIAL{_reason(job)}, which is accepted."


def resting(job: BatchJob, goal: WaitGoal) -> str:
    """Return why a job does not move: the service waits for an action of its user."""
    if job.status is JobStatus.CREATED:
        needed = "analysed or started" if goal is WaitGoal.ANALYSIS else "started"
        state = "was created, but nobody has asked for its analysis or started it"
    else:
        needed = "started"
        state = "is analysed, but nobody has started it"
    action = (job.user_action or UserAction.NONE).value
    return f"{job.label} {state} (status {job.raw_status}, user action {action}). It has to be {needed} to go on."


def not_started(job: BatchJob, goal: WaitGoal, rested: float) -> str:
    """Return the message that the grace for an unstarted job has ended."""
    call = "'analyse' or 'start'" if goal is WaitGoal.ANALYSIS else "'start'"
    return (
        f"{resting(job, goal)} Nothing happened for {format_duration(rested)}. Call {call} before this sensor, or "
        "raise start_grace (None waits until the timeout)."
    )


def stalled(job: BatchJob, unchanged: float) -> str:
    """Return the message that a job shows no sign of life."""
    return (
        f"{job.label} is {job.raw_status}, but its progress, cost and time stamp have not changed for "
        f"{format_duration(unchanged)} (stall_timeout). It was left as it is: look at it in the service's "
        "dashboard, then stop it or wait for it again."
    )


def too_dear(job: BatchJob, max_cost_pu: float, others: float = 0.0) -> str:
    """
    Return the message that a job has cost more than it may, and how to go on with it.

    :param job: the job.
    :param max_cost_pu: what it may cost.
    :param others: what other jobs of the task have cost, which is taken off already.
    """
    less = f" (less {format_cost(others)} for earlier jobs of this task)" if others else ""
    progress = "" if job.completion_percentage is None else f" {job.completion_percentage:.0f} %"
    return (
        f"{job.label} has cost {format_cost(job.cost_pu or 0.0)}, more than the "
        f"{format_cost(max_cost_pu + others)} of max_cost_pu{less}, and is "
        f"{job.raw_status or 'without a status'}{progress}. It may not spend more. Look whether it is worth it; "
        "then raise max_cost_pu and clear this task to go on with the same job, when the service allows it."
    )


def nothing_left(label: str, max_cost_pu: float, others: float) -> str:
    """
    Return the message that a job is not started, as earlier ones have cost what the task may spend.

    :param label: of the job.
    :param max_cost_pu: what all jobs of the task may cost.
    :param others: what the earlier ones have cost.
    """
    return (
        f"{label} is not started: earlier jobs of this task have cost {format_cost(others)} of the "
        f"{format_cost(max_cost_pu)} of max_cost_pu. Raise max_cost_pu and clear this task to run it."
    )


def unknown_status(job: BatchJob) -> str:
    """Return the message that the service uses a word that this version does not know."""
    word = f"status {job.raw_status!r}" if job.raw_status else "no status"
    return f"{job.label} has {word}, which this version of the provider does not know."


def unknown_status_for_too_long(job: BatchJob, unchanged: float) -> str:
    """Return the message that an unknown status does not go away."""
    return (
        f"{unknown_status(job)} Nothing about it changed for {format_duration(unchanged)}. Look at the job in the "
        "service's dashboard, and for a newer version of airflow-provider-sentinelhub."
    )


def not_yet_found(job: MissingJob) -> str:
    """404 on a job that was never seen: a new one is not readable at once."""
    return f"{job.label} is not found (404); a new job may need a moment, so it is asked for again."


def vanished(job: MissingJob) -> str:
    """404 on a job that was seen, to be confirmed."""
    return f"{job.label} is not found (404), though it was there before; it is asked for once more."


def vanished_in_its_first_minutes(job: MissingJob) -> str:
    """404 on a new job that was seen: the service's databases may be out of step."""
    return (
        f"{job.label} is not found (404), though it was there before; that happens in a job's first minutes, so "
        "it is asked for again."
    )


def unreadable(label: str, reason: str, readings: int) -> str:
    """Answers about a job that cannot be read, while other answers of the service can."""
    return (
        f"{label} cannot be watched: {readings} answers about it, at least one interval apart, could not be read, "
        f"while the service gave readable answers otherwise. The last one: {reason} The job was left alone and "
        "may be running or done: look at it in the service's dashboard, and report it to Sentinel Hub's support. "
        "When it can be read again, clear this task to wait for it."
    )


def never_found(job: MissingJob) -> str:
    """404 that stays 404 on a job that was never seen."""
    return (
        f"There is no {job.label}, or it was deleted after its retention period{_retention(job.api)}. Check "
        "the id, and that the connection points to the deployment and account where the job was created."
    )


def gone(job: MissingJob) -> str:
    """404 that stays 404 on a job that was seen."""
    return (
        f"{job.label} is gone: it was there before, and is no longer found. It was deleted by somebody or "
        f"after its retention period{_retention(job.api)}; results in the bucket stay."
    )


def belongs_to_v2(job: MissingJob) -> str:
    """Return the message for a V2 job that is looked for with a V1 sensor."""
    return (
        f"There is no {job.label}, but there is a Batch Process (v2) job of that id: use "
        "SentinelHubBatchProcessJobSensor or SentinelHubBatchProcessAnalysisSensor, or api='process'."
    )


def _retention(api: BatchApi) -> str:
    period = api.spec.retention
    return f" ({period})" if period else ""


def _reason(job: BatchJob) -> str:
    if not job.error:
        return " (the service gives no reason)" if job.status is JobStatus.FAILED else ""
    error = job.error if len(job.error) <= _LONGEST_ERROR else job.error[: _LONGEST_ERROR - 3] + "..."
    # What follows is a full stop; three of them say that something was cut off.
    return f": {error if error.endswith('..') else error.removesuffix('.')}"
