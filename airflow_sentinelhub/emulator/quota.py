"""The account's processing units: what runs without them (sentinelhub-api.md, sections 5.4, 5.7 and 6.3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.lifecycle import stopped
from airflow_sentinelhub.emulator.refusals import HttpRefusal
from airflow_sentinelhub.emulator.settings import Settings
from airflow_sentinelhub.jobs import BatchApi, JobStatus, StopReason

LEAST = 1000.0
_NEEDS_UNITS = frozenset({"create", "analyse", "start"})
_PRECISELY = timedelta(milliseconds=1)


class Quota:
    """
    Keeps ``settings.processing_units`` up to date, and stops jobs when they are short.

    V1 is left out, since nothing is documented of it; so are jobs whose every step is laid down.

    :param settings: where the balance is.
    :param now: the service's time.
    """

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._settled = now

    def check(self, api: BatchApi, action: str) -> None:
        """Refuse if the account has too few processing units; the status of the refusal is a setting."""
        balance = self._settings.processing_units
        if balance is None or balance >= LEAST or api is BatchApi.PROCESS_V1 or action not in _NEEDS_UNITS:
            return
        raise HttpRefusal(
            self._settings.insufficient_units_status,
            f"The account has too few processing units: at least {LEAST:g} are needed.",
        )

    def settle(self, jobs: Iterable[EmulatedJob], now: datetime) -> None:
        """Charge what was processed since the last time; it must be called before anything else changes."""
        since, self._settled = self._settled, now
        balance = self._settings.processing_units
        if balance is None or now <= since:
            return
        spenders = [job for job in jobs if job.api is not BatchApi.PROCESS_V1 and not job.scripted]
        before = sum(job.cost(since) for job in spenders)

        def left(moment: datetime) -> float:
            return balance - (sum(job.cost(moment) for job in spenders) - before)

        if left(now) < LEAST:
            short = since
            if left(since) >= LEAST:
                reached = now
                while reached - short > _PRECISELY:
                    middle = short + (reached - short) / 2
                    short, reached = (short, middle) if left(middle) < LEAST else (middle, reached)
                short = reached
            _stop(spenders, short, now)
        self._settings.processing_units = round(left(now), 6)


def _stop(jobs: Iterable[EmulatedJob], short: datetime, now: datetime) -> None:
    """Stop what is being processed when the units are short, and what gets there later."""
    for job in jobs:
        moment = job.script.reaches(JobStatus.PROCESSING, short)
        if moment is not None and moment <= now:
            job.remember(moment)
            job.scenario_ahead = True
            job.live((stopped(job.api, StopReason.OUT_OF_PU),), moment)
