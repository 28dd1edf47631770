"""
Watch of the job list that emits one event per job completion.

What was emitted is kept in a cursor store that outlives this process. A completion is noted before and after it
is emitted, and acknowledged in between. If the process ends before the second note, the completion is emitted
again, and says that it may be a repetition.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs import (
    BatchApi,
    CompletionCursor,
    CompletionFilter,
    JobReading,
    NewCompletion,
    WaitPolicy,
    WaitState,
    completion_of,
)
from airflow_sentinelhub.jobs.completion_cursor import fingerprint
from airflow_sentinelhub.jobs.formatting import format_duration
from airflow_sentinelhub.waits.cursor_store import CursorStore, SharedCursor
from airflow_sentinelhub.waits.list_scope import ListScope
from airflow_sentinelhub.waits.observation import ListRequest, ListSnapshot
from airflow_sentinelhub.waits.progress_log import LogLine, as_sentence, harmless

log = logging.getLogger(__name__)

YIELD_EVERY = 100
"""Ends that are noted and told together, and jobs that are read before the event loop may do something else."""

Emit = Callable[[Sequence[dict[str, Any]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CompletionWatchSpec:
    """
    Specification of a completion watch.

    :param api: the API of the jobs.
    :param filter: which ends.
    :param poll_interval: seconds between two polls of the list.
    :param since: when the store is empty, ended jobs that were created from then on are emitted as well, in
        seconds since 1970; ``None``: none of them.
    :param apart: seconds that lie between the last end that is told and the one before it.
    """

    api: BatchApi
    filter: CompletionFilter
    poll_interval: float
    since: float | None = None
    apart: float = 0.0


class CompletionWatch:
    """
    Finds the ends that are new, and has them told.

    It sends no request itself: it is given snapshots of the list. No error ends it.

    :param terms: what is to be told.
    :param store: where it is noted.
    :param tell: hands events over, and returns when they are safe.
    :param say: writes a line into the log.
    :param writer: tells this watch from others with the same cursor store: one that was frozen and goes on, while
        another one has taken its place.
    """

    def __init__(
        self, terms: CompletionWatchSpec, store: CursorStore, tell: Emit, say: LogLine, writer: str
    ) -> None:
        self.terms = terms
        self._tell = tell
        self._say = harmless(say)
        self._cursor = SharedCursor(store, self._say, writer)
        self._scope = ListScope(terms.api, terms.filter, self._say)
        self.poll_interval = terms.poll_interval
        self._told_at = -math.inf
        self._has_seen = False
        self._wait_states: dict[str, WaitState] = {}
        self._left_alone_until = float("-inf")
        self._trouble_since: float | None = None
        self._said_cut = False
        self._said_over = False

    @property
    def is_over(self) -> bool:
        """True if nothing can come any more: each job that was asked for by its id has ended for good."""
        cursor = self._cursor.value
        return (
            self.terms.filter.request_ids is not None
            and cursor is not None
            and cursor.since is not None
            and not cursor.pending
        )

    def set_interval(self, seconds: float) -> None:
        """
        Poll less often than was asked for.

        :param seconds: between two polls.
        """
        if seconds != self.poll_interval:
            self._say(logging.INFO, f"poll_interval is raised from {self.poll_interval:g} s to {seconds:g} s.")
        self.poll_interval = seconds

    async def next_request(self, now: float) -> ListRequest | None:
        """
        Return the next part of the list that is needed.

        :param now: seconds since 1970.
        :return: ``None`` while the cursor store cannot be read; ask again later.
        """
        if self._cursor.value is None:
            if not await self._cursor.read():
                return None
            self._begin_from_cursor(now)
        cursor = self._cursor.value or CompletionCursor()
        return self._scope.next_request(cursor, self.poll_interval if self._has_seen else 0.0, now)

    async def update(self, result: ListSnapshot | SentinelHubError, now: float) -> None:
        """
        Take a part of the list into account, and tell what is new.

        :param result: what was seen, or why nothing was.
        :param now: seconds since 1970.
        """
        self._has_seen = True
        if isinstance(result, SentinelHubError):
            self.in_trouble(result, now)
            return
        if self._trouble_since is not None:
            self._say(
                logging.INFO, f"{self._service} answers again, after {format_duration(now - self._trouble_since)}."
            )
            self._trouble_since = None
        cursor = self._cursor.value
        if cursor is None:
            raise RuntimeError("update() was called before next_request()")
        if result.cut and not self._said_cut:
            self._say(
                logging.WARNING,
                f"The list of {self._service} jobs goes on and on: {len(result.jobs):,} jobs of it were seen. "
                "Ends of jobs behind them are not told, unless request_ids names them.",
            )
        self._said_cut = result.cut
        readings = await self._read(result, now)
        self._cursor.keep(self._scope.update(cursor, result, readings, now))
        while not await self._settle(readings, now):
            if self._cursor.value is None or self._cursor.value.since is None:
                return  # what was noted is lost, so the whole list has to be seen
        if self.is_over and not self._said_over:
            self._said_over = True
            self._say(
                logging.INFO,
                f"All {self._service} jobs of request_ids have ended for good: nothing is left to tell.",
            )

    def in_trouble(self, error: SentinelHubError, now: float) -> None:
        """
        Record that the list cannot be seen; it is said once.

        :param error: why.
        :param now: seconds since 1970.
        """
        if self._trouble_since is None:
            self._trouble_since = now
            self._say(
                logging.WARNING,
                f"{as_sentence(error)} Ends of {self._service} jobs are told when it is over; until then it is "
                "tried again and again.",
            )

    @property
    def _service(self) -> str:
        return self.terms.api.display_name

    async def _read(self, snapshot: ListSnapshot, now: float) -> list[JobReading]:
        """Return the completion of each job; what has to be read twice is kept until then."""
        readings, wait_states = [], {}
        first = self._cursor.value is None or self._cursor.value.since is None
        again = 0.0 if first else self.poll_interval
        policy = WaitPolicy(self.poll_interval, self.poll_interval, start_grace=None, confirm_after=again)
        for number, listed in enumerate(snapshot.jobs, start=1):
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)  # the first snapshot has all jobs of the account
            if not self.terms.filter.wants(listed):
                continue
            wait_state = self._wait_states.get(listed.key, WaitState())
            try:
                if first:
                    # Nothing is told of it now, so it may well be started again.
                    _, wait_state = completion_of(listed.job, policy, now, wait_state)
                end, wait_state = completion_of(listed.job, policy, now, wait_state)
            except Exception as error:  # an error of the provider about one job hides no other
                log.error("Job %s could not be assessed.", listed.key, exc_info=error)
                continue
            if wait_state.pending_outcome:
                wait_states[listed.key] = wait_state
            readings.append(JobReading(listed, end))
        self._wait_states = wait_states
        return readings

    async def _settle(self, readings: list[JobReading], now: float) -> bool:
        """
        Return new completions, and record them.

        :return: ``False`` if another watch has written meanwhile, and it has to be polled again.
        """
        before = self._cursor.value or CompletionCursor()
        cursor, news = before.review(readings, now, self.terms.since)
        cursor = cursor.emitted([each for each in news if not self.terms.filter.matches(each.listed)])
        news = [each for each in news if self.terms.filter.matches(each.listed)]
        if now < self._left_alone_until:
            # Another watch is emitting them, or was interrupted: if it lives, it notes that soon.
            news = [each for each in news if fingerprint(each.key) not in cursor.in_flight]
        if not news and self._cursor.is_written(cursor):
            self._cursor.keep(cursor)
            return True
        try:
            if await self._is_overtaken(now):
                return False
            for batch in _batches(news):
                if batch[-1] is news[-1]:
                    await self._keep_apart()
                repeated = cursor.in_flight
                cursor = await self._cursor.write(cursor.mark_in_flight(batch))
                # Two that poll at the same time both find that no other has written: the later one may emit.
                if await self._is_overtaken(now):
                    return False
                await self._tell([self._event(each, fingerprint(each.key) in repeated) for each in batch])
                self._told_at = asyncio.get_running_loop().time()
                cursor = cursor.emitted(batch)
                self._cursor.keep(cursor)
            await self._cursor.write(cursor)
        except Exception as error:
            # What was not noted was not told: the next poll finds the same ends again.
            self._cursor.record_failure(error)
        return True

    async def _is_overtaken(self, now: float) -> bool:
        """Return whether another watch has taken the place of this one, which then goes on from there."""
        overtaken = await self._cursor.take_over()
        if overtaken:
            self._begin_from_cursor(now)
        return overtaken

    def _begin_from_cursor(self, now: float) -> None:
        self._scope.look_at_all()
        if self._cursor.value is not None and self._cursor.value.in_flight:
            self._left_alone_until = now + self.poll_interval

    async def _keep_apart(self) -> None:
        await asyncio.sleep(self._told_at + self.terms.apart - asyncio.get_running_loop().time())

    def _event(self, news: NewCompletion, may_be_repeated: bool) -> dict[str, Any]:
        event = {"api": self.terms.api.value, "key": news.key, "may_be_repeated": may_be_repeated}
        return {**news.listed.job.to_json(), "event": event}


def _batches(news: list[NewCompletion]) -> Iterator[list[NewCompletion]]:
    """Divide what is told into what is noted together; the last end comes by itself."""
    for start in range(0, len(news) - 1, YIELD_EVERY):
        yield news[start : min(start + YIELD_EVERY, len(news) - 1)]
    if news:
        yield news[-1:]
