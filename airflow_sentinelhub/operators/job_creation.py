"""Creating a job once, however often a task is begun."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import InvalidPayload, JobMayExist, SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.jobs import BatchJob, MissingJob, Outcome, Verdict, wait_messages
from airflow_sentinelhub.jobs import action_messages as words
from airflow_sentinelhub.jobs.creation_record import (
    CLOCK_SLACK,
    CreationRecord,
    SearchResult,
    adoptable,
    select_job,
)
from airflow_sentinelhub.jobs.formatting import format_cost
from airflow_sentinelhub.jobs.message import about
from airflow_sentinelhub.jobs.restart_lock import parse_timestamp
from airflow_sentinelhub.operators.final_failure import for_good
from airflow_sentinelhub.operators.job_action_client import JobActionClient
from airflow_sentinelhub.operators.superseded_job import stop_superseded
from airflow_sentinelhub.tasks.state_store import TaskStateStore
from airflow_sentinelhub.waits.fetch import fetch_job

if TYPE_CHECKING:
    from airflow_sentinelhub.client.batch import BatchClient
    from airflow_sentinelhub.operators.request_operator import RenderedRequest

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 30.0
"""Seconds between two polls for a job whose answer was lost: first, and at most."""

ATTEMPTS = 2
"""How often one attempt of a task asks for a job whose answer is lost and which does not appear."""


class JobCreator:
    """
    Gives a task its job: one of an earlier attempt, or a new one.

    The service takes no idempotency key, so the job carries a tag, and what is known is kept before and after
    each step. A first, clean attempt costs the one request that creates the job.

    :param client: asks the service.
    :param rendered: what is asked for.
    :param store: what is known of earlier attempts.
    :param log: the task's log.
    :param restarts: the task knows what to do with a job that was stopped.
    :param recreates: a retry creates a new job for one that is FAILED, CANCELED or gone.
    """

    def __init__(
        self,
        client: BatchClient,
        rendered: RenderedRequest,
        store: TaskStateStore,
        log: Any,
        *,
        restarts: bool = False,
        recreates: bool = True,
    ) -> None:
        self._client = client
        self._api = client.api
        self._order = rendered
        self._tag = rendered.tag
        self._store = store
        self._log: logging.Logger = log
        self._restarts = restarts
        self._recreates = recreates
        self._record = CreationRecord()
        self._not_ours: set[str] = set()
        """Jobs with our tag that no attempt goes on with."""

    def job(self) -> BatchJob:
        """
        Return the job. Its id is kept when this returns.

        :raises BatchActionImpossible: a job of an earlier attempt, from another request, could not be stopped.
        :raises JobMayExist: the answer was lost, and the job does not appear.
        :raises ServiceError: a subclass of it, when the service refuses or gives no answer.
        """
        if self._order.untagged:
            self._log.warning(
                "This job cannot carry a tag: %s. If the answer to its creation is lost, or the worker dies just "
                "then, nothing can find it, and the next attempt creates another one. It costs nothing unless it "
                "is started.",
                self._order.untagged,
            )
        return self._earlier() or self._created()

    def finish(self) -> None:
        """Record that the job is handed on: when the task is cleared from now on, it begins anew."""
        self._keep(self._record.with_finish(self._store.max_tries))

    # What earlier attempts left

    def _earlier(self) -> BatchJob | None:
        record = self._store.read()
        if record is None:
            if self._store.try_number <= 1:
                return None
            return self._taken(self._search(self._store.run_after, remembered=False))
        if record.was_cleared(self._store.max_tries):
            self._begin_anew(record)
            return None
        self._record = record
        if record.id is not None:
            return self._known(record, record.id)
        if record.request_sent_at is None or record.since is None:
            return None  # whatever was asked for was refused
        until = record.may_appear_until if record.digest == self._tag.digest else None
        return self._taken(self._search(record.since, remembered=True, until=until))

    def _begin_anew(self, record: CreationRecord) -> None:
        self._record = record.next_series()
        cost = self._store.read_costs().jobs.get(record.id or "")
        self._log.info(
            "An earlier attempt has finished, with job %s%s; this one begins anew, with a job of its own.",
            record.id,
            "" if cost is None else f", which cost {format_cost(cost)}",
        )
        if record.id is None or record.digest == self._tag.digest:
            self._log.info("That job is left as it is: stop it, if it runs and is not wanted any more.")
            return
        result = fetch_job(self._client, record.id, budget=None)
        if isinstance(result, SentinelHubError):
            raise result
        if isinstance(result, BatchJob):
            self._end(result)

    def _known(self, record: CreationRecord, job_id: str) -> BatchJob | None:
        result = self._action_client(job_id).fetch(seen=False)
        run = self._store.read_run()
        is_final = not self._recreates and run.is_retry(job_id, self._store.max_tries)
        if isinstance(result, MissingJob):
            if is_final:
                raise for_good(
                    Verdict(Outcome.NOT_FOUND, self._api, job_id, wait_messages.gone(result)).exception()
                )
            self._log.warning("%s", about("Gone, 404: a new job is created and will be charged", result.name))
        elif record.digest != self._tag.digest:
            self._end(result)
        elif adoptable(result, remembered=True, restarts=self._restarts):
            return self._adopted(result)
        elif is_final:
            return result
        else:
            state = words.state_of(result)
            self._log.warning("%s", about(f"{state}: a new job is created and will be charged", result.name))
        self._record = record.next_series()
        return None

    def _taken(self, found: SearchResult) -> BatchJob | None:
        for job in found.left:
            tagged = f"Left as it is, though it has this task's tag: {words.state_of(job)}"
            self._log.info("%s", about(tagged, job.name))
        self._not_ours |= {job.id for job in found.left}
        mine = self._adopted(found.adopt) if found.adopt else None
        for other in found.others:
            self._end(other)
        return mine

    def _adopted(self, job: BatchJob) -> BatchJob:
        self._keep(self._record.created(job.id, self._tag.digest))
        self._log.info("%s", about(f"Goes on with the job that is there: {words.state_of(job)}", job.name))
        return job

    # A new one

    def _created(self) -> BatchJob:
        for attempt in range(1, ATTEMPTS + 1):
            before = self._record
            self._keep(before.with_request_sent(self._tag.digest, clock.now()))
            try:
                job = self._read(self._client.create(self._order.body))
            except JobMayExist as lost:
                self._log.warning("%s", lost)
                found = self._lost(lost)
                if found is not None:
                    return found
                if attempt == ATTEMPTS:
                    raise
                self._log.warning("The job did not appear, so it is asked for once more.")
            except SentinelHubError:
                # It surely was not created. What an earlier POST may have done is as uncertain as before.
                self._keep(before)
                raise
            else:
                return self._new(job)
        raise AssertionError("the last attempt returns or raises")

    def _read(self, payload: dict[str, Any]) -> BatchJob:
        """
        Read the answer to the creation. One without a usable id is as good as lost: the job exists.

        :raises JobMayExist: it is not known which job was created.
        """
        try:
            return BatchJob.from_payload(self._api, payload)
        except InvalidPayload as error:
            raise JobMayExist(
                f"{error}, when it was asked to create one; the job may exist", api=self._api.value
            ) from error

    def _new(self, job: BatchJob) -> BatchJob:
        self._keep(self._record.created(job.id, self._tag.digest))
        self._log.info("%s", about("Created; nothing runs or is charged before it is started", job.name))
        return job

    def _lost(self, lost: JobMayExist) -> BatchJob | None:
        """Look for a job whose answer was lost."""
        posted = self._record.request_sent_at
        if self._order.untagged or posted is None:
            raise lost
        try:
            found = self._search(posted, remembered=True, until=self._record.may_appear_until)
        except (ServiceUnavailable, InvalidPayload) as trouble:
            raise lost from trouble  # the next attempt looks for it
        return self._adopted(found.adopt) if found.adopt else None

    def _keep(self, record: CreationRecord) -> None:
        self._record = record
        self._store.keep(record)

    def _search(self, since: float, *, remembered: bool, until: float | None = None) -> SearchResult:
        """
        Look for jobs of this task in the account's list.

        :param since: when the task first asked for one, in seconds since 1970.
        :param until: a job may take until then to appear.
        """
        if self._order.untagged:
            return SearchResult()
        spent, pause = {*self._record.superseded_ids, *self._not_ours}, FIRST_PAUSE
        while True:
            jobs = self._newest_until(since - CLOCK_SLACK)
            found = select_job(
                self._api, jobs, self._tag, remembered=remembered, restarts=self._restarts, superseded_ids=spent
            )
            left = 0.0 if until is None else until - clock.now()
            if found.adopt or left <= 0:
                return found
            self._log.info("The job is not in the list (yet); looking for it again.")
            clock.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _newest_until(self, oldest: float) -> Iterator[dict[str, Any]]:
        for page in self._client.list(sort="created:desc"):
            for payload in page:
                created = parse_timestamp(payload.get("created"))
                if created is not None and created < oldest:
                    return
                yield payload

    def _action_client(self, job_id: str) -> JobActionClient:
        return JobActionClient(self._client, job_id, clock.sleep, self._log.warning)

    def _end(self, job: BatchJob) -> None:
        stop_superseded(job, self._action_client(job.id), self._log)
