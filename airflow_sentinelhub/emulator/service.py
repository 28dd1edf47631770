"""The emulated service without its HTTP: jobs, clock, switches."""

from __future__ import annotations

import logging
import threading
import time as _time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from airflow_sentinelhub.emulator import request_validation
from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.faults import FaultSwitches
from airflow_sentinelhub.emulator.job_store import JobStore
from airflow_sentinelhub.emulator.lifecycle import ON_THE_WAY
from airflow_sentinelhub.emulator.oauth import Tokens
from airflow_sentinelhub.emulator.object_store import ObjectStore, Writer
from airflow_sentinelhub.emulator.quota import Quota
from airflow_sentinelhub.emulator.rate_limit import RateLimit
from airflow_sentinelhub.emulator.refusals import HttpRefusal
from airflow_sentinelhub.emulator.request_log import RequestLog
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.seeding import place, place_foreign
from airflow_sentinelhub.emulator.serializers import JobPayload, light_status, payload, request_payload
from airflow_sentinelhub.emulator.service_clock import ServiceClock
from airflow_sentinelhub.emulator.settings import Settings
from airflow_sentinelhub.emulator.tile_states import tiles
from airflow_sentinelhub.emulator.transitions import perform
from airflow_sentinelhub.jobs import BatchApi, JobStatus, UserAction

_logger = logging.getLogger(__name__)
T = TypeVar("T")


