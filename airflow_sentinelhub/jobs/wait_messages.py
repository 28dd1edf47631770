"""Messages for the person who has to do something about a job."""

from __future__ import annotations

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.formatting import format_cost, format_duration
from airflow_sentinelhub.jobs.job import BatchJob, MissingJob
from airflow_sentinelhub.jobs.message import about
from airflow_sentinelhub.jobs.statuses import JobStatus, StopReason, UserAction
from airflow_sentinelhub.jobs.wait_policy import WaitGoal

_LONGEST_ERROR = 1000
_LOOK = "Look at the job in the service's dashboard, and for a newer version of airflow-provider-sentinelhub."

_OTHER_API = {
    BatchApi.PROCESS: ("SentinelHubBatchProcessJobSensor or SentinelHubBatchProcessAnalysisSensor", "process"),
    BatchApi.STATISTICAL: (
        "SentinelHubBatchStatisticalJobSensor or SentinelHubBatchStatisticalAnalysisSensor",
        "statistical",
    ),
    BatchApi.PROCESS_V1: ("SentinelHubBatchJobSensor or SentinelHubBatchAnalysisSensor", "process_v1"),
}


def failed(job: BatchJob) -> str:
    """FAILED is an end (section "Workflow" of the API's documentation): only a new job helps."""
    return about(f"FAILED{_reason(job)}", job.name, "A failed job cannot be started again: create a new one.")


def canceled(job: BatchJob) -> str:
    """Return the message for a CANCELED job, of V1."""
    return about(f"CANCELED{_reason(job)}", job.name, "A canceled job cannot be started again: create a new one.")


def stopped(job: BatchJob) -> str:
    """Return the message for a STOPPED job; whether to start it again depends on the reason."""
    reason = job.stopped_reason or "no reason given"
    return about(f"STOPPED, {reason}{_reason(job)}", job.name, _after_stop(job))


def _after_stop(job: BatchJob) -> str:
    match job.stopped_reason:
        case StopReason.OUT_OF_PU:
            # Falling below 1000 PU stops a job; a statistical one is then locked for 60 minutes.
            return (
                "The account ran out of processing units: a job needs at least 1,000 to run.\n"
                "Get new ones, then START it; a restart may be refused for 60 minutes after the stop."
            )
        case StopReason.USER_ACTION:
            return (
                "Somebody stopped it. START it to go on from where it stopped.\n"
                "The service refuses a restart for 30 minutes after the stop."
            )
        case StopReason.UNHEALTHY:
            return (
                "The service stopped it because too much of it kept failing: look at the failed features or the "
                "evalscript.\n"
                "Sentinel Hub's staff may also start it again: wait for it once more, or ask their support."
            )
        case None:
            return "Look at it in the service's dashboard, and START it to go on."
        case _:
            return (
                "This version of the provider does not know that reason.\n"
                "Look at the job in the service's dashboard, and START it to go on."
            )


def partial(job: BatchJob) -> str:
    """PARTIAL: some tiles failed (V1); its meaning for Batch Statistical is not documented."""
    restart = (
        "Restart its failed tiles with SentinelHubBatchRestartOperator"
        if job.api is BatchApi.PROCESS_V1
        else "Look at the results for what is missing"
    )
    return about(f"PARTIAL{_reason(job)}", job.name, f"{restart}, or set allow_partial=True to accept it.")


def resting(job: BatchJob, goal: WaitGoal, fails_at: str | None = None) -> str:
    """
    Return why a job does not move: the service waits for an action of its user.

    :param job: the job.
    :param goal: what is waited for.
    :param fails_at: when the task fails; ``None``: it does not fail for that.
    """
    until = f", fails at {fails_at}" if fails_at else ""
    return about(f"Not started yet: {_state(job)}{until}", job.name, _starters(job, goal))


def not_started(job: BatchJob, goal: WaitGoal, rested: float) -> str:
    """Return the message that the grace for an unstarted job has ended."""
    return about(
        f"NOT STARTED for {format_duration(rested)}: {_state(job)}",
        job.name,
        f"{_starters(job, goal)} Do that before this sensor, or raise start_grace (None waits until the timeout).",
    )


def _starters(job: BatchJob, goal: WaitGoal) -> str:
    if job.status is JobStatus.CREATED and goal is WaitGoal.ANALYSIS:
        return "SentinelHubBatchAnalyseOperator asks for its analysis, SentinelHubBatchStartOperator starts it."
    return "SentinelHubBatchStartOperator starts it."


def _state(job: BatchJob) -> str:
    return f"{job.raw_status}, user action {(job.user_action or UserAction.NONE).value}"


def stalled(job: BatchJob, unchanged: float) -> str:
    """Return the message that a job shows no sign of life."""
    return about(
        f"STALLED: {job.raw_status}{_progress(job)}, nothing changed for {format_duration(unchanged)}",
        job.name,
        "Its progress, cost and time stamp stay as they are (stall_timeout). It was left as it is:",
        "look at it in the service's dashboard, then stop it or wait for it again.",
    )


