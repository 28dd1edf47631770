"""One cycle of a poller: the jobs whose turn it is are polled, each in the cheaper way."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable

from airflow_sentinelhub.exceptions import RateLimited, RequestRefused, SentinelHubError
from airflow_sentinelhub.polling.circuit_breaker import ENOUGH, is_of_account, is_service_wide
from airflow_sentinelhub.polling.list_index import ListSearch
from airflow_sentinelhub.polling.list_page import read_first_page, read_page
from airflow_sentinelhub.polling.poll_context import PollContext
from airflow_sentinelhub.polling.requester import THREADS
from airflow_sentinelhub.polling.subscription import Subscription
from airflow_sentinelhub.waits.fetch import fetch_once, needs_full_payload
from airflow_sentinelhub.waits.job_reading import (
    is_unreadable,
    of_everybody,
    of_the_job,
    unexpected,
)
from airflow_sentinelhub.waits.observation import PollResult

log = logging.getLogger(__name__)

YIELD_EVERY = 50
"""Results that are handed over before the event loop may do something else."""


class JobCycle:
    """
    One poll of the jobs that are due.

    A cycle begins when its first request is admitted. So there is one cycle for all while no request may be sent.

    While it reads the list, it takes in waits that come due: for jobs on pages to come. Those for jobs on pages
    that it has read are held until the next cycle, which begins as soon as this one has read its last page. So a
    list that takes longer to read than an interval stretches the interval, and no page is read twice for it.

    :param common: what all cycles share.
    :param taken: the waits whose turn it is.
    :param requeue: takes a wait that could not be served in this cycle.
    """

    def __init__(
        self, common: PollContext, taken: list[Subscription], requeue: Callable[[Subscription], None]
    ) -> None:
        self._common = common
        self._requeue = requeue
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._admitted = True
        self._open: dict[str, list[Subscription]] = {}
        self._unreadable: list[tuple[list[Subscription], SentinelHubError]] = []
        self._heard = False
        self._list_is_away = False
        self._list_answered: bool | None = None
        self._probing = asyncio.Lock()
        self._search: ListSearch | None = None
        self._wanted: set[str] = set()
        self._late: set[str] = set()
        self._held: list[Subscription] = []
        self._take_in(taken)
        self._reads_list = common.walk is None
        if self._reads_list:
            common.walk = self

    async def run(self) -> None:
        """Poll, and hand over the results."""
        try:
            await self._poll()
        except Exception as error:  # an error in this package must not leave a wait without a result for ever
            self._fail_rest(unexpected(error))
        finally:
            self._end_walk()

    def join(self, due: list[Subscription]) -> list[Subscription]:
        """
        Take in waits that come due while this cycle reads the list.

        :param due: the waits.
        :return: those that need a cycle of their own, which reads no list.
        """
        search = self._search
        if search is None:  # nothing was read yet
            self._take_in(due)
            return []
        alone = {wait for wait in due if wait.request.bypass_list}
        last = {wait for wait in due if wait.request.is_final} - alone
        if len(last) <= search.depth:  # fewer requests than a walk of their own would take
            alone |= last
        # The page under way may show a job that is searched already: not for a wait that came later.
        ahead = search.join({wait.key for wait in due if wait not in alone} - self._open.keys())
        self._late |= ahead
        self._wanted |= ahead
        self._take_in(wait for wait in due if wait.key in ahead and wait not in alone)
        self._held += [wait for wait in due if wait.key not in ahead and wait not in alone]
        return [wait for wait in due if wait in alone]

    def _take_in(self, waits: Iterable[Subscription]) -> None:
        for wait in waits:
            wait.asked_at = self._loop.time()
            self._open.setdefault(wait.key, []).append(wait)

    def _end_walk(self) -> None:
        """Allow the next cycle to read the list, and requeue the waits that this one could not serve from it."""
        if self._common.walk is self:
            self._common.walk = None
        held, self._held = self._held, []
        for wait in held:
            self._requeue(wait)

    async def _poll(self) -> None:
        if self._common.breaker.is_open:
            # Any job will do to see whether the service is back, but not always the same one.
            await self._get_one(self._any())
            if self._unreadable and not self._heard and not await self._list_answers():
                self._fail_rest(self._unreadable[0][1])
                return
        certain = {job for job, waits in self._open.items() if any(wait.request.bypass_list for wait in waits)}
        wanted, pages = len(self._open) - len(certain), 0
        if self._reads_list:
            self._wanted = self._open.keys() - certain
            pages = await self._read_list(self._wanted)
            self._held += [wait for job in self._late & self._open.keys() for wait in self._open.pop(job)]
            intervals = [wait.request.delay for wait in self._held if not wait.is_failing]
            self._common.log_walk(pages, self._loop.time() - self._began, intervals)
            self._end_walk()
        # Jobs that vanished from the list after many pages are left for the next cycle, which begins at once.
        longest_unheard = sorted(self._open, key=lambda job: (job not in certain, self._heard_of(job)))
        await self._get(longest_unheard[: len(certain) + wanted + 1 - pages])
        await self._settle_unreadable()
        self._requeue_rest()

    async def _read_list(self, jobs: set[str]) -> int:
        """
        Read as much of the list as pays.

        :param jobs: what to look for; those that are found are removed.
        :return: how many pages were asked for.
        """
        common = self._common
        search = self._search = common.list_index.search(jobs, self._loop.time())
        try:
            while (scan := search.next()) is not None:
                await self._admission()
                try:
                    # A copy: a page belongs only to waits that came before its request was sent.
                    page = await common.requester.ask(read_page, scan, frozenset(jobs), common.watched)
                except Exception as error:
                    search.failed()
                    requests = await self._list_failed(_as_ours(error))
                    return search.pages + requests
                if page is None:
                    search.reached_end()
                    continue
                self._hear()
                self._list_answered = True
                search.saw(scan, page.watched)
                for number, (job, result) in enumerate(page.results.items(), start=1):
                    jobs.discard(job)
                    self._deliver(self._open.pop(job), result)
                    if number % YIELD_EVERY == 0:
                        await asyncio.sleep(0)
        finally:
            search.finish()
        return search.pages

    async def _list_failed(self, error: SentinelHubError) -> int:
        """
        Find out whether the list fails alone, or the service with it.

        :return: how many requests were spent, without those for jobs.
        """
        common = self._common
        self._list_is_away = True
        everybodys = is_service_wide(error) and common.breaker.record_failure(
            "the list", error, len(common.watched)
        )
        if isinstance(error, RateLimited) and not everybodys:
            self._requeue_rest()
            return 1
        if is_of_account(error):
            self._fail_rest(error)
            return 1
        if (is_service_wide(error) or is_unreadable(error)) and not self._heard and self._open:
            # A list that fails is not the service that fails: one job tells.
            await self._get_one(self._any())
            if not self._heard:
                if self._open:
                    self._fail_rest(error)
                return 1
        suspended_for = common.list_index.suspend(self._loop.time())
        log.warning(
            "For %.0f s, each job is asked for by itself, as they cannot be listed: %s", suspended_for, error
        )
        return 1

    async def _list_answers(self) -> bool:
        """Return whether the list can be read in this cycle, which shows that the service is there."""
        async with self._probing:
            if self._list_answered is None:
                away = self._list_is_away or self._common.list_index.is_suspended(self._loop.time())
                self._list_answered = not away and await self._first_page_answers()
        return self._list_answered

    async def _first_page_answers(self) -> bool:
        try:
            await self._admission()
            await self._common.requester.ask(read_first_page)
        except RequestRefused as error:
            if error.of_account or error.code is None:
                return False
        except Exception:
            return False
        self._hear()
        return True

    async def _settle_unreadable(self) -> None:
        """Deliver the answers that cannot be read: the jobs' own trouble if others can be, an outage if not."""
        if not self._unreadable:
            return
        if not self._heard and not await self._list_answers():
            self._fail_rest(of_everybody(self._unreadable[0][1]))
            return
        unreadable, self._unreadable = self._unreadable, []
        for waits, error in unreadable:
            self._deliver(waits, of_the_job(error))

    async def _is_everybodys(self, job: str, error: SentinelHubError) -> bool:
        """Record the error of a job, and return whether it is an outage."""
        breaker, watched = self._common.breaker, len(self._common.watched)
        was_open = breaker.is_open
        if not breaker.record_failure(job, error, watched):
            return was_open
        # Some jobs may have trouble of their own while the list is read.
        return was_open or is_of_account(error) or watched <= ENOUGH or not await self._list_answers()

    async def _get(self, jobs: list[str]) -> None:
        """Ask for each job, a few at a time."""
        left = deque(jobs)
        await asyncio.gather(*(self._get_from(left) for _ in range(min(THREADS, len(left)))))

    async def _get_from(self, jobs: deque[str]) -> None:
        while jobs:
            await self._get_one(jobs.popleft())

    async def _get_one(self, job: str) -> None:
        # Taken out, so that what another request comes to cannot take its answer away from it.
        waits = [wait for wait in self._open.pop(job, ()) if wait.is_waiting]
        if not waits:
            return
        if not self._may_ask():
            self._requeue_rest(waits)
            return
        status_only = all(wait.request.status_only for wait in waits)
        result = await self._ask_for(waits[0].job_id, status_only)
        if status_only and needs_full_payload(result):
            await self._admission()
            result = await self._ask_for(waits[0].job_id, False)
        if is_unreadable(result) and isinstance(result, SentinelHubError):
            # Other answers of this cycle show whose trouble it is.
            self._unreadable.append((waits, result))
            return
        if not isinstance(result, SentinelHubError) or not is_service_wide(result):
            self._hear()
        elif await self._is_everybodys(job, result):
            self._fail_rest(result, waits)
            return
        elif isinstance(result, RateLimited):
            self._requeue_rest(waits)
            return
        self._deliver(waits, result)

    async def _ask_for(self, job_id: str, status_only: bool) -> PollResult:
        try:
            return await self._common.requester.ask(fetch_once, job_id, status_only)
        except Exception as error:
            return unexpected(error)

    def _may_ask(self) -> bool:
        """
        Return whether a request may be sent at once.

        If not, the rest is requeued. The next request is then for the job without a result for longest, and jobs
        that have to be confirmed or were never seen may be due by then, too.
        """
        if self._admitted:
            self._admitted = False
            return True
        return self._common.requester.try_acquire_now()

    async def _admission(self) -> None:
        """Wait until a request may be sent; pages already read are worth it."""
        if not self._may_ask():
            await self._common.requester.acquire()

    def _deliver(self, waits: Iterable[Subscription], result: PollResult, *, is_failing: bool = False) -> None:
        for wait in waits:
            wait.is_failing = is_failing
            if not isinstance(result, SentinelHubError):
                wait.last_success_at = self._loop.time()
            wait.deliver(result)

    def _requeue_rest(self, waits: Iterable[Subscription] = ()) -> None:
        """
        Put back these waits and all that are left.

        After a 429, too, which is no outage yet: the rate limiter lets the next cycle begin when the service wants
        to be asked again.
        """
        for wait in [*waits, *self._take_all()]:
            self._requeue(wait)

    def _fail_rest(self, error: SentinelHubError, waits: Iterable[Subscription] = ()) -> None:
        """Deliver the error to these waits and to all that are left."""
        self._common.breaker.trip(error, self._loop.time())
        self._common.list_index.resume()  # if the list failed, it was for the same reason
        self._deliver([*waits, *self._take_all()], of_everybody(error), is_failing=True)

    def _take_all(self) -> list[Subscription]:
        taken = [wait for waits in self._open.values() for wait in waits]
        taken += [wait for waits, _ in self._unreadable for wait in waits]
        self._open.clear()
        self._unreadable.clear()
        return taken

    def _any(self) -> str:
        """Return a job that is left, but not always the same one."""
        return list(self._open)[int(self._began * 1000) % len(self._open)]

    def _hear(self) -> None:
        """Record that the service gave an answer that can be read."""
        self._heard = True
        self._common.breaker.record_success()

    def _heard_of(self, job: str) -> float:
        return min(wait.last_success_at for wait in self._open[job])


def _as_ours(error: Exception) -> SentinelHubError:
    return error if isinstance(error, SentinelHubError) else unexpected(error)