class Service:
    """
    Sentinel Hub's batch APIs, as far as a client can tell.

    Nothing runs in the background: what a job says is worked out from the clock when it is asked for. A caller of
    from several threads holds :attr:`lock`.

    :param clock: the clock on which jobs live.
    :param settings: switches. Default: the defaults.
    :param real_time: source of real seconds, for the life of tokens and the rate limit.
    :param write: takes URL and content of each file that a job leaves in a bucket. Default: none is written.
    """

    def __init__(
        self,
        clock: ServiceClock | None = None,
        settings: Mapping[str, Any] | None = None,
        real_time: Callable[[], float] = _time.monotonic,
        write: Writer | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.clock = clock or ServiceClock()
        self._speed = self.clock.speed
        self._initial = dict(settings or {})
        self._real_time = real_time
        self._write = write
        self.reset()

    def reset(self) -> None:
        """Forget everything and turn every switch back; the clock keeps its time but gets its first speed."""
        self.settings = Settings()
        self.settings.update(self._initial)
        self.account = Quota(self.settings, self.clock.now())
        self.rate_limit = RateLimit(self._real_time)
        self.tokens = Tokens(self._real_time)
        self.faults = FaultSwitches()
        self.traffic = RequestLog()
        self.buckets = ObjectStore(self._write)
        self.default_scenario = Scenario()
        self.clock.speed = self._speed
        self.jobs = JobStore()
        self._next_scenarios: list[tuple[BatchApi | None, Scenario]] = []

    def now(self) -> datetime:
        """Return the service's time, with the account settled up to it."""
        now = self.clock.now()
        jobs = self.jobs.all()
        if self.settings.processing_units is not None:
            jobs = [job for job, _ in self._each(jobs, lambda job: job.cost(now))]
        self.account.settle(jobs, now)
        return now

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Change settings, see :meth:`Settings.update`."""
        self.now()
        self.settings.update(changes)

    def create(self, api: BatchApi, body: Mapping[str, Any]) -> JobPayload:
        """
        Create a job from a user's request.

        :raises HttpRefusal: 400 if the request is no good, otherwise if the account has too few processing units.
        """
        request, now = request_validation.accept(api, body, self.buckets.schemes), self.now()
        try:
            self.buckets.check(api, request)
        except ValueError as error:
            raise HttpRefusal(400, f"{error}.") from None
        self.account.check(api, "create")
        job = self.jobs.make(api, request, self._scenario_for(api), now)
        shown = payload(job, now, self.settings)
        self.jobs.keep(job)
        return shown

    def add(self, api: BatchApi, scenario: Scenario, **given: Any) -> str:
        """
        Put a job into the service without asking it, see :func:`~.placing.place`.

        :raises ValueError: if that makes no sense.
        """
        self.buckets.check(api, given.get("request") or {})
        return place(self.jobs, self.now(), api, scenario, **given).id

    def add_foreign(
        self, api: BatchApi, count: int, *, status: str = JobStatus.DONE, age: float = 0.0, every: float = 0.0
    ) -> list[str]:
        """
        Put other people's jobs into the service.

        :raises ValueError: for a negative count.
        """
        placed = place_foreign(self.jobs, self.now(), api, count, status=status, age=age, every=every)
        return [job.id for job in placed]

    def find(self, api: BatchApi, job_id: str) -> EmulatedJob:
        """Return a job, or refuse with 404 if the service does not show it: not yet, no longer, or not at all."""
        job, now = self.jobs.get(job_id), self.now()
        if job is None or job.api is not api or not self._visible(job, now):
            raise HttpRefusal(404, f"Request {job_id} not found.")
        self.buckets.deliver(job, now)
        return job

    def get(self, api: BatchApi, job_id: str) -> JobPayload:
        """Return the whole job."""
        return payload(self.find(api, job_id), self.clock.now(), self.settings)

    def status(self, api: BatchApi, job_id: str) -> JobPayload:
        """Return the light status."""
        return light_status(self.find(api, job_id), self.clock.now(), self.settings)

    def raw(self, *jobs: EmulatedJob) -> list[JobPayload]:
        """Jobs as the service would show them, even while it hides them."""
        return [shown for _, shown in self.shown(jobs)]

    def shown(self, jobs: Iterable[EmulatedJob]) -> list[tuple[EmulatedJob, JobPayload]]:
        """Return the same, each with its job."""
        now = self.now()

        def payload_of(job: EmulatedJob) -> JobPayload:
            self.buckets.deliver(job, now)
            return payload(job, now, self.settings)

        return self._each(jobs, payload_of)

    def in_order(self, api: BatchApi, sort: str, descending: bool) -> list[EmulatedJob]:
        """Return all jobs of an API in order; equals in the order of their creation."""
        then = self._list_time(self.now())

        def order(job: EmulatedJob) -> tuple[Any, ...] | None:
            if not self._visible(job, then):
                return None
            made = (job.created, job.number)
            return made if sort == "created" else (job.at(then).status, *made)

        ordered = [(key, job) for job, key in self._each(self.jobs.as_of(then, api), order) if key is not None]
        ordered.sort(key=lambda each: each[0], reverse=descending)
        return [job for _, job in ordered]

    def listed(self, job: EmulatedJob) -> JobPayload:
        """Return a job of :meth:`in_order` as the list shows it."""
        return payload(job, self._list_time(self.clock.now()), self.settings)

    def page(self, jobs: Iterable[EmulatedJob]) -> list[JobPayload]:
        """Jobs of :meth:`in_order` as the list shows them."""
        return [shown for _, shown in self._each(jobs, self.listed)]

    def page_sent(self, api: BatchApi) -> None:
        """Add other people's jobs, if a page of a list makes them appear."""
        self.add_foreign(api, self.settings.foreign_jobs_per_page)

    def act(self, api: BatchApi, job_id: str, action: str) -> None:
        """
        Do what a user asks.

        :raises HttpRefusal: 404 for an unknown job, 400 if the job's state does not allow it, or as the settings
            say if the account has too few processing units.
        """
        job = self.find(api, job_id)
        self.account.check(api, action)
        perform(action, job, self.clock.now(), self.settings)

    def describe(self, api: BatchApi, job_id: str, body: Mapping[str, Any]) -> JobPayload:
        """
        Change the description of a job.

        :return: the request, not the job.
        :raises HttpRefusal: 400 for a description that is no text, 409 while it is being processed or waits for
            that.
        """
        job, now = self.find(api, job_id), self.clock.now()
        if _busy(job, now):
            raise HttpRefusal(409, f"Request {job_id} is being processed or waits for it, and cannot be updated.")
        if (description := request_validation.description(body)) is not None:
            job.remember(now)
            job.request = {**job.request, "description": description}
        return payload(job, now, self.settings) if api is BatchApi.PROCESS_V1 else request_payload(job)

    def delete(self, api: BatchApi, job_id: str) -> None:
        """Delete a job, or refuse with 409 while it is analysed or processed, or once a tile is processed."""
        job, now = self.find(api, job_id), self.clock.now()
        processed = any(tile["status"] == "PROCESSED" for tile in tiles(job, now))
        if processed or _busy(job, now) or job.at(now).status == JobStatus.ANALYSING:
            raise HttpRefusal(409, f"Request {job_id} is in use or has processed tiles, and cannot be deleted.")
        self.remove(job_id)

    def remove(self, job_id: str) -> None:
        """Make a job vanish: 404 from now on."""
        self.jobs.remove(job_id, self.now())

    def tiles(self, job_id: str) -> list[JobPayload]:
        """Return the tiles of a V1 job."""
        job, now = self.find(BatchApi.PROCESS_V1, job_id), self.clock.now()
        scripted = () if job.at(now).step.tiles is None else ("status",)
        return [JobPayload(tile, scripted) for tile in tiles(job, now)]

    def next_scenario(self, scenario: Scenario, api: BatchApi | None) -> None:
        """Keep a scenario for the next job that is created (in that API); they are used in order."""
        self._next_scenarios.append((api, scenario))

    def _each(
        self, jobs: Iterable[EmulatedJob], payload_of: Callable[[EmulatedJob], T]
    ) -> list[tuple[EmulatedJob, T]]:
        """
        Return what each job gives.

        A job that cannot be looked at is a mistake of the emulator. It is removed, as it would spoil every list to
        come, and logged.
        """
        found = []
        for job in jobs:
            try:
                found.append((job, payload_of(job)))
            except Exception:
                self.jobs.discard(job)
                _logger.exception(
                    "The emulator cannot show job %s, and has removed it. Please report this", job.id
                )
        return found

    def _scenario_for(self, api: BatchApi) -> Scenario:
        for position, (wanted, scenario) in enumerate(self._next_scenarios):
            if wanted in (None, api):
                del self._next_scenarios[position]
                return scenario
        return self.default_scenario

    def _list_time(self, now: datetime) -> datetime:
        return now - timedelta(seconds=self.settings.list_lag_seconds)

    def _visible(self, job: EmulatedJob, now: datetime) -> bool:
        return job.visible(now, self.settings.not_found_seconds, self.settings.retention)


def _busy(job: EmulatedJob, now: datetime) -> bool:
    status = job.at(now).status
    started = job.action_at(now) == UserAction.START
    return status == JobStatus.PROCESSING or (started and status in ON_THE_WAY)