def too_dear(job: BatchJob, max_cost_pu: float, others: float = 0.0) -> str:
    """
    Return the message that a job has cost more than it may, and how to go on with it.

    :param job: the job.
    :param max_cost_pu: what it may cost.
    :param others: what other jobs of the task have cost, which is taken off already.
    """
    less = f" (less {format_cost(others)} for earlier jobs of this task)" if others else ""
    spent, allowed = format_cost(job.cost_pu or 0.0), format_cost(max_cost_pu + others)
    return about(
        f"TOO EXPENSIVE: {spent} of {allowed}{less}, {job.raw_status or 'no status'}{_progress(job)}",
        job.name,
        "It may not spend more than max_cost_pu. Look whether it is worth it; then raise max_cost_pu,",
        "and clear this task to go on with the same job, when the service allows it.",
    )


def nothing_left(name: str, max_cost_pu: float, others: float) -> str:
    """
    Return the message that a job is not started, as earlier ones have cost what the task may spend.

    :param name: of the job.
    :param max_cost_pu: what all jobs of the task may cost.
    :param others: what the earlier ones have cost.
    """
    return about(
        f"TOO EXPENSIVE: {format_cost(others)} of {format_cost(max_cost_pu)} spent on earlier jobs, not started",
        name,
        "Raise max_cost_pu and clear this task to run it.",
    )


def unknown_status(job: BatchJob) -> str:
    """Return the message that the service uses a word that this version does not know."""
    return about(_unknown(job), job.name, "It is waited for, for an hour at most if nothing about it changes.")


def unknown_status_for_too_long(job: BatchJob, unchanged: float) -> str:
    """Return the message that an unknown status does not go away."""
    return about(f"{_unknown(job)}, nothing changed for {format_duration(unchanged)}", job.name, _LOOK)


def unknown_status_before_action(job: BatchJob) -> str:
    """Return the message that nothing is asked for, as the status is not known."""
    return about(f"{_unknown(job)}, nothing was asked for", job.name, _LOOK)


def _unknown(job: BatchJob) -> str:
    return f"Unknown status {job.raw_status!r}" if job.raw_status else "Without a status"


def not_yet_found(job: MissingJob) -> str:
    """404 on a job that was never seen: a new one is not readable at once."""
    return about("Not found yet: 404", job.name, "A new job may need a moment: it is asked for again.")


def vanished(job: MissingJob) -> str:
    """404 on a job that was seen, to be confirmed."""
    return about("Not found any more: 404", job.name, "It was there before: it is asked for once more.")


def vanished_in_its_first_minutes(job: MissingJob) -> str:
    """404 on a new job that was seen: the service's databases may be out of step."""
    return about(
        "Not found for the moment: 404",
        job.name,
        "It was there before. That happens in a job's first minutes: it is asked for again.",
    )


def unreadable(name: str, reason: str, readings: int) -> str:
    """
    Return the message for answers about a job that cannot be read, while other answers of the service can.

    :param name: of the job.
    :param reason: what the last answer was like.
    :param readings: how many there were.
    """
    return about(
        f"UNREADABLE: {readings} answers about it could not be read",
        name,
        reason,
        "They came at least one interval apart, and the service gave readable answers otherwise.",
        "The job was left alone and may be running or done: look at it in the service's dashboard,",
        "and report it to Sentinel Hub's support.",
        "When it can be read again, clear this task to wait for it.",
    )


def never_found(job: MissingJob) -> str:
    """404 that stays 404 on a job that was never seen."""
    return about(
        "NOT FOUND: 404",
        job.name,
        f"There is no such job, or it was deleted after its retention period{_retention(job.api)}.",
        "Check the id, and that the connection points to the deployment and account where the job was created.",
    )


def gone(job: MissingJob) -> str:
    """404 that stays 404 on a job that was seen."""
    return about(
        "GONE: 404",
        job.name,
        "It was there before. Somebody deleted it, or the service did after its retention "
        f"period{_retention(job.api)}; results in the bucket stay.",
    )


def belongs_to(found: BatchJob, api: BatchApi) -> str:
    """
    Return the message for a job that another API has.

    :param found: the job there.
    :param api: the API in which it was looked for.
    """
    sensors, argument = _OTHER_API[found.api]
    return about(
        f"NOT FOUND in {api.display_name}: it is a {found.api.display_name} job",
        found.name,
        f"Use {sensors}, or api='{argument}'.",
    )


def _retention(api: BatchApi) -> str:
    period = api.spec.retention
    return f" ({period})" if period else ""


def _progress(job: BatchJob) -> str:
    return "" if job.completion_percentage is None else f" {job.completion_percentage:.0f} %"


def _reason(job: BatchJob) -> str:
    if not job.error:
        return " without a reason" if job.status is JobStatus.FAILED else ""
    error = job.error if len(job.error) <= _LONGEST_ERROR else job.error[: _LONGEST_ERROR - 3] + "..."
    return f": {error if error.endswith('..') else error.removesuffix('.')}"
