"""Blocking client for actions on a job: retries, and checks the effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import (
    BadRequest,
    Conflict,
    NotFound,
    SentinelHubError,
    ServiceUnavailable,
)
from airflow_sentinelhub.jobs import (
    Action,
    BatchJob,
    MissingJob,
    NotAllowed,
    NothingToDo,
    ServiceCall,
    acceptance,
    wait_messages,
)
from airflow_sentinelhub.jobs.restart_lock import parse_timestamp
from airflow_sentinelhub.jobs.wait_rules import may_be_missing_until
from airflow_sentinelhub.waits.fetch import fetch_job

if TYPE_CHECKING:
    from airflow_sentinelhub.client.batch import BatchClient

MISSED_GRACE = 120.0
"""Seconds for which an old job may be 404 before it counts as gone."""

NOT_FOUND_PAUSE = 5.0
"""Seconds between two polls of a job that is not found."""

CONFIRMATION_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between polls until a job shows what the service has accepted; what is read may be old."""


class JobActionClient:
    """
    Asks one batch API about one job.

    :param client: the client. It asks again by itself while the service is busy or away, for a minute.
    :param job_id: the job.
    :param sleep: lets so many seconds pass.
    :param warn: writes a warning into the task log.
    :param is_elsewhere: tells whether another API has a job of this id, so that nothing is gained by waiting.
    """

    def __init__(
        self,
        client: BatchClient,
        job_id: str,
        sleep: Callable[[float], None],
        warn: Callable[[str], object],
        is_elsewhere: Callable[[MissingJob], bool] = lambda _: False,
    ) -> None:
        self._client = client
        self._job_id = job_id
        self._sleep = sleep
        self._warn = warn
        self._is_elsewhere = is_elsewhere
        self._created: float | None = None

    def fetch(self, *, seen: bool) -> BatchJob | MissingJob:
        """
        Read the job. A new one may not be readable at once, and one that was seen may be missed for once.

        :param seen: whether it was seen before.
        :return: the job, or that it was not found until
            :func:`~airflow_sentinelhub.jobs.wait_rules.may_be_missing_until`, and for :data:`MISSED_GRACE` seconds
            at least.
        :raises SentinelHubError: neither could be had.
        """
        first: float | None = None
        while True:
            result = fetch_job(self._client, self._job_id, budget=None)
            if isinstance(result, SentinelHubError):
                raise result
            if isinstance(result, BatchJob):
                self._created = parse_timestamp(result.payload.get("created")) or self._created
                return result
            now = clock.now()
            if first is None:
                first = now
                self._warn(wait_messages.vanished(result) if seen else wait_messages.not_yet_found(result))
                if not seen and self._is_elsewhere(result):
                    return result
            if now >= max(may_be_missing_until(self._created, first), first + MISSED_GRACE):
                return result
            self._sleep(NOT_FOUND_PAUSE)

    def ask(self, call: ServiceCall) -> SentinelHubError | None:
        """
        Ask for something to be done to the job.

        :return: ``None`` if the service accepted; else why it may not have done it. It may have all the same,
            where an answer was lost: only a poll of the job tells.
        :raises SentinelHubError: it will not do it, whatever state the job is in.
        """
        try:
            match call:
                case ServiceCall.ANALYSE:
                    self._client.analyse(self._job_id)
                case ServiceCall.START:
                    self._client.start(self._job_id)
                case ServiceCall.STOP:
                    self._client.stop(self._job_id)
                case ServiceCall.RESTART_PARTIAL:
                    self._client.restart_partial(self._job_id)
                case _:
                    assert_never(call)
        except (BadRequest, Conflict, NotFound, ServiceUnavailable) as error:
            return error
        return None

    def confirm(
        self, action: Action, before: BatchJob
    ) -> tuple[NothingToDo | NotAllowed | None, BatchJob | MissingJob]:
        """
        Look, for a minute at most, until the job shows an action that the service has accepted.

        :param before: the job before it.
        :return: what it shows (see :func:`~airflow_sentinelhub.jobs.acceptance`), and the job as last read.
        """
        for pause in (*CONFIRMATION_PAUSES, None):
            job = self.fetch(seen=True)
            if isinstance(job, MissingJob):
                return None, job
            shows = acceptance(action, before, job, clock.now())
            if shows is not None or pause is None:
                return shows, job
            self._sleep(pause)
        raise AssertionError("the last pause is None")
