"""Stopping a job in a hurry, when whoever watched it is about to go."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from airflow_sentinelhub.exceptions import BadRequest, Conflict, NotFound, SentinelHubError
from airflow_sentinelhub.jobs import Action, Already, BatchJob, MissingJob, plan
from airflow_sentinelhub.jobs import action_words as words
from airflow_sentinelhub.watching.look import JobReader, look_at

_STATES_OF_A_KILL = ("failed", "skipped", "removed")


class JobStopper(JobReader, Protocol):
    """A client that stops jobs, too."""

    def stop(self, job_id: str, *, budget: float | None = None) -> None:
        """Ask for a job to be stopped."""


def was_killed(state: str | None) -> bool:
    """
    Tell whether the state of a task says that somebody wants it, and what it does, to end.

    A task that was cleared, moved to another triggerer, taken up by another attempt or marked as a success
    shows something else, and one whose state is not known proves nothing: its job is left.

    :param state: as Airflow has it now.
    """
    return state in _STATES_OF_A_KILL


def end_job(client: JobStopper, job_id: str, budget: float) -> tuple[int, str]:
    """
    Ask the service to stop a job, and look at it only if it refuses: there may be no time for more.

    :param client: asks the service.
    :param job_id: the job.
    :param budget: seconds in which the client may begin to ask again.
    :return: what came of it, for the log, with its level.
    """
    label = f"{client.api.display_name} job {job_id}"
    try:
        client.stop(job_id, budget=budget)
    except (BadRequest, Conflict, NotFound) as refusal:
        look = look_at(client, job_id, budget=budget)
        if isinstance(look, MissingJob):
            return logging.INFO, f"{label} is gone, so there is nothing to stop."
        if isinstance(look, BatchJob) and isinstance(step := plan(Action.STOP, look, time.time()), Already):
            return logging.INFO, step.message
        now = words.now_is(look) if isinstance(look, BatchJob) else str(look)
        return logging.ERROR, _not_stopped(label, f"{refusal} {now}")
    except SentinelHubError as error:
        return logging.ERROR, _not_stopped(label, str(error))
    return logging.WARNING, f"{label} was asked to stop. What is done or in flight is charged."


def _not_stopped(label: str, reason: str) -> str:
    return (
        f"{label} COULD NOT BE STOPPED and may go on spending processing units: {reason} Stop it with "
        "SentinelHubBatchStopOperator or in the service's dashboard."
    )
