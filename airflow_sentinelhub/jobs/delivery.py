"""Delivery of a job: where its files are in its user's bucket (sentinelhub-api.md, sections 5.5 and 6.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.plain_text import one_line
from airflow_sentinelhub.jobs.redaction import REDACT

LONGEST_URL = 2048
"""Characters of a URL that are read; S3 allows 1,024 for the key of an object."""

_MOST_PLACEHOLDERS = 3
# An id is a number; an identifier is text, which may hold a slash.
_LOOKS = {"ID": "-?[0-9]{1,20}", "IDENTIFIER": ".{1,1024}"}

_PLACEHOLDER = re.compile(r"<(\w{1,64})>")


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    Delivery of a job.

    :param url: the URL of its request, which may be a template.
    :param is_zarr: whether it writes one Zarr store there, instead of files for each feature.
    """

    url: str
    is_zarr: bool = False


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """
    Result files of a Batch Statistical job.

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
    :raises ResultsUnavailable: its request names no URL that can be read.
    """
    output, places = _output_and_places(api, payload)
    found = _delivery(output, places)
    if found is not None:
        return found
    field = "request.output.delivery" if api is BatchApi.PROCESS else "request.output"
    kinds = REDACT.line(", ".join(sorted(one_line(str(name), 100) for name in islice(places, 10)))) or "nothing"
    raise ResultsUnavailable(
        f"{api.display_name} job {job_id} does not say where it delivers: {field} holds {kinds}, and no URL of a "
        "bucket. What became of each feature is written there and nowhere else, so it cannot be told.",
        job_id=job_id,
        api=api.value,
    )


def delivery_folder(api: BatchApi, job_id: str, payload: Mapping[str, Any]) -> str | None:
    """
    Return the folder in a bucket below which a job leaves its files.

    :param api: the job's API.
    :param job_id: its id.
    :param payload: all that the service says of it, with its request.
    :return: its URL; ``None`` where the service does not say it (Batch Process v1 names only the bucket).
    """
    # Most jobs of a list come without their request, so this takes no detour over an exception and its message.
    delivery = _delivery(*_output_and_places(api, payload))
    if delivery is None:
        return None
    if api is BatchApi.STATISTICAL:
        folder = _root(_template(delivery).replace("<REQUEST_ID>", job_id))
    elif delivery.is_zarr and _PLACEHOLDER.search(delivery.url) is None:
        folder = delivery.url.rstrip("/")
    else:
        folder = execution_databases(delivery, job_id)[0].rpartition("/")[0]
    # It is shown, and goes to XCom.
    return _readable(REDACT(folder))


def execution_databases(delivery: Delivery, job_id: str) -> tuple[str, ...]:
    """
    Return the places where the execution database of a Batch Process job may be, the likeliest first.

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
    Return which files are the results of a Batch Statistical job.

    :param delivery: where the job delivers.
    :param job_id: its id.
    :raises ResultsUnavailable: the template of its URL has placeholders that this version does not know.
    """
    template = _template(delivery)
    shared = "<REQUEST_ID>" not in template
    template = template.replace("<REQUEST_ID>", job_id)
    folder = _root(template)
    return ResultFiles(folder, _pattern(template[len(folder) :].lstrip("/"), job_id), shared)


def _output_and_places(api: BatchApi, payload: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the output of a job's request, and what in it may hold a URL."""
    output = _mapping(_mapping(payload.get("request")).get("output"))
    return output, _mapping(output.get("delivery")) if api is BatchApi.PROCESS else output


def _delivery(output: Mapping[str, Any], places: Mapping[str, Any]) -> Delivery | None:
    for place in places.values():
        url = _readable(_mapping(place).get("url"))
        if url is not None:
            return Delivery(url, is_zarr=output.get("type") == "zarr")
    return None


def _template(delivery: Delivery) -> str:
    url = delivery.url.rstrip("/")
    return f"{url}/<REQUEST_ID>/<ID>.json" if _PLACEHOLDER.search(url) is None else url


def _root(template: str) -> str:
    """Cut everything from the first segment on that still holds a placeholder."""
    found = _PLACEHOLDER.search(template)
    return template if found is None else template[: found.start()].rpartition("/")[0]


def _pattern(template: str, job_id: str) -> re.Pattern[str]:
    pattern = ""
    groups: dict[str, str] = {}
    for position, part in enumerate(_PLACEHOLDER.split(template)):
        if position % 2 == 0:
            pattern += re.escape(part)
        elif part in groups:
            pattern += f"(?P={groups[part]})"
        else:
            # A placeholder of another version may have a name that is none for a group.
            groups[part] = name = part if part in _LOOKS else f"OTHER{position}"
            pattern += f"(?P<{name}>{_LOOKS.get(part, '[^/]{1,256}')})"
    if len(groups) > _MOST_PLACEHOLDERS:
        raise ResultsUnavailable(
            f"Job {job_id} delivers where this version of the provider cannot read it: the template of its URL "
            f"has {len(groups)} different placeholders, and Batch Statistical knows <REQUEST_ID>, <ID> and "
            "<IDENTIFIER>. What became of each feature is written there and nowhere else, so it cannot be told.",
            job_id=job_id,
        )
    return re.compile(pattern)


def _readable(url: object) -> str | None:
    """
    Return a URL without user and password; ``None`` if it is none.

    Airflow would take the user for the id of a connection, and they have no business in a message.
    """
    if not isinstance(url, str) or len(url) > LONGEST_URL or not url.isprintable() or "\ufffd" in url:
        return None
    try:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.scheme else None
    except ValueError:  # such as "s3://[bucket/x"
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
