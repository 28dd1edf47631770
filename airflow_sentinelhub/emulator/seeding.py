"""Seeding: jobs that are put into the service directly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow_sentinelhub.emulator import limits, request_validation
from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.job_store import JobStore
from airflow_sentinelhub.emulator.lifecycle import ON_THE_WAY, whole_life
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.emulator.scenario import ENDS, Scenario
from airflow_sentinelhub.emulator.serializers import EVERYTHING
from airflow_sentinelhub.emulator.timeline import Timeline
from airflow_sentinelhub.jobs import BatchApi, JobStatus, StopReason, UserAction

_SOMEBODY_ELSES = "Somebody else's"
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
MOST_AT_ONCE = 100_000


def place(
    jobs: JobStore,
    now: datetime,
    api: BatchApi,
    scenario: Scenario,
    *,
    status: str | None = None,
    user_action: UserAction | None = None,
    request: Mapping[str, Any] | None = None,
    description: str | None = None,
    job_id: str | None = None,
    age: float = 0.0,
) -> EmulatedJob:
    """
    Put in a job, see :meth:`Control.add_job`.

    :raises ValueError: for an id that exists or is none, both a status and steps, or numbers that make no sense.
    """
    if job_id is not None and not _JOB_ID.fullmatch(job_id):
        raise ValueError(
            "A job's id is part of addresses and file names: at most 128 letters, digits and . _ ~ -, the first "
            f"one a letter or a digit; but was {limits.brief(job_id)}"
        )
    if job_id in jobs:
        raise ValueError(f"There is a job {job_id} already")
    limits.seconds("The age of a job", age, -limits.CENTURY)
    if scenario.steps and status is not None:
        raise ValueError('Either "status" or "steps", not both: the first step has a status')
    over = status is not None and status not in ON_THE_WAY
    if over and scenario.end is None and status in ENDS:
        scenario = replace(scenario, end=status)
    limits.check_depth(request, limits.DEEPEST)
    asked = request_validation.masked(dict(request or sample_request(api)))
    if description is not None:
        (asked if api is not BatchApi.STATISTICAL else {})["description"] = description
    job = jobs.make(api, asked, scenario, now - timedelta(seconds=age), job_id)
    begin = max(now, job.created)
    action = user_action or _usual_action(scenario, status)
    if action is not UserAction.NONE:
        job.act(action, begin)
    job.scenario_ahead = over and scenario.end != status
    steps = scenario.steps or whole_life(api, scenario, action, status or JobStatus.CREATED)
    job.script = Timeline(steps, begin, scenario.completion(api) if over else 0.0)
    if over and not scenario.fails_in_analysis:
        job.reached = frozenset({JobStatus.PROCESSING})
    if request is not None:
        # In V1 the request's fields are those of the job.
        job.scripted_fields |= {EVERYTHING if api is BatchApi.PROCESS_V1 else "request"}
    if job_id is not None:
        job.scripted_fields |= {"id"}
    jobs.keep(job)
    return job


def place_foreign(
    jobs: JobStore, now: datetime, api: BatchApi, count: int, *, status: str, age: float, every: float
) -> list[EmulatedJob]:
    """
    Put in jobs of other people, see :meth:`Control.add_foreign_jobs`.

    :raises ValueError: for a count that is negative or too large, or if they take more than a century.
    """
    limits.whole("The number of jobs", count, 0, MOST_AT_ONCE)
    limits.seconds("The time between two jobs", every, -limits.CENTURY)
    limits.seconds("The time between the first job and the last one", abs(every) * count)
    return [
        place(jobs, now, api, Scenario(), status=status, age=age - number * every, description=_SOMEBODY_ELSES)
        for number in range(count)
    ]


def _usual_action(scenario: Scenario, status: str | None) -> UserAction:
    """Return what the user of a job in this state is likely to have done."""
    match status:
        case JobStatus.CREATED:
            return UserAction.NONE
        case JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE:
            return UserAction.ANALYSE
        case JobStatus.CANCELED:
            return UserAction.CANCEL
        case JobStatus.STOPPED if scenario.stopped_reason == StopReason.USER_ACTION:
            return UserAction.STOP
    return UserAction.START
