"""One cycle of those who follow the list of jobs: it is read once for all of them, as far as they need it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_sentinelhub.exceptions import InvalidPayload, NotFound, RateLimited, SentinelHubError
from airflow_sentinelhub.jobs import ListedJob
from airflow_sentinelhub.jobs.restart_lock import parse_timestamp
from airflow_sentinelhub.polling.circuit_breaker import is_of_account, is_service_wide
from airflow_sentinelhub.polling.list_index import cheapest_depth
from airflow_sentinelhub.polling.poll_context import PollContext
from airflow_sentinelhub.polling.subscription import Subscription
from airflow_sentinelhub.waits.fetch import ListReader, is_job_not_found
from airflow_sentinelhub.waits.job_reading import (
    id_of,
    is_unreadable,
    of_everybody,
    of_the_job,
    read_listed,
    unexpected,
)
from airflow_sentinelhub.waits.observation import BOTTOM, TOP, ListRequest, ListSnapshot, UnreadableJob

log = logging.getLogger(__name__)


MOST_PAGES = 1_000
"""Pages of the list that are read for one poll: 100,000 jobs, of which no account has that many at a time."""


@dataclass
class ListCycles:
    """
    Makes the cycles of one poller, which remember on which page a job was seen.

    :param page: the page of each job that was looked for.
    :param failures: how often in a row the request for a job failed.
    """

    page: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    def __call__(
        self, common: PollContext, taken: list[Subscription], requeue: Callable[[Subscription], None], /
    ) -> ListCycle:
        """Begin to read for those whose turn it is."""
        return ListCycle(common, taken, requeue, self.page, self.failures)


class ListCycle:
    """
    Reads the list once.

    :param common: what all cycles share.
    :param taken: those whose turn it is.
    :param requeue: takes one that could not be served in this cycle.
    :param page: see :class:`ListCycles`.
    :param failures: see :class:`ListCycles`.
    """

    def __init__(
        self,
        common: PollContext,
        taken: list[Subscription],
        requeue: Callable[[Subscription], None],
        page: dict[str, int],
        failures: dict[str, int],
    ) -> None:
        self._common = common
        self._taken = taken
        self._requeue = requeue
        self._page = page
        self._failures = failures
        self._heard = False
        self._loop = asyncio.get_running_loop()
        self._admitted = True
        self._created_from = TOP
        self._wanted: set[str] = set()
        for each in taken:
            each.asked_at = self._loop.time()
            if isinstance(each.request, ListRequest):
                self._created_from = min(self._created_from, each.request.created_from)
                self._wanted |= each.request.jobs
        self._held: list[Subscription] = []
        common.walk = self
        self._seen: dict[str, ListedJob] = {}
        self._missing: set[str] = set()
        self._cut = False
        self._unreadable: dict[str, UnreadableJob] = {}

    async def run(self) -> None:
        """Read, and hand over what is seen."""
        try:
            await self._read()
        finally:
            self._common.walk = None
            for each in self._held:
                self._requeue(each)

    def join(self, due: list[Subscription]) -> list[Subscription]:
        """
        Hold those that come due while the list is read, until the next cycle.

        :param due: those who follow the list.
        :return: nothing: none needs a cycle of its own.
        """
        self._held += due
        return []

    async def _read(self) -> None:
        common = self._common
        try:
            await self._read_list_if_it_pays()
            await self._get_the_rest()
        except RateLimited:  # the rate limiter knows until when
            for each in self._taken:
                self._requeue(each)
            return
        except Exception as error:
            trouble = of_everybody(error if isinstance(error, SentinelHubError) else unexpected(error))
            common.breaker.record_failure("the list", trouble, 1)
            common.breaker.trip(trouble, self._loop.time())
            self._deliver(trouble)
            return
        unreadable = tuple(each for each in self._unreadable.values() if each.key not in self._seen)
        self._deliver(ListSnapshot(tuple(self._seen.values()), frozenset(self._missing), self._cut, unreadable))

    async def _read_list_if_it_pays(self) -> None:
        if self._created_from < TOP:
            await self._read_list()
            return
        list_index = self._common.list_index
        if list_index.is_suspended(self._loop.time()) or not self._pays(self._wanted, 0):
            return
        try:
            await self._read_list()
        except Exception as error:
            if isinstance(error, SentinelHubError) and is_of_account(error):
                raise
            # The jobs that are wanted are known by their ids: a list that fails is not the service that fails.
            suspended_for = list_index.suspend(self._loop.time())
            log.warning(
                "For %.0f s, each job is asked for by itself, as they cannot be listed: %s", suspended_for, error
            )

    async def _read_list(self) -> None:
        pages: list[Iterator[list[dict[str, Any]]]] = []
        number, vain = 0, 0
        while True:
            if number >= MOST_PAGES:
                self._cut_off(number)
                return
            await self._admission()
            try:
                page = await self._common.requester.ask(_read_page, pages)
            except InvalidPayload:
                if not number:
                    raise
                self._cut_off(number)  # what came before is worth having
                return
            if page is None:
                self._learn(number, at_end=True)
                return
            self._common.breaker.record_success()
            self._heard = True
            number += 1
            self._unreadable |= {each.key: each for each in page.unreadable if each.key not in self._unreadable}
            for listed in page.jobs:
                self._seen.setdefault(listed.key, listed)
                if listed.key in self._wanted:
                    self._page[listed.key] = number
            if self._reaches_further(page.jobs):
                continue
            left = self._wanted - self._seen.keys()
            vain = 0 if any(self._page.get(job, 0) > number for job in left) else vain + 1
            if vain > max(1, len(self._wanted) // 10) or not self._pays(left, number):
                self._learn(number)
                return

    def _cut_off(self, number: int) -> None:
        self._cut = True
        self._learn(number)

    def _reaches_further(self, jobs: list[ListedJob]) -> bool:
        """Return whether jobs that are wanted for their age may be on the next page."""
        if self._created_from == BOTTOM:
            return True
        created = [listed.created for listed in jobs if listed.created is not None]
        return bool(created) and min(created) >= self._created_from

    def _pays(self, left: set[str], number: int) -> bool:
        """Return whether the list is cheaper than a request each; a job never seen may be on the next page."""
        return cheapest_depth(max(self._page.get(job, 0) - number, 1) for job in left) > 0

    def _learn(self, number: int, *, at_end: bool = False) -> None:
        if len(self._page) > 10_000:  # mostly jobs that have ended
            for job in self._page.keys() - self._wanted:
                del self._page[job]
                self._failures.pop(job, None)
        for job in self._wanted - self._seen.keys():
            if at_end:
                self._page.pop(job, None)
            elif self._page.get(job, 0) <= number:
                self._page[job] = number + 1

    async def _get_the_rest(self) -> None:
        # Those that the list showed least recently first, in case that the limit is reached before the end, and
        # those whose requests failed last, so that they keep no other from being asked for.
        for job in sorted(
            self._wanted - self._seen.keys(),
            key=lambda job: (self._failures.get(job, 0), -self._page.get(job, 0)),
        ):
            await self._admission()
            try:
                listed = await self._common.requester.ask(_get, job)
            except Exception as error:
                trouble = error if isinstance(error, SentinelHubError) else unexpected(error)
                if not is_service_wide(trouble) and not is_unreadable(trouble):
                    continue  # it concerns this job alone
                self._failures[job] = self._failures.get(job, 0) + 1
                heard = self._heard or self._seen or self._missing
                if heard and is_unreadable(trouble):
                    self._unreadable[job] = UnreadableJob(job, None, of_the_job(trouble))
                    continue
                if not heard:
                    raise trouble from None
                return  # what was seen is worth having, and the rest is asked for next time
            if isinstance(listed, UnreadableJob):
                self._failures[job] = self._failures.get(job, 0) + 1
                self._unreadable[job] = listed
                continue
            self._failures.pop(job, None)
            self._common.breaker.record_success()
            if listed is None:
                self._missing.add(job)
                self._page.pop(job, None)
            else:
                self._seen[job] = listed

    async def _admission(self) -> None:
        if self._admitted:  # the cycle was begun for it
            self._admitted = False
        else:
            await self._common.requester.acquire()

    def _deliver(self, result: Any) -> None:
        for each in self._taken:
            each.is_failing = isinstance(result, SentinelHubError)
            if not each.is_failing:
                each.last_success_at = self._loop.time()
            each.deliver(result)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page, read job by job."""

    jobs: list[ListedJob]
    unreadable: list[UnreadableJob]


