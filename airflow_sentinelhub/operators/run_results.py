"""Results of a run: counted and judged, as far as that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub import clock
from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.run_rules import RunTerms
from airflow_sentinelhub.jobs.wait_rules import exceeds_max_cost
from airflow_sentinelhub.operators.run_report import RunReport
from airflow_sentinelhub.operators.verification import verify

if TYPE_CHECKING:
    from airflow_sentinelhub.operators.run import SentinelHubBatchRunOperator

_NOT_VERIFIED = "Not verified: DONE does not say that every feature came out (see max_failed_tiles)."
_UNVERIFIED = {
    BatchApi.PROCESS: _NOT_VERIFIED,
    BatchApi.STATISTICAL: _NOT_VERIFIED,
    BatchApi.PROCESS_V1: "Its tiles were not read (max_failed_tiles); v1 calls no job DONE of which some failed.",
}


@dataclass(frozen=True, slots=True)
class RunFinished:
    """
    A run that ended well.

    :param job: the final job.
    :param counts: its tiles or features by status, if they were counted.
    :param payload: all that the service says of it, with its request, if that was read.
    """

    job: BatchJob
    counts: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None


def verified(
    task: SentinelHubBatchRunOperator,
    report: RunReport,
    terms: RunTerms,
    job: BatchJob,
    payload: dict[str, Any] | None = None,
) -> RunFinished:
    """
    Verify a job that is done.

    :param task: the task, which says what is to be verified.
    :param report: where the counts and the job are published.
    :param terms: what the run is allowed.
    :param job: its job.
    :param payload: all that the service says of it, with its request; ``None``: it is asked if that is needed.
    :raises BatchIncomplete: too much has failed.
    :raises ServiceError: a subclass of it, when the service tells nothing.
    :raises ResultsUnavailable: the results cannot be read.
    """
    if terms.cost_limit is not None and exceeds_max_cost(job, terms.cost_limit):
        task.log.warning("It cost more than max_cost_pu, but was done before that was seen.")
    allowance, counts = task.allowance, None
    if allowance is not None or task.outlets:
        with task.client() as client:
            if payload is None:
                payload = client.get(job.id)
                job = BatchJob.from_payload(task.api, payload)
                report.publish(job)
            if allowance is not None:
                counts = verify(
                    client,
                    job,
                    payload,
                    storage_conn_id=task.storage_conn_id,
                    allowance=allowance,
                    count_no_data=task.count_no_data,
                    log=task.log,
                    keep=lambda counts: report.push("counts", counts),
                    sleep=clock.sleep,
                )
    if counts is None:
        task.log.info("%s", _UNVERIFIED[task.api])
    return RunFinished(job, counts, payload)
