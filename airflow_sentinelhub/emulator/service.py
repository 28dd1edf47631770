"""The emulated service without its HTTP: jobs, clock, switches."""

from __future__ import annotations

import threading
import time as _time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow_sentinelhub.emulator import bodies
from airflow_sentinelhub.emulator.actions import perform
from airflow_sentinelhub.emulator.clock import ServiceClock
from airflow_sentinelhub.emulator.errors import ServiceError
from airflow_sentinelhub.emulator.fates import ENDS, Fate
from airflow_sentinelhub.emulator.faults import FaultSwitches
from airflow_sentinelhub.emulator.job import Job
from airflow_sentinelhub.emulator.life import whole_life
from airflow_sentinelhub.emulator.payloads import light_status, payload
from airflow_sentinelhub.emulator.samples import sample_request
from airflow_sentinelhub.emulator.settings import Settings
from airflow_sentinelhub.emulator.steps import Script
from airflow_sentinelhub.emulator.tiles import tiles
from airflow_sentinelhub.emulator.tokens import Tokens
from airflow_sentinelhub.emulator.traffic import Traffic
from airflow_sentinelhub.jobs import BatchApi, JobStatus, StopReason, UserAction

_ON_THE_WAY = (JobStatus.CREATED, JobStatus.ANALYSING, JobStatus.ANALYSIS_DONE, JobStatus.PROCESSING)


