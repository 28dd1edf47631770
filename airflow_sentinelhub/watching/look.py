"""One look at a job, with everything that can come of it as a value."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from airflow_sentinelhub.exceptions import InvalidPayload, NotFound, SentinelHubError
from airflow_sentinelhub.jobs import BatchApi, BatchJob, JobStatus, MissingJob, Outcome, Verdict, advice

Look = BatchJob | MissingJob | SentinelHubError
"""The job, a 404, or the reason why neither could be had."""


class JobReader(Protocol):
    """What is needed of a client to look at jobs; it neither waits nor tries again by itself."""

    @property
    def api(self) -> BatchApi:
        """The API that is asked."""

    def get(self, job_id: str, *, budget: float | None = None) -> dict[str, Any]:
        """Ask for the whole job."""

    def status(self, job_id: str, *, budget: float | None = None) -> dict[str, Any]:
        """Ask for its state alone, where the API can."""


def look_at(reader: JobReader, job_id: str, *, light: bool = False, budget: float | None = 0) -> Look:
    """
    Ask for a job once.

    :param reader: the client.
    :param job_id: the job.
    :param light: ask for the state alone, which lacks the user action.
    :param budget: the seconds in which the client may begin to ask again; ``None``: its own default. Only who
        may block has any.
    """
    try:
        payload = reader.status(job_id, budget=budget) if light else reader.get(job_id, budget=budget)
        job = BatchJob.from_payload(reader.api, payload, light=light)
        if light and job.status not in (JobStatus.ANALYSING, JobStatus.PROCESSING):
            # What may be the last look gives the whole job, so that XComs are alike in every mode.
            return look_at(reader, job_id, budget=budget)
        if job.id.lower() != job_id.lower():
            raise InvalidPayload(
                f"{reader.api.display_name} was asked for job {job_id} and answered with job {job.id}",
                job_id=job_id,
                api=reader.api.value,
            )
    except NotFound as error:
        # Without the service's error object it is the page of a gateway, which knows nothing of jobs.
        return error if error.code is None else MissingJob(reader.api, job_id)
    except SentinelHubError as error:
        return error
    return job


def look_elsewhere(
    verdict: Verdict, reader_for: Callable[[BatchApi], AbstractContextManager[JobReader]]
) -> Verdict:
    """
    Look whether a job that V1 does not know belongs to V2, and say so in the verdict.

    V1 is gone from most deployments, and its sensor has the most obvious name.

    :param verdict: how the wait ended; all but a V1 job that was not found is handed back as it is.
    :param reader_for: gives a client of another API of the same account.
    """
    if verdict.outcome is not Outcome.NOT_FOUND or verdict.api is not BatchApi.PROCESS_V1:
        return verdict
    try:
        with reader_for(BatchApi.PROCESS) as reader:
            if not isinstance(look_at(reader, verdict.job_id), BatchJob):
                return verdict
    except SentinelHubError:  # it is only a help
        return verdict
    return replace(verdict, message=advice.belongs_to_v2(MissingJob(verdict.api, verdict.job_id)))
