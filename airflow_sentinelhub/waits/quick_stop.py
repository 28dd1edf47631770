"""Quick stop of a job, for a process that is about to end."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from airflow_sentinelhub.exceptions import (
    BadRequest,
    Conflict,
    NotFound,
    SentinelHubError,
    ServiceUnavailable,
)
from airflow_sentinelhub.jobs import Action, BatchJob, MissingJob, NothingToDo, next_step
from airflow_sentinelhub.jobs import action_messages as words
from airflow_sentinelhub.jobs.message import about, name_of
from airflow_sentinelhub.waits.fetch import JobReader, fetch_job


class StopClient(JobReader, Protocol):
    """A client that stops jobs, too."""

    def stop(self, job_id: str, *, budget: float | None = None) -> None:
        """Ask for a job to be stopped."""


@dataclass(frozen=True, slots=True)
class StopResult:
    """
    Result of a stop.

    :param level: of the line in the log.
    :param line: says it.
    :param again: it may succeed later: the service was busy or away, or the job is queued, and can be stopped only
        once it is analysed (section 5.4).
    :param missing: the service says 404, which it also does of a job in its first minutes.
    :param accepted: the job is on its way to its end.
    """

    level: int
    line: str
    again: bool = False
    missing: bool = False
    accepted: bool = False


def stop_now(client: StopClient, job_id: str, budget: float, now: float) -> StopResult:
    """
    Ask the service to stop a job, and look at it only if it refuses: there may be no time for more.

    :param client: asks the service.
    :param job_id: the job.
    :param budget: seconds in which the client may begin to ask again.
    :param now: seconds since 1970.
    :return: what came of it.
    """
    name = name_of(client.api, job_id)
    try:
        client.stop(job_id, budget=budget)
    except (BadRequest, Conflict, NotFound) as refusal:
        result = fetch_job(client, job_id, budget=budget)
        if isinstance(result, MissingJob):
            return StopResult(logging.INFO, about("Nothing to stop: gone, 404", name), missing=True)
        if not isinstance(result, BatchJob):
            return StopResult(logging.ERROR, _not_stopped(name, f"{refusal}\n{result}"))
        step = next_step(Action.STOP, result, now)
        if isinstance(step, NothingToDo):
            return StopResult(logging.INFO, step.message, accepted=not result.is_over)
        reason = f"{refusal}\nThe job: {words.state_of(result)}."
        return StopResult(logging.ERROR, _not_stopped(name, reason), again=True)
    except SentinelHubError as error:
        again = isinstance(error, ServiceUnavailable)
        return StopResult(logging.ERROR, _not_stopped(name, str(error)), again)
    line = about("Stop accepted, what is done or in flight is charged", name)
    return StopResult(logging.WARNING, line, accepted=True)


def _not_stopped(name: str, reason: str) -> str:
    return about(
        "COULD NOT BE STOPPED, may go on spending processing units",
        name,
        reason,
        "Stop it with SentinelHubBatchStopOperator or in the service's dashboard.",
    )
