"""Actions of a user on a job, and their effect (sentinelhub-api.md, sections 4.4, 4.5 and 5.4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.lifecycle import stopped, whole_life
from airflow_sentinelhub.emulator.refusals import HttpRefusal
from airflow_sentinelhub.emulator.settings import Settings
from airflow_sentinelhub.jobs import BatchApi, JobStatus, StopReason, UserAction

_STOPPABLE = (JobStatus.ANALYSING, JobStatus.ANALYSIS_DONE, JobStatus.PROCESSING)
_CANCELABLE = (JobStatus.CREATED, *_STOPPABLE)


def perform(action: str, job: EmulatedJob, now: datetime, settings: Settings) -> None:
    """
    Do what the last segment of an address says.

    :raises HttpRefusal: 400 if the job's state does not allow it.
    """
    job.remember(now)
    match action:
        case "analyse":
            analyse(job, now)
        case "start":
            start(job, now, settings)
        case "stop" | "cancel":
            stop(job, now)
        case "restartpartial":
            restart_partial(job, now)


def analyse(job: EmulatedJob, now: datetime) -> None:
    """Begin the analysis, or refuse with 400 if an action was requested before."""
    if job.at(now).status != JobStatus.CREATED or job.action_at(now) != UserAction.NONE:
        raise _illegal(job, now, "Only requests with status CREATED can be analysed.")
    _proceed(job, UserAction.ANALYSE, now)


def start(job: EmulatedJob, now: datetime, settings: Settings) -> None:
    """
    Start a job, or restart a stopped one.

    :raises HttpRefusal: 400 if it runs already, is over, is being analysed on request, or was stopped a moment
        ago.
    """
    moment = job.at(now)
    if moment.status == JobStatus.STOPPED and job.api is not BatchApi.PROCESS_V1:
        _restart_allowed(job, now, settings)
        _try_again(job)
        job.act(UserAction.START, now)
        job.live(
            whole_life(job.api, job.scenario, UserAction.START, JobStatus.ANALYSIS_DONE, moment.percentage), now
        )
        return
    startable = moment.status in (JobStatus.CREATED, JobStatus.ANALYSIS_DONE)
    if not startable or job.action_at(now) == UserAction.START:
        raise _illegal(job, now, "Only requests with status CREATED, ANALYSIS_DONE or STOPPED can be started.")
    _proceed(job, UserAction.START, now)


def stop(job: EmulatedJob, now: datetime) -> None:
    """
    Stop a job; Batch Process V1 says cancel. An analysis is finished first.

    :raises HttpRefusal: 400 if there is nothing to stop.
    """
    action = UserAction.CANCEL if job.api is BatchApi.PROCESS_V1 else UserAction.STOP
    allowed = _CANCELABLE if job.api is BatchApi.PROCESS_V1 else _STOPPABLE
    moment = job.at(now)
    if moment.status not in allowed or job.action_at(now) == action:
        verb = "canceled" if job.api is BatchApi.PROCESS_V1 else "stopped"
        raise _illegal(job, now, f"Only requests with status {', '.join(allowed)} can be {verb}.")
    job.act(action, now)
    job.scenario_ahead, job.scripted = not job.scripted, False
    if moment.status == JobStatus.ANALYSING:
        rest = replace(moment.step, seconds=moment.rest(now, job.scenario.analysis_seconds))
        failure = whole_life(job.api, job.scenario, action, JobStatus.ANALYSING)[1:]
        job.live((rest, *failure), now)
    else:
        job.live((stopped(job.api),), now)


def restart_partial(job: EmulatedJob, now: datetime) -> None:
    """
    Process the failed tiles of a partial job again.

    :raises HttpRefusal: 400 unless it is PARTIAL; the text was seen in openeo-geopyspark-driver's issue 195.
    """
    if job.at(now).status != JobStatus.PARTIAL:
        raise HttpRefusal(400, "Only requests with status PARTIAL can be restarted.")
    _try_again(job)
    # Which action the service shows after this is not documented.
    job.act(UserAction.START, now)
    job.open_tiles = tuple(sorted(job.failing_tiles))
    job.failing_tiles = frozenset(job.open_tiles[: job.scenario.failing_tiles(job.api)])
    completed = 100.0 * (1 - len(job.open_tiles) / job.scenario.tile_count) if job.scenario.tile_count else 0.0
    steps = whole_life(job.api, job.scenario, UserAction.START, JobStatus.PROCESSING, completed)
    job.live(steps, now)


def _proceed(job: EmulatedJob, action: UserAction, now: datetime) -> None:
    """Go on from CREATED or ANALYSIS_DONE, unless every step is laid down."""
    moment = job.at(now)
    job.act(action, now)
    if not job.scripted:
        job.live(whole_life(job.api, job.scenario, action, moment.status, moment.percentage), now)


def _try_again(job: EmulatedJob) -> None:
    """Keep the scenario of a job that its user stopped; one whose scenario is over goes well now."""
    if not job.scenario_ahead:
        job.scenario = job.scenario.lived()
    job.scripted = job.scenario_ahead = False


def _restart_allowed(job: EmulatedJob, now: datetime, settings: Settings) -> None:
    moment = job.at(now)
    wait = settings.restart_seconds
    if moment.step.fields.get("stoppedStatusReason") == StopReason.OUT_OF_PU:
        wait = settings.out_of_pu_restart_seconds
    if now < moment.since + timedelta(seconds=wait):
        raise HttpRefusal(
            400, f"The request was stopped less than {wait / 60:g} minutes ago and cannot be restarted yet."
        )


def _illegal(job: EmulatedJob, now: datetime, rule: str) -> HttpRefusal:
    return HttpRefusal(
        400, f"{rule} Request {job.id} has status {job.at(now).status} and user action {job.action_at(now)}."
    )
