"""Operator for the outcome of each tile or feature of a batch job, which DONE does not tell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    FeatureCounts,
    IdField,
    extract_id,
    known_statuses,
    parse_request_id,
)
from airflow_sentinelhub.links.batch import link_to
from airflow_sentinelhub.operators.api_operator import SentinelHubBatchOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

LARGEST_XCOM = 200_000_000
"""Characters of JSON that are returned at most: 100,000 features have 7 million."""


class SentinelHubBatchTilesOperator(SentinelHubBatchOperator):
    """
    Tells what became of each tile (Batch Process v1) or feature (Batch Process, Batch Statistical) of a job.

    Returns ``{status: [tile, ...]}``, in which every status that the API knows is a key:

    * ``process``: DONE, FATAL, PENDING; each feature with ``id``, ``name``, ``error``, ``delivered``. Read from
      the execution database in the job's bucket. A feature that is DONE may have the error "No data".
    * ``statistical``: DONE, PARTIAL (some intervals failed), FAILED, UNREADABLE; each feature with ``id``,
      ``identifier``, ``error``, ``intervals``, ``failed_intervals``. Read from the result files in the job's
      bucket, so features without one are not known of.
    * ``process_v1``: PENDING, SCHEDULED, QUEUED, PROCESSING, PROCESSED, FAILED; tiles as the service describes
      them.

    A status that this version does not know becomes one more key. The counts by status are pushed under the XCom
    key ``counts``. It runs on the worker and does not wait for the job: put a sensor before it. It never fails
    because of what it finds.

    :param request_id: id of the job, a job as a dictionary or JSON text with ``id``, an object with
        ``request_id``, or the output of a task that gives one of these (templated).
    :param storage_conn_id: the Airflow connection that reads the job's bucket, and writes ``output_path``
        (templated). ``None``: the worker's own credentials. Not used for v1 without ``output_path``.
    :param statuses: return, count and write only tiles in these statuses (default: all). Lists of the others are
        empty, and ``counts`` does not have them as keys.
    :param limit: return at most so many tiles of each status (default: all). All are counted, and ``counts`` has
        ``truncated``, which says whether any were left out.
    :param output_path: write all tiles as JSON Lines, each with its ``status``, to this URL in object storage,
        such as ``s3://bucket/tiles.jsonl``, replacing what is there (templated; ``s3://conn_id@bucket/...`` names
        another connection). The task then returns ``{"path": output_path, "counts": counts}`` instead of the
        tiles.
    :param include_geometry: v1: keep ``geometry`` and ``origin`` of each tile (default: no).
    :param kwargs: see :class:`~airflow_sentinelhub.operators.api_operator.SentinelHubBatchOperator`.
    :raises ValueError: for a status that the API does not have, a limit below 1, or a limit with ``output_path``.
    """

    template_fields: Sequence[str] = (
        "request_id",
        *SentinelHubBatchOperator.template_fields,
        "storage_conn_id",
        "output_path",
    )

    _sleep: Callable[[float], None] = staticmethod(clock.sleep)

    request_id = IdField(extract_id)

    def __init__(
        self,
        *,
        request_id: Any,
        api: BatchApi | str = BatchApi.PROCESS,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        storage_conn_id: str | None = None,
        statuses: Collection[str] | None = None,
        limit: int | None = None,
        output_path: str | None = None,
        include_geometry: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(api=api, sentinelhub_conn_id=sentinelhub_conn_id, **kwargs)
        self.request_id = request_id
        self.storage_conn_id = storage_conn_id
        self.statuses = _checked(self.api, statuses)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ValueError(f"limit must be a number of at least 1, or None for all tiles; it is {limit!r}")
        if limit is not None and output_path is not None:
            raise ValueError("limit cuts what goes to XCom, and with output_path no tile does: give one of them")
        self.limit = limit
        self.output_path = output_path
        self.include_geometry = include_geometry

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Read the tiles.

        :return: tiles by status; with ``output_path`` where they are, and the counts.
        :raises InvalidRequestId: ``request_id`` holds no id.
        :raises InvalidConnection: the Airflow connection lacks a field.
        :raises ResultsUnavailable: what became of the features cannot be read from the bucket.
        :raises ServiceError: a subclass of it, when the service does not tell of the job.
        """
        job_id = parse_request_id(self.request_id)
        with self.client() as client:
            payload = client.get(job_id)
            job = BatchJob.from_payload(self.api, payload)
            link_to(self, config=client.config, job_id=job.id, delivery=job.delivery)
            tally = self._read(client, job, payload)
        self._tell(job, payload, tally)
        counts = tally.counts()
        if self.do_xcom_push:
            context["ti"].xcom_push(key="counts", value=counts)
        return {"path": self.output_path, "counts": counts} if self.output_path else tally.tiles

    def _read(self, client: Any, job: BatchJob, payload: dict[str, Any]) -> FeatureCounts:
        # Imported here, as it is not needed when a DAG file is parsed.
        from airflow_sentinelhub.results.json_lines import json_lines
        from airflow_sentinelhub.results.reader import read_tiles
        from airflow_sentinelhub.results.storage import Storage

        storage = Storage(self.storage_conn_id, job.label, job_id=job.id, api=job.api.value, status=job.raw_status)
        tally = FeatureCounts(job.api, statuses=self.statuses, limit=self.limit, keep=not self.output_path)
        tiles = read_tiles(
            client,
            job,
            payload,
            storage,
            statuses=self.statuses,
            include_geometry=self.include_geometry,
            warn=self.log.warning,
            sleep=self._sleep,
        )
        with closing(tiles), json_lines(storage, self.output_path) if self.output_path else nullcontext() as lines:
            for status, tile in tiles:
                if tally.add(status, tile) and lines is not None:
                    lines.write(status, tile)
                if tally.kept_size > LARGEST_XCOM:
                    raise _too_much(job)
        return tally

    def _tell(self, job: BatchJob, payload: dict[str, Any], tally: FeatureCounts) -> None:
        from airflow_sentinelhub.results.report import report

        for level, line in report(job, payload, tally, statuses=self.statuses, path=self.output_path):
            self.log.log(level, "%s", line)


def _too_much(job: BatchJob) -> ResultsUnavailable:
    return ResultsUnavailable(
        f"{job.label}: its tiles or features are more than {LARGEST_XCOM:,} characters of JSON, too many for an "
        "XCom and for the worker's memory. Write them to a file with output_path='s3://bucket/tiles.jsonl', or "
        "ask for some with statuses= or limit=.",
        job_id=job.id,
        api=job.api.value,
        status=job.raw_status or None,
    )


def _checked(api: BatchApi, statuses: Collection[str] | None) -> tuple[str, ...]:
    """
    Read the statuses that are wanted.

    :raises ValueError: there is none, or one that the API does not have, whose list would always be empty.
    """
    if statuses is None:
        return ()
    wanted = tuple(dict.fromkeys(str(status).upper() for status in _listed(statuses)))
    known = known_statuses(api)
    wrong = [status for status in wanted if status not in known]
    if wrong or not wanted:
        said = f"has no {', '.join(wrong)}" if wrong else "needs at least one status"
        raise ValueError(f"statuses: {api.display_name} {said}; it has {', '.join(known)} (None: all)")
    return wanted


def _listed(statuses: Collection[str]) -> Collection[str]:
    return (statuses,) if isinstance(statuses, str) else statuses
