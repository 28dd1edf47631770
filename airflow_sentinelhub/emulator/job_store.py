"""The jobs that the service keeps, as they are and as a list that lags behind still shows them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.lifecycle import whole_life
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.timeline import Timeline
from airflow_sentinelhub.jobs import BatchApi, UserAction


class JobStore:
    """All jobs of the service, and those that it had."""

    def __init__(self) -> None:
        self._jobs: dict[str, EmulatedJob] = {}
        self._removed: list[tuple[datetime, EmulatedJob]] = []
        self._made = 0

    def make(
        self,
        api: BatchApi,
        request: dict[str, Any],
        scenario: Scenario,
        created: datetime,
        job_id: str | None = None,
    ) -> EmulatedJob:
        """
        Make a new job, in its first state. It is not there before :meth:`keep`.

        :param job_id: Default: a new UUID.
        """
        self._made += 1
        return EmulatedJob(
            id=job_id or str(uuid.uuid4()),
            api=api,
            number=self._made,
            created=created,
            request=request,
            scenario=scenario,
            script=Timeline(scenario.steps or whole_life(api, scenario, UserAction.NONE), created),
            scripted=bool(scenario.steps),
        )

    def keep(self, job: EmulatedJob) -> None:
        """Take in a job that was made."""
        self._jobs[job.id] = job

    def discard(self, job: EmulatedJob) -> None:
        """Forget a job (or what it was earlier) altogether, as if there had never been one."""
        self._jobs.pop(job.id, None)
        self._removed = [(removed, each) for removed, each in self._removed if each.id != job.id]

    def remove(self, job_id: str, now: datetime) -> None:
        """Remove a job, or raise ``KeyError`` if there is none."""
        self._removed.append((now, self._jobs.pop(job_id)))

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._jobs

    def __getitem__(self, job_id: str) -> EmulatedJob:
        return self._jobs[job_id]

    def get(self, job_id: str) -> EmulatedJob | None:
        """Return the job, if there is one."""
        return self._jobs.get(job_id)

    def all(self) -> list[EmulatedJob]:
        """Every job that was not removed, in the order in which they were put in."""
        return list(self._jobs.values())

    def as_of(self, then: datetime, api: BatchApi) -> list[EmulatedJob]:
        """Return the jobs of an API as they were at a time, also those that were removed since."""
        gone = [job for removed, job in self._removed if removed > then]
        return [job.as_of(then) for job in (*gone, *self._jobs.values()) if job.api is api]