def _read_page(reader: ListReader, pages: list[Iterator[list[dict[str, Any]]]]) -> _Page | None:
    """Read the next page, in a thread; ``None`` at the end of the list."""
    if not pages:
        pages.append(reader.list(budget=0))
    page = next(pages[0], None)
    if page is None:
        return None
    read = _Page([], [])
    # An entry without an id is of no use, and must not hide the others.
    for payload in page:
        if not (job := id_of(payload)):
            continue
        listed = read_listed(reader.api, payload)
        if isinstance(listed, InvalidPayload):
            read.unreadable.append(UnreadableJob(job, parse_timestamp(payload.get("created")), listed))
        else:
            read.jobs.append(listed)
    return read


def _get(reader: ListReader, job: str) -> ListedJob | UnreadableJob | None:
    """Ask for one job, in a thread; ``None`` if there is none."""
    try:
        payload = reader.get(job, budget=0)
    except NotFound as error:
        if is_job_not_found(error):
            return None
        raise
    listed = read_listed(reader.api, payload)
    if isinstance(listed, ListedJob) and listed.key != job:
        listed = InvalidPayload(f"{reader.api.display_name} was asked for job {job} and answered with another one")
    return UnreadableJob(job, None, listed) if isinstance(listed, InvalidPayload) else listed
