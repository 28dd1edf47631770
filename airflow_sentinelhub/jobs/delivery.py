"""Where the service leaves the files of a job in its user's bucket (sentinelhub-api.md, sections 5.5 and 6.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.jobs.api import BatchApi

_PLACEHOLDER = re.compile(r"<(\w+)>")


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    Where a job delivers.

    :param url: the URL of its request, which may be a template.
    :param is_zarr: whether it writes one Zarr store there, instead of files for each feature.
    """

    url: str
    is_zarr: bool = False


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """
    Which files are the results of a Batch Statistical job.

    :param folder: URL of the folder below which they are.
    :param names: what their path below that folder looks like, with groups ``ID`` and ``IDENTIFIER``.
    :param shared: whether other jobs may have left theirs among them, as the template does not name the job.
    """

    folder: str
    names: re.Pattern[str]
    shared: bool


def delivery_of(api: BatchApi, job_id: str, payload: Mapping[str, Any]) -> Delivery:
    """
    Find out where a job delivers.

    :param api: the job's API.
    :param job_id: its id.
    :param payload: all that the service says of it, with its request.
    :raises ResultsUnavailable: its request names no URL.
    """
    output = _mapping(_mapping(payload.get("request")).get("output"))
    places = _mapping(output.get("delivery")) if api is BatchApi.PROCESS else output
    for place in places.values():
        url = _mapping(place).get("url")
        if isinstance(url, str) and urlsplit(url).scheme:
            return Delivery(_without_userinfo(url), is_zarr=output.get("type") == "zarr")
    field = "request.output.delivery" if api is BatchApi.PROCESS else "request.output"
    kinds = ", ".join(sorted(map(str, places))) or "nothing"
    raise ResultsUnavailable(
        f"{api.display_name} job {job_id} does not say where it delivers: {field} holds {kinds}, and no URL of a "
        "bucket. What became of each feature is written there and nowhere else, so it cannot be told.",
        job_id=job_id,
        api=api.value,
    )


def delivery_folder(api: BatchApi, job_id: str, payload: Mapping[str, Any]) -> str | None:
    """
    Give the folder in a bucket below which a job leaves its files.

    :param api: the job's API.
    :param job_id: its id.
    :param payload: all that the service says of it, with its request.
    :return: its URL; ``None`` where the service does not say it (Batch Process v1 names only the bucket).
    """
    try:
        delivery = delivery_of(api, job_id, payload)
    except ResultsUnavailable:
        return None
    if api is BatchApi.STATISTICAL:
        return result_files(delivery, job_id).folder
    if delivery.is_zarr and _PLACEHOLDER.search(delivery.url) is None:
        return delivery.url.rstrip("/")
    return execution_databases(delivery, job_id)[0].rpartition("/")[0]


def execution_databases(delivery: Delivery, job_id: str) -> tuple[str, ...]:
    """
    Give the places where the execution database of a Batch Process job may be, the likeliest first.

    The documentation calls it the "root folder of the delivery path"; what that means was taken from Sentinel
    Hub's own reader (SH-S1-CARD4L-metadata-generator, ``path_template.py``). For Zarr, whose URL is the store
    itself, neither says anything, so the store is looked into as well.

    :param delivery: where the job delivers.
    :param job_id: its id.
    """
    url = delivery.url.rstrip("/")
    plain = _PLACEHOLDER.search(url) is None
    folders = [_root(f"{url}/{job_id}" if plain else url.replace("<requestId>", job_id))]
    if delivery.is_zarr and plain:
        folders.append(url)
    return tuple(f"{folder}/execution-{job_id}.sqlite" for folder in folders)


def result_files(delivery: Delivery, job_id: str) -> ResultFiles:
    """
    Tell which files are the results of a Batch Statistical job.

    :param delivery: where the job delivers.
    :param job_id: its id.
    """
    template = delivery.url.rstrip("/")
    if _PLACEHOLDER.search(template) is None:
        template = f"{template}/<REQUEST_ID>/<ID>.json"
    shared = "<REQUEST_ID>" not in template
    template = template.replace("<REQUEST_ID>", job_id)
    folder = _root(template)
    return ResultFiles(folder, _pattern(template[len(folder) :].lstrip("/")), shared)


def _root(template: str) -> str:
    """Cut everything from the first segment on that still holds a placeholder."""
    found = _PLACEHOLDER.search(template)
    return template if found is None else template[: found.start()].rpartition("/")[0]


def _pattern(template: str) -> re.Pattern[str]:
    pattern, seen = "", set()
    for position, part in enumerate(_PLACEHOLDER.split(template)):
        if position % 2 == 0:
            pattern += re.escape(part)
        elif part in seen:
            pattern += f"(?P={part})"
        else:
            seen.add(part)
            # An id is a number; an identifier is text, which may hold a slash.
            pattern += f"(?P<{part}>{r'-?[0-9]+' if part == 'ID' else '.+'})"
    return re.compile(pattern)


def _without_userinfo(url: str) -> str:
    # Airflow would take it for the id of a connection, and it has no business in a message.
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
