"""Undisturbed life cycle of a job, as steps (sentinelhub-api.md, sections 4.4 and 5.4)."""

from __future__ import annotations

from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.timeline import TimelineStep
from airflow_sentinelhub.jobs import BatchApi, JobStatus, StopReason, UserAction

ON_THE_WAY = (JobStatus.CREATED, JobStatus.ANALYSING, JobStatus.ANALYSIS_DONE, JobStatus.PROCESSING)


def whole_life(
    api: BatchApi, scenario: Scenario, user_action: str, status: str = JobStatus.CREATED, percentage: float = 0.0
) -> tuple[TimelineStep, ...]:
    """
    Return what a job lives through from now on.

    :param user_action: what its user asked for last. Without START it rests after its analysis, without any
        action it rests in CREATED.
    :param status: the status that it has now; its stretch begins anew.
    :param percentage: completion that it has now.
    """
    if user_action == UserAction.NONE and status == JobStatus.CREATED:
        return (TimelineStep(status=JobStatus.CREATED),)
    steps = [
        TimelineStep(status=JobStatus.CREATED, seconds=scenario.queued_seconds),
        TimelineStep(status=JobStatus.ANALYSING, seconds=scenario.analysis_seconds),
        *_after_analysis(api, scenario, user_action, status, percentage),
    ]
    for position, step in enumerate(steps):
        if step.status == status:
            return tuple(steps[position:])
    return (scenario.last_step(status),)


def _after_analysis(
    api: BatchApi, scenario: Scenario, user_action: str, status: str, percentage: float
) -> list[TimelineStep]:
    if scenario.fails_in_analysis and status in (JobStatus.CREATED, JobStatus.ANALYSING):
        return [scenario.last_step(JobStatus.FAILED)]
    if user_action in (UserAction.STOP, UserAction.CANCEL):
        return [stopped(api)]
    if user_action != UserAction.START:
        return [TimelineStep(status=JobStatus.ANALYSIS_DONE)]
    return [
        TimelineStep(status=JobStatus.ANALYSIS_DONE, seconds=scenario.ready_seconds),
        _processing(scenario, percentage, scenario.completion(api)),
        *(scenario.then or [scenario.last_step(scenario.ending(api))]),
    ]


def _processing(scenario: Scenario, percentage: float, completion: float) -> TimelineStep:
    if completion > percentage:
        share = (completion - percentage) / completion
    else:
        completion, share = percentage, 1 - min(percentage, 100.0) / 100
    return TimelineStep(
        status=JobStatus.PROCESSING,
        seconds=scenario.processing_seconds * share,
        percentage=(percentage, completion),
    )


def stopped(api: BatchApi, reason: StopReason = StopReason.USER_ACTION) -> TimelineStep:
    """Return where a job comes to rest that its user stops, or that runs out of processing units."""
    if api is BatchApi.PROCESS_V1:
        return TimelineStep(status=JobStatus.CANCELED)
    return TimelineStep(status=JobStatus.STOPPED, fields={"stoppedStatusReason": str(reason)})
