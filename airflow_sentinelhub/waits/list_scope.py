"""Scope of a completion watch: the part of the job list that it has to see next."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

from airflow_sentinelhub.jobs import BatchApi, CompletionCursor, CompletionFilter, JobReading, WaitGoal
from airflow_sentinelhub.jobs.wait_rules import awaits_start, may_be_missing_until
from airflow_sentinelhub.waits.observation import BOTTOM, TOP, ListRequest, ListSnapshot, UnreadableJob
from airflow_sentinelhub.waits.progress_log import LogLine, as_sentence

RESTING_INTERVAL = 600.0
"""Seconds between two polls of jobs of which nothing is expected, unless a page that is read anyway shows them."""


class ListScope:
    """
    What has to be seen of the list, from what was seen before.

    :param api: the API of the jobs.
    :param wanted: which ends are told.
    :param say: writes a line into the log.
    """

    def __init__(self, api: BatchApi, wanted: CompletionFilter, say: LogLine) -> None:
        self._api, self._ids, self._say = api, wanted.request_ids, say
        self._moving: frozenset[str] = frozenset()
        self._missing: dict[str, float] = {}
        self._created: dict[str, float] = {}
        self._unreadable: frozenset[str] = frozenset()
        self._newest: float | None = None
        self._looked_back_at = self._rested_at = -math.inf

    def look_at_all(self) -> None:
        """Forget how far the list was seen: another watch wrote the cursor."""
        self._newest = None

    def next_request(self, cursor: CompletionCursor, delay: float, now: float) -> ListRequest:
        """
        Return the next part of the list that is needed.

        :param cursor: what was told.
        :param delay: seconds until then.
        :param now: seconds since 1970.
        """
        first = cursor.since is None
        if self._ids is not None:
            return ListRequest(delay, created_from=TOP, jobs=frozenset(self._ids if first else cursor.pending))
        if cursor.since is None:
            return ListRequest(delay, created_from=BOTTOM)
        rest = now - self._rested_at >= RESTING_INTERVAL
        jobs = frozenset(cursor.pending) if rest else self._moving & cursor.pending.keys()
        created_from = cursor.since
        if self._newest is not None and now - self._looked_back_at < RESTING_INTERVAL:
            # What is older was seen, unless it comes onto the list late.
            created_from = math.nextafter(self._newest, TOP)
        else:
            self._looked_back_at = now
        return ListRequest(delay, created_from=created_from, jobs=jobs)

    def update(
        self, cursor: CompletionCursor, snapshot: ListSnapshot, readings: Sequence[JobReading], now: float
    ) -> CompletionCursor:
        """
        Take a part of the list into account.

        :param cursor: what was told.
        :param snapshot: what was seen.
        :param readings: the jobs of it that concern this watch.
        :param now: seconds since 1970.
        :return: the cursor, with the jobs that may still end.
        """
        newest = max((each.created for each in snapshot.jobs if each.created is not None), default=None)
        self._newest = newest if self._newest is None else max(self._newest, newest or self._newest)
        cursor = self._with_unreadable(cursor, snapshot.unreadable)
        cursor = self._without_missing(cursor, snapshot.missing, now)
        self._note_what_moves(cursor, readings, now)
        return cursor

    def _with_unreadable(self, cursor: CompletionCursor, unreadable: Sequence[UnreadableJob]) -> CompletionCursor:
        """Keep jobs that cannot be read among those that may end, and say so once."""
        ids = self._ids
        concerned = {
            each.key: each
            for each in unreadable
            if (
                each.key in ids
                if ids is not None
                else each.key in cursor.pending
                or (each.created is not None and cursor.is_new(each.key, each.created))
            )
        }
        for key in sorted(concerned.keys() - self._unreadable):
            self._say(
                logging.WARNING,
                f"{as_sentence(concerned[key].error)} The end of {self._api.display_name} job {key} is told when "
                "it can be read.",
            )
        self._unreadable = frozenset(concerned)
        return (
            replace(cursor, pending=dict.fromkeys(concerned, "") | dict(cursor.pending)) if concerned else cursor
        )

    def _without_missing(self, cursor: CompletionCursor, missing: frozenset[str], now: float) -> CompletionCursor:
        ids = self._ids
        concerned = missing & (cursor.pending.keys() | set(ids or ()))
        # One that is missing for the first time is asked for again, and a new one for some minutes.
        gone = {
            job
            for job in concerned & self._missing.keys()
            if now >= may_be_missing_until(self._created.get(job), self._missing[job])
        }
        self._missing = {job: self._missing.get(job, now) for job in concerned - gone}
        for job in sorted(gone):
            self._say(
                logging.WARNING if ids else logging.INFO,
                f"{self._api.display_name} job {job} is not there any more, so its end will not be told.",
            )
        return replace(
            cursor.without(gone), pending=dict.fromkeys(self._missing, "") | dict(cursor.without(gone).pending)
        )

    def _note_what_moves(self, cursor: CompletionCursor, readings: Sequence[JobReading], now: float) -> None:
        """Note which jobs have to be polled each time, and when the others were."""
        seen = {reading.listed.key for reading in readings}
        known = self._created | {
            each.listed.key: each.listed.created for each in readings if each.listed.created is not None
        }
        if cursor.pending.keys() <= seen | self._missing.keys() | self._unreadable:
            self._rested_at = now
        moving = {
            each.listed.key
            for each in readings
            if each.end is None and not awaits_start(each.listed.job, WaitGoal.COMPLETION)
        }
        self._moving = frozenset(moving | (self._moving - seen) | self._missing.keys())
        self._created = {
            key: created for key, created in known.items() if key in cursor.pending or key in self._moving
        }
