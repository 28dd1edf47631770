"""One look at many jobs, by who may block: the list where it pays, and a request for each of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs import BatchJob
from airflow_sentinelhub.watching.look import ListReader, Look, look_at
from airflow_sentinelhub.watching.weather import Weather, is_weather


def look_at_many(
    reader: ListReader, job_ids: Sequence[str], *, certain: Sequence[str] = (), budget: float | None = 0
) -> dict[str, Look]:
    """
    Ask for jobs.

    The list is read while it tells of them, and in vain no further than a tenth of them. When the service turns
    out to be away, nobody is asked for any more: what is left is in the same trouble.

    :param reader: the client.
    :param job_ids: the jobs, each once.
    :param certain: those among them for which a list will not do, since it may lag.
    :param budget: the seconds in which the client may begin to ask again; ``None``: its own default.
    :return: a look at each.
    """
    looks: dict[str, Look] = {}
    wanted = {job_id.lower(): job_id for job_id in job_ids if job_id not in set(certain)}
    weather = Weather(lambda: 1.0)
    if len(wanted) > 1:
        try:
            for job in _from_the_list(reader, wanted, budget):
                looks[wanted.pop(job.id.lower())] = job
        except SentinelHubError as error:
            if is_weather(error) and weather.failed("the list", error, 1):
                return looks | dict.fromkeys((job_id for job_id in job_ids if job_id not in looks), error)
    for job_id in job_ids:
        if job_id in looks:
            continue
        look = looks[job_id] = look_at(reader, job_id, budget=budget)
        if not isinstance(look, SentinelHubError) or not is_weather(look):
            weather.answered()
        elif weather.failed(job_id, look, len(job_ids)):
            return looks | dict.fromkeys((job_id for job_id in job_ids if job_id not in looks), look)
    return looks


def _from_the_list(reader: ListReader, wanted: dict[str, str], budget: float | None) -> Iterator[BatchJob]:
    """Read the list while it pays; who calls takes out of ``wanted`` what is found."""
    in_vain, allowed = 0, max(1, len(wanted) // 10)
    for page in reader.list(budget=budget):
        found = [_read(reader, payload) for payload in page if _id(payload) in wanted]
        yield from {job.id.lower(): job for job in found}.values()
        # A page that tells of one job costs what asking for that one does.
        in_vain += len(found) <= 1
        if len(wanted) <= 1 or in_vain >= allowed:
            return


def _read(reader: ListReader, payload: dict[str, Any]) -> BatchJob:
    return BatchJob.from_payload(reader.api, payload)


def _id(payload: dict[str, Any]) -> str:
    job_id = payload.get("id")
    return job_id.lower() if isinstance(job_id, str) else ""
