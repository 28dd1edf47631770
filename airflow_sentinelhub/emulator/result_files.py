"""The files that a job leaves in its user's bucket (sentinelhub-api.md, sections 5.5, 5.6 and 6.4)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.features import NO_DATA, USUAL_ERROR, USUAL_TYPE, Feature, are_written, features
from airflow_sentinelhub.jobs import BatchApi

_INTERVALS = (
    {"from": "2019-04-01T00:00:00Z", "to": "2019-05-01T00:00:00Z"},
    {"from": "2019-05-01T00:00:00Z", "to": "2019-05-31T00:00:00Z"},
    {"from": "2019-05-31T00:00:00Z", "to": "2019-06-30T00:00:00Z"},
)
_STATISTICS = {"min": 0.1, "max": 0.9, "mean": 0.5, "stDev": 0.2, "sampleCount": 1024, "noDataCount": 0}


def files(job: EmulatedJob, now: datetime) -> Iterator[tuple[str, bytes]]:
    """URL and content of each file that the service has written by now."""
    url = delivery_url(job.api, job.request)
    if url is None or not are_written(job, now):
        return
    known = features(job, now)
    if job.api is BatchApi.PROCESS:
        yield f"{_process_root(url, job.id)}/execution-{job.id}.sqlite", _execution_database(known)
    elif job.api is BatchApi.STATISTICAL:
        for feature in known:
            if feature.settled:
                yield _statistics_url(url, job.id, feature), json.dumps(_statistics(feature)).encode()


def delivery_url(api: BatchApi, request: Mapping[str, Any]) -> str | None:
    """Return where a job of this request delivers, if anywhere."""
    match api, request:
        case BatchApi.PROCESS, {"output": {"delivery": {"s3": {"url": str(url)}} | {"gs": {"url": str(url)}}}}:
            return url
        case BatchApi.STATISTICAL, {"output": {"s3": {"url": str(url)}} | {"gs": {"url": str(url)}}}:
            return url
    return None


def _process_root(url: str, job_id: str) -> str:
    """Return the root of the delivery path: what is above the first folder or name that differs by feature."""
    if "<" not in url:
        return f"{url.rstrip('/')}/{job_id}"
    segments = url.rstrip("/").replace("<requestId>", job_id).split("/")
    varying = [position for position, segment in enumerate(segments) if "<" in segment]
    return "/".join(segments[: varying[0]] if varying else segments)


def _statistics_url(url: str, job_id: str, feature: Feature) -> str:
    if "<" not in url:
        return f"{url.rstrip('/')}/{job_id}/{feature.number}.json"
    values = {"<REQUEST_ID>": job_id, "<ID>": str(feature.number), "<IDENTIFIER>": feature.name}
    for placeholder, value in values.items():
        url = url.replace(placeholder, value)
    return url


def _execution_database(known: Sequence[Feature]) -> bytes:
    import sqlite3  # here, as it is needed only where results are written

    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(
            "CREATE TABLE features (id INTEGER PRIMARY KEY, name TEXT, status TEXT, error TEXT, delivered BOOLEAN)"
        )
        database.executemany("INSERT INTO features VALUES (?, ?, ?, ?, ?)", map(_row, known))
        database.commit()
        return database.serialize()


def _row(feature: Feature) -> tuple[int, str, str, str | None, bool]:
    status = "FATAL" if feature.failed else "DONE" if feature.settled else "PENDING"
    error = feature.error or (USUAL_ERROR if feature.failed else None)
    return feature.number, feature.name, status, error, status == "DONE" and error != NO_DATA


def _statistics(feature: Feature) -> dict[str, Any]:
    known: dict[str, Any] = {"id": feature.number, "identifier": feature.name}
    if feature.failed:
        return known | {"error": {"type": feature.error or USUAL_TYPE}}
    if feature.error == NO_DATA:
        return known | {"response": {"data": [], "status": "OK"}}
    data: list[dict[str, Any]] = [
        {"interval": interval, "outputs": {"ndvi": {"bands": {"B0": {"stats": _STATISTICS}}}}}
        for interval in _INTERVALS
    ]
    if feature.partial:
        data[0] = {"interval": _INTERVALS[0], "error": {"type": USUAL_TYPE}}
    return known | {"response": {"data": data, "status": "PARTIAL" if feature.partial else "OK"}}