class Service:
    """
    Sentinel Hub's batch APIs, as far as a client can tell.

    Nothing runs in the background: what a job says is worked out from the clock when somebody asks. Whoever calls
    from several threads holds :attr:`lock`.

    :param clock: the clock on which jobs live.
    :param settings: switches. Default: the defaults.
    :param token_time: source of real seconds for the life of tokens.
    """

    def __init__(
        self,
        clock: ServiceClock | None = None,
        settings: Mapping[str, Any] | None = None,
        token_time: Callable[[], float] = _time.monotonic,
    ) -> None:
        self.lock = threading.RLock()
        self.clock = clock or ServiceClock()
        self._speed = self.clock.speed
        self._initial = dict(settings or {})
        self._token_time = token_time
        self.reset()

    def reset(self) -> None:
        """Forget everything and turn every switch back; the clock keeps its time but gets its first speed."""
        self.settings = Settings()
        self.settings.update(self._initial)
        self.tokens = Tokens(self._token_time)
        self.faults = FaultSwitches()
        self.traffic = Traffic()
        self.default_fate = Fate()
        self.clock.speed = self._speed
        self._jobs: dict[str, Job] = {}
        self._created = 0
        self._next_fates: list[tuple[BatchApi | None, Fate]] = []

    def create(self, api: BatchApi, body: Mapping[str, Any]) -> dict[str, Any]:
        """
        Create a job from a user's request.

        :raises ServiceError: 400 if the request is no good.
        """
        request = bodies.accept(api, body)
        return self._show(self._keep(api, request, self._fate_for(api), self.clock.now()))

    def add(
        self,
        api: BatchApi,
        fate: Fate,
        *,
        status: str | None = None,
        user_action: UserAction | None = None,
        request: Mapping[str, Any] | None = None,
        description: str | None = None,
        job_id: str | None = None,
        age: float = 0.0,
    ) -> str:
        """
        Put a job into the service without asking it, see :meth:`Control.add_job`.

        :raises ValueError: for an id that exists, or both a status and steps.
        """
        if job_id in self._jobs:
            raise ValueError(f"There is a job {job_id} already")
        if fate.steps and status is not None:
            raise ValueError('Either "status" or "steps", not both: the first step has a status')
        over = status is not None and status not in _ON_THE_WAY
        if over and fate.end is None and status in ENDS:
            fate = replace(fate, end=status)
        now = self.clock.now()
        asked = bodies.masked(dict(request or sample_request(api)))
        if description is not None:
            (asked if api is not BatchApi.STATISTICAL else {})["description"] = description
        job = self._keep(api, asked, fate, now - timedelta(seconds=age), job_id)
        action = user_action or _usual_action(fate, status)
        if action is not UserAction.NONE:
            job.act(action, now)
        job.fate_ahead = over and fate.end != status
        steps = fate.steps or whole_life(api, fate, action, status or JobStatus.CREATED)
        job.script = Script(steps, now, fate.completion(api) if over else 0.0)
        if over and not fate.fails_in_analysis:
            job.reached = frozenset({JobStatus.PROCESSING})
        return job.id

    def find(self, api: BatchApi, job_id: str) -> Job:
        """:raises ServiceError: 404 if the service does not know it: not yet, no longer, or not at all."""
        job = self._jobs.get(job_id)
        if job is None or job.api is not api or not self._visible(job, self.clock.now()):
            raise ServiceError(404, f"Request {job_id} not found.")
        return job

    def any_job(self, job_id: str) -> Job:
        """:raises KeyError: if there never was such a job."""
        return self._jobs[job_id]

    def all_jobs(self) -> list[Job]:
        """Every job that was ever made, oldest first."""
        return list(self._jobs.values())

    def get(self, api: BatchApi, job_id: str) -> dict[str, Any]:
        """The whole job."""
        return self._show(self.find(api, job_id))

    def status(self, api: BatchApi, job_id: str) -> dict[str, Any]:
        """The light status."""
        return light_status(self.find(api, job_id), self.clock.now(), self.settings)

    def raw(self, job_id: str) -> dict[str, Any]:
        """A job as the service would show it, even while it hides it."""
        return self._show(self._jobs[job_id])

    def in_order(self, api: BatchApi, sort: str, descending: bool) -> list[dict[str, Any]]:
        """All jobs of an API in order; equals in the order of their creation."""
        now = self.clock.now()
        jobs = [job for job in self._jobs.values() if job.api is api and self._visible(job, now)]

        def order(job: Job) -> tuple[Any, ...]:
            made = (job.created, job.number)
            return made if sort == "created" else (job.at(now).status, *made)

        return [payload(job, now, self.settings) for job in sorted(jobs, key=order, reverse=descending)]

    def act(self, api: BatchApi, job_id: str, action: str) -> None:
        """:raises ServiceError: 404 for an unknown job, 400 if the job's state does not allow it."""
        perform(action, self.find(api, job_id), self.clock.now(), self.settings)

    def describe(self, api: BatchApi, job_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """
        Change the description of a job.

        :return: the request, not the job.
        :raises ServiceError: 409 while it is being processed or waits for that.
        """
        job, now = self.find(api, job_id), self.clock.now()
        if _busy(job, now):
            raise ServiceError(409, f"Request {job_id} is being processed or waits for it, and cannot be updated.")
        if isinstance(body.get("description"), str):
            job.request["description"] = body["description"]
        return self._show(job) if api is BatchApi.PROCESS_V1 else job.request

    def delete(self, api: BatchApi, job_id: str) -> None:
        """:raises ServiceError: 409 while it is analysed or processed, or once a tile is processed."""
        job, now = self.find(api, job_id), self.clock.now()
        processed = any(tile["status"] == "PROCESSED" for tile in tiles(job, now))
        if processed or _busy(job, now) or job.at(now).status == JobStatus.ANALYSING:
            raise ServiceError(409, f"Request {job_id} is in use or has processed tiles, and cannot be deleted.")
        self.remove(job_id)

    def remove(self, job_id: str) -> None:
        """Make a job vanish: 404 from now on."""
        del self._jobs[job_id]

    def tiles(self, job_id: str) -> list[dict[str, Any]]:
        """The tiles of a V1 job."""
        return tiles(self.find(BatchApi.PROCESS_V1, job_id), self.clock.now())

    def next_fate(self, fate: Fate, api: BatchApi | None) -> None:
        """Keep a fate for the next job that is created (in that API); they are used in order."""
        self._next_fates.append((api, fate))

    def _fate_for(self, api: BatchApi) -> Fate:
        for position, (wanted, fate) in enumerate(self._next_fates):
            if wanted in (None, api):
                del self._next_fates[position]
                return fate
        return self.default_fate

    def _keep(
        self, api: BatchApi, request: dict[str, Any], fate: Fate, created: datetime, job_id: str | None = None
    ) -> Job:
        self._created += 1
        job = Job(
            id=job_id or str(uuid.uuid4()),
            api=api,
            number=self._created,
            created=created,
            request=request,
            fate=fate,
            script=Script(fate.steps or whole_life(api, fate, UserAction.NONE), created),
            scripted=bool(fate.steps),
        )
        self._jobs[job.id] = job
        return job

    def _show(self, job: Job) -> dict[str, Any]:
        return payload(job, self.clock.now(), self.settings)

    def _visible(self, job: Job, now: datetime) -> bool:
        return job.visible(now, self.settings.not_found_seconds, self.settings.retention)


def _busy(job: Job, now: datetime) -> bool:
    status = job.at(now).status
    started = job.action_at(now) == UserAction.START
    return status == JobStatus.PROCESSING or (started and status in _ON_THE_WAY)


def _usual_action(fate: Fate, status: str | None) -> UserAction:
    """What the user of a job in this state is likely to have done."""
    match status:
        case JobStatus.CREATED:
            return UserAction.NONE
        case JobStatus.ANALYSING | JobStatus.ANALYSIS_DONE:
            return UserAction.ANALYSE
        case JobStatus.CANCELED:
            return UserAction.CANCEL
        case JobStatus.STOPPED if fate.stopped_reason == StopReason.USER_ACTION:
            return UserAction.STOP
    return UserAction.START
