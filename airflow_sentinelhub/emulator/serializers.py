"""A job as each of the three APIs shows it (sentinelhub-api.md, sections 4.2, 5.2 and 6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.service_clock import wire
from airflow_sentinelhub.emulator.settings import Settings
from airflow_sentinelhub.emulator.tile_states import tile_count
from airflow_sentinelhub.jobs import BatchApi, JobStatus

DOMAIN_ACCOUNT_ID = "e1e5c2a0-4d5b-4f7e-9c1e-0f6b7f1d2a10"
PROJECT_ID = "e1e5c2a0-4d5b-4f7e-9c1e-0f6b7f1d2a11"
WORKSPACE_ID = "e1e5c2a0-4d5b-4f7e-9c1e-0f6b7f1d2a12"

_NOT_IN_STATUS = frozenset(
    {"request", "userAction", "userActionUpdated", "domainAccountId", "projectId", "workspaceId"}
)
_TILE_PIXELS = 334
_USUAL = Settings()
EVERYTHING = "*"


class JobPayload(dict[str, Any]):
    """
    A job, or part of it, as JSON.

    :param scripted: fields whose content a test chose, so that it may be anything, or :data:`EVERYTHING`.
    """

    def __init__(self, fields: Mapping[str, Any], scripted: Iterable[str] = ()) -> None:
        super().__init__(fields)
        self.scripted = frozenset(scripted)


def payload(job: EmulatedJob, now: datetime, settings: Settings) -> JobPayload:
    """Return the whole job. Optional fields without a value are left out, not null."""
    step = job.at(now).step
    shown = _v1(job, now) if job.api is BatchApi.PROCESS_V1 else _task(job, now, settings)
    shown |= step.fields
    for name in (*step.remove, *settings.hidden_fields):
        shown.pop(name, None)
    scripted = job.scripted_fields | step.scripted
    key = settings.cost_key(job.api)
    if key is not None and key != _USUAL.cost_key(job.api):
        scripted |= {key}
    return JobPayload(shown, scripted)


def request_payload(job: EmulatedJob) -> JobPayload:
    """Return what the job was created from."""
    return JobPayload(job.request, [EVERYTHING] if "request" in job.scripted_fields else ())


def light_status(job: EmulatedJob, now: datetime, settings: Settings) -> JobPayload:
    """Return the answer of ``/status``: without the request, and without ``userAction``."""
    whole = payload(job, now, settings)
    return JobPayload({name: whole[name] for name in whole if name not in _NOT_IN_STATUS}, whole.scripted)


def _task(job: EmulatedJob, now: datetime, settings: Settings) -> dict[str, Any]:
    moment = job.at(now)
    shown: dict[str, Any] = {
        "id": job.id,
        "request": job.request,
        "domainAccountId": DOMAIN_ACCOUNT_ID,
        "projectId": PROJECT_ID,
        "workspaceId": WORKSPACE_ID,
        "status": moment.status,
        **_user_action(job),
        "created": wire(job.created),
        "completionPercentage": moment.percentage,
    }
    if moment.status != JobStatus.CREATED:
        shown["lastUpdated"] = wire(moment.updated)
    if key := settings.cost_key(job.api):
        shown[key] = round(job.cost(now), 6)
    return shown


def _v1(job: EmulatedJob, now: datetime) -> dict[str, Any]:
    moment = job.at(now)
    shown: dict[str, Any] = {
        **job.request,
        "id": job.id,
        "accountId": PROJECT_ID,
        "created": wire(job.created),
        "tileCount": tile_count(job, now),
        "tileWidthPx": _TILE_PIXELS,
        "tileHeightPx": _TILE_PIXELS,
        **_user_action(job),
        "status": moment.status,
    }
    if job.analysed(now):
        shown["valueEstimate"] = job.scenario.cost if moment.step.cost is None else moment.step.cost
    return shown


def _user_action(job: EmulatedJob) -> dict[str, str]:
    shown = {"userAction": str(job.user_action)}
    if job.user_action_updated is not None:
        shown["userActionUpdated"] = wire(job.user_action_updated)
    return shown
