"""
The mark of a task that travels with the job which it creates, so that the job can be found again.

The service takes no idempotency key. What comes back with every job, in lists too, is its request: Batch Process
shows the description at ``request.description``, v1 at ``description``. Batch Statistical has no description, but
its evalscript comes back as it was sent, so there the tag is the evalscript's last line, a comment.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from airflow_sentinelhub.exceptions import InvalidRequest
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.coordinates import is_coordinates
from airflow_sentinelhub.jobs.redaction import is_secret_name

LONGEST_EVALSCRIPT = 32 * 1024
"""Bytes of an evalscript in a statistical request (section 6.2). Descriptions have no documented limit."""

_READABLE = ":+.~@/"  # what quote() leaves alone, besides letters, digits, "_" and "-"
_TAG = re.compile(
    r"\[airflow dag=(?P<dag_id>\S{1,3000}) run=(?P<run_id>\S{1,3000}) task=(?P<task_id>\S{1,3000})"
    r" map=(?P<map_index>-?[0-9]{1,10}) at=(?P<site>\S{1,100}) request=(?P<digest>[0-9a-f]{1,64})\]"
)


@dataclass(frozen=True, slots=True)
class CreationTag:
    """
    Idempotency tag: the task that asked for a job, and the request.

    It has no time and no number of the attempt in it, so that every attempt makes the same.

    :param site: tells one Airflow from another that has the same DAG and uses the same account.
    :param digest: see :func:`request_digest`.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    site: str
    digest: str

    def __str__(self) -> str:
        dag_id, run_id, task_id, site = (
            quote(part, safe=_READABLE) for part in (self.dag_id, self.run_id, self.task_id, self.site)
        )
        return (
            f"[airflow dag={dag_id} run={run_id} task={task_id} map={self.map_index} at={site} "
            f"request={self.digest}]"
        )

    def of_same_task(self, other: CreationTag) -> bool:
        """Return whether both are of one task instance, whatever it asked for."""
        return self._task == other._task

    @property
    def _task(self) -> tuple[str, str, str, int, str]:
        return self.dag_id, self.run_id, self.task_id, self.map_index, self.site


def deployment_id(base_url: str) -> str:
    """
    Return a short name of an Airflow.

    :param base_url: address of its API server; empty where it is not configured.
    """
    return hashlib.sha256(base_url.encode()).hexdigest()[:6] if base_url else "-"


def request_digest(request: Mapping[str, Any]) -> str:
    """
    Return a digest of a request.

    Credentials do not count, so keys may be rotated between two attempts, and neither does the description, which
    changes nothing that the job does.

    :raises InvalidRequest: it cannot be written as JSON.
    """
    counted = _without_credentials({key: value for key, value in request.items() if key != "description"})
    try:
        text = json.dumps(counted, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error)
    else:
        return hashlib.sha256(text.encode()).hexdigest()[:12]
    raise InvalidRequest(f"The request cannot be written as JSON: {reason}. Nothing was sent.")


def with_tag(api: BatchApi, request: Mapping[str, Any], tag: CreationTag) -> tuple[dict[str, Any], str | None]:
    """
    Put a tag into a request.

    :return: the request to send, and why it cannot carry the tag; ``None`` if it does.
    """
    if api is not BatchApi.STATISTICAL:
        own = request.get("description")
        return {**request, "description": f"{own} {tag}" if own else str(tag)}, None
    aggregation = request.get("aggregation")
    evalscript = aggregation.get("evalscript") if isinstance(aggregation, Mapping) else None
    if not isinstance(aggregation, Mapping) or not isinstance(evalscript, str):
        return dict(request), "its evalscript is not in the request (evalscriptReference)"
    marked = f"{evalscript.rstrip()}\n// {tag}\n"
    if len(marked.encode()) > LONGEST_EVALSCRIPT:
        return dict(request), "its evalscript leaves no room for it below the limit of 32 KB"
    return {**request, "aggregation": {**aggregation, "evalscript": marked}}, None


def without_tag(description: str) -> str:
    """
    Return the description of a job as its user wrote it.

    :param description: as it was sent.
    """
    return _TAG.sub("", description).strip()


def tag_of(payload: Mapping[str, Any]) -> CreationTag | None:
    """
    Find the tag of a job.

    :param payload: all that the service says of it, with its request.
    """
    request = _mapping(payload.get("request"))
    for text in (
        request.get("description"),
        payload.get("description"),
        _mapping(request.get("aggregation")).get("evalscript"),
    ):
        # The user's own text comes first, and may quote another job's tag.
        found = list(_TAG.finditer(text)) if isinstance(text, str) else []
        if found:
            return _read(found[-1])
    return None


def _read(found: re.Match[str]) -> CreationTag:
    parts = found.groupdict()
    return CreationTag(
        dag_id=unquote(parts["dag_id"]),
        run_id=unquote(parts["run_id"]),
        task_id=unquote(parts["task_id"]),
        map_index=int(parts["map_index"]),
        site=unquote(parts["site"]),
        digest=parts["digest"],
    )


def _without_credentials(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_credentials(each) for key, each in value.items() if not is_secret_name(str(key))}
    if isinstance(value, list | tuple):
        return value if is_coordinates(value) else [_without_credentials(each) for each in value]
    return value


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
