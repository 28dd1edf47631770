"""
Whether a task has a job already: what it remembers of earlier attempts, and what it makes of jobs with its tag.

Like all of ``jobs`` it does no I/O and reads no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.creation_tag import CreationTag, tag_of
from airflow_sentinelhub.jobs.job import BatchJob, is_plausible_id
from airflow_sentinelhub.jobs.statuses import JobStatus, UserAction
from airflow_sentinelhub.jobs.wait_rules import NOT_FOUND_GRACE

CLOCK_SLACK = 600.0
"""Seconds by which this clock and the service's may differ."""

_SPENT_KEPT = 20

_USELESS = frozenset({JobStatus.FAILED, JobStatus.CANCELED})


@dataclass(frozen=True, slots=True)
class CreationRecord:
    """
    Record of the job that a task creates, across its attempts.

    A user's clear begins a new series of attempts, which creates a new job if the one before had finished.

    :param id: the job; ``None``: not known (yet).
    :param finished: an attempt has handed the job on.
    :param digest: which request it is made from.
    :param since: when this series first asked for a job, in seconds since 1970.
    :param request_sent_at: when a job was last asked for without its answer being known; ``None``: there is no
    such.
    :param max_tries: Airflow's, when an attempt finished; only a clear changes it.
    :param superseded_ids: jobs of earlier series, which are not this one's.
    """

    id: str | None = None
    finished: bool = False
    digest: str = ""
    since: float | None = None
    request_sent_at: float | None = None
    max_tries: int = 0
    superseded_ids: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON."""
        return {**asdict(self), "superseded_ids": list(self.superseded_ids)}

    @classmethod
    def from_json(cls, stored: object) -> CreationRecord | None:
        """Read what :meth:`to_json` wrote, perhaps in another version; ``None`` if it is nothing of the kind."""
        if not isinstance(stored, Mapping) or "finished" not in stored:
            return None
        spent = stored.get("superseded_ids")
        return cls(
            id=_text(stored.get("id")),
            finished=bool(stored["finished"]),
            digest=_text(stored.get("digest")) or "",
            since=_number(stored.get("since")),
            request_sent_at=_number(stored.get("request_sent_at")),
            max_tries=int(_number(stored.get("max_tries")) or 0),
            superseded_ids=tuple(each for each in spent if isinstance(each, str))
            if isinstance(spent, list)
            else (),
        )

    def was_cleared(self, max_tries: int) -> bool:
        """
        Return whether a user has cleared the task after it had finished.

        Otherwise the worker died between handing the job on and telling Airflow so: that is the same series.
        """
        return self.finished and self.max_tries != max_tries

    def next_series(self) -> CreationRecord:
        """Begin anew, after a clear."""
        spent = (*self.superseded_ids, *([self.id] if self.id else []))
        return CreationRecord(superseded_ids=spent[-_SPENT_KEPT:])

    def with_request_sent(self, digest: str, now: float) -> CreationRecord:
        """Record that a job is about to be asked for."""
        since = now if self.since is None else self.since
        return replace(self, id=None, finished=False, digest=digest, since=since, request_sent_at=now)

    def created(self, job_id: str, digest: str) -> CreationRecord:
        """Note the job."""
        return replace(self, id=job_id, finished=False, digest=digest, request_sent_at=None)

    def with_finish(self, max_tries: int) -> CreationRecord:
        """Record that the attempt is over."""
        return replace(self, finished=True, max_tries=max_tries)

    @property
    def may_appear_until(self) -> float | None:
        """Until when a job may become visible whose answer was lost; ``None`` if none was."""
        return None if self.request_sent_at is None else self.request_sent_at + NOT_FOUND_GRACE


@dataclass(frozen=True, slots=True)
class SearchResult:
    """
    Result of a search in the list of jobs.

    :param adopt: the task's own job, to be gone on with.
    :param others: jobs of the same task from other requests, newest first.
    :param left: jobs from the same request that are no use any more.
    """

    adopt: BatchJob | None = None
    others: tuple[BatchJob, ...] = ()
    left: tuple[BatchJob, ...] = ()


def adoptable(job: BatchJob, *, remembered: bool, restarts: bool = False) -> bool:
    """
    Return whether an attempt goes on with a job.

    :param remembered: Airflow keeps what attempts leave (3.3), so that a job of an attempt that finished is told
        from one of an attempt that did not. Otherwise only a job that is not over can be meant.
    :param restarts: the task knows what to do with a job that was stopped, so that it is not created again.
    """
    if job.user_action in (UserAction.STOP, UserAction.CANCEL) and not job.is_over:
        return restarts and job.user_action is UserAction.STOP  # it is about to end
    if restarts and job.status is JobStatus.STOPPED:
        return True
    return job.status not in _USELESS if remembered else not job.is_over


def select_job(
    api: BatchApi,
    payloads: Iterable[Mapping[str, Any]],
    tag: CreationTag,
    *,
    remembered: bool,
    restarts: bool = False,
    superseded_ids: Collection[str] = (),
) -> SearchResult:
    """
    Look for a task's job among the account's.

    :param payloads: jobs as a list of the service shows them, newest first.
    :param tag: of the job that is wanted.
    :param remembered: see :func:`adoptable`.
    :param restarts: see :func:`adoptable`.
    :param superseded_ids: ids of jobs of earlier series.
    """
    mine: dict[str, BatchJob] = {}
    others: dict[str, BatchJob] = {}
    for payload in payloads:
        found = tag_of(payload)
        if found is None or not found.of_same_task(tag) or not is_plausible_id(payload.get("id")):
            continue
        job = BatchJob.from_payload(api, payload)
        if found.digest != tag.digest:
            others.setdefault(job.id, job)
        elif job.id not in superseded_ids:
            mine.setdefault(job.id, job)
    good = [job for job in mine.values() if adoptable(job, remembered=remembered, restarts=restarts)]
    # Of two, the one that is in use.
    good.sort(key=lambda job: job.status is JobStatus.CREATED and job.user_action is UserAction.NONE)
    adopt = good[0] if good else None
    return SearchResult(adopt, tuple(others.values()), tuple(job for job in mine.values() if job is not adopt))


def is_unstarted(job: BatchJob) -> bool:
    """Return whether a job may be left as it is: it was never started, so it never runs by itself."""
    return job.status is JobStatus.CREATED and job.user_action is UserAction.NONE


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
