"""A job as a list of the service shows it, with the little of its request by which people find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.plain_text import encodable
from airflow_sentinelhub.jobs.restart_lock import parse_timestamp

LONGEST_DESCRIPTION = 10_000
"""Characters of a description that are read."""


@dataclass(frozen=True, slots=True)
class ListedJob:
    """
    A job, and what :class:`~airflow_sentinelhub.jobs.job.BatchJob` leaves out of it.

    :param job: the job.
    :param created: when it was created, in seconds since 1970; ``None`` where the service does not tell.
    :param description: what its creator wrote; empty where there is none.
    """

    job: BatchJob
    created: float | None = None
    description: str = ""

    @classmethod
    def from_payload(cls, api: BatchApi, payload: Mapping[str, Any]) -> ListedJob:
        """
        Read an item of a list, or the answer to a request for the job.

        :raises InvalidPayload: it has no id that can be one.
        """
        job = BatchJob.from_payload(api, payload)
        return cls(job, parse_timestamp(payload.get("created")), description_of(payload))

    @property
    def key(self) -> str:
        """The id as it is compared: the service does not care for its case."""
        return self.job.id.lower()


def description_of(payload: Mapping[str, Any]) -> str:
    """
    Find the description of a job: ``request.description`` in Batch Process, ``description`` in v1.

    Batch Statistical has none (section 6.2).

    :param payload: all that the service says of it, with its request.
    """
    request = payload.get("request")
    for shown in (request if isinstance(request, Mapping) else {}, payload):
        description = shown.get("description")
        if isinstance(description, str) and description:
            return encodable(description[:LONGEST_DESCRIPTION])
    return ""
