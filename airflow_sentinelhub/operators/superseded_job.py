"""Stop of a superseded job: the task has created it from a request that has changed since."""

from __future__ import annotations

import logging

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import BatchActionImpossible, SentinelHubError
from airflow_sentinelhub.jobs import Action, BatchJob, MissingJob, NothingToDo, ServiceCall, next_step
from airflow_sentinelhub.jobs import action_messages as words
from airflow_sentinelhub.jobs.creation_record import is_unstarted
from airflow_sentinelhub.jobs.message import about
from airflow_sentinelhub.operators.job_action_client import JobActionClient


def stop_superseded(job: BatchJob, action_client: JobActionClient, log: logging.Logger) -> None:
    """
    Stop a job, if it costs anything.

    :param job: the job as just read.
    :param action_client: sends the requests.
    :param log: the task's log.
    :raises BatchActionImpossible: it could not be stopped.
    :raises ServiceError: a subclass of it, when the service refuses that in any state, or gives no answer.
    """
    log.warning("%s", about(f"Created before, from another request: {words.state_of(job)}", job.name))
    if is_unstarted(job):
        # V1 would cancel it, but the others have no way to stop what was never started.
        log.info("%s", about("Left as it is: it was not started and costs nothing", job.name))
        return
    step = next_step(Action.STOP, job, clock.now())
    log.info("%s", step.message)
    if isinstance(step, NothingToDo):
        return
    refusal = action_client.ask(ServiceCall.STOP)
    if refusal is None:
        shows, result = action_client.confirm(Action.STOP, job)
        stopped = isinstance(shows, NothingToDo)
    else:
        result = action_client.fetch(seen=True)
        stopped = isinstance(result, BatchJob) and isinstance(
            next_step(Action.STOP, result, clock.now()), NothingToDo
        )
    if isinstance(result, MissingJob) or stopped:
        log.info("%s", words.now_is(result) if isinstance(result, BatchJob) else about("Gone: 404", result.name))
        return
    raise _still_there(result, refusal) from refusal


def _still_there(job: BatchJob, refusal: SentinelHubError | None) -> BatchActionImpossible:
    return BatchActionImpossible(
        about(
            f"COULD NOT BE STOPPED: {words.state_of(job)}",
            job.name,
            "This task has created it before, from another request.",
            str(refusal or "The service accepted the stop, but the job does not show it."),
            "No other job was created, to avoid running two.",
            "Retry this task in a few minutes (a queued job can be stopped once it is analysed),",
            "or stop the job yourself.",
        ),
        job_id=job.id,
        api=job.api.value,
        status=job.raw_status or None,
    )
