"""
Whether the list of jobs is the cheaper way to ask, and how far to read it.

The service shows all jobs of the account, newest first, on pages of unknown size: one request for each page. That
pays when the pages up to the watched jobs are fewer than those jobs. Where they are has to be learnt, and the
learning must cost next to nothing, as other people's jobs may fill many pages.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

LOOK_AGAIN_AFTER = 600.0
"""Seconds after which jobs are looked for again that were not on the list as far as it was worth reading."""

LONGEST_UNTIL_LOOK_AGAIN = 7200.0
"""The same at most; it doubles each time."""

FIRST_SUSPENSION = 60.0
LONGEST_SUSPENSION = 3600.0


@dataclass(slots=True, eq=False)
class ListScan:
    """
    A way through the list, from its first page on.

    :param read: how many pages were read.
    :param pages: where the next one comes from; opened by who reads.
    """

    read: int = 0
    pages: Any = field(default=None, repr=False)


class ListIndex:
    """
    Index of the pages of the list on which jobs were seen, or up to which they were not found.

    :param watched: all jobs that are watched, at any time. The list is never read deeper than half as many pages.
    """

    def __init__(self, watched: Collection[str]) -> None:
        self._watched = watched
        self._page: dict[str, int] = {}
        self._searched_to: dict[str, float] = {}
        self._paused: ListScan | None = None
        self._look_again_at = math.inf
        self._look_again_after = LOOK_AGAIN_AFTER
        self._barred_until = -math.inf
        self._suspension = FIRST_SUSPENSION

    def search(self, jobs: Collection[str], now: float) -> ListSearch:
        """
        Begin to look for jobs on the list.

        :param jobs: those whose turn it is.
        :param now: on the clock of the event loop.
        """
        if now >= self._look_again_at:
            self._look_again_at = math.inf
            self._searched_to.clear()
        return ListSearch(self, set() if self.is_suspended(now) else set(jobs), now)

    def forget(self, job: str) -> None:
        """Forget a job that is not watched any more."""
        self._page.pop(job, None)
        self._searched_to.pop(job, None)

    def suspend(self, now: float) -> float:
        """
        Do without the list for a while, because it could not be read.

        :return: for how many seconds.
        """
        bar, self._suspension = self._suspension, min(LONGEST_SUSPENSION, self._suspension * 2)
        self._barred_until = now + bar
        return bar

    def is_suspended(self, now: float) -> bool:
        """Return whether the list is not used now."""
        return now < self._barred_until

    def resume(self) -> None:
        """Read the list again: nothing could be read, so it is not the list's fault."""
        self._barred_until, self._suspension = -math.inf, FIRST_SUSPENSION


class ListSearch:
    """
    Search of one cycle on the list. It decides which page is next; the caller reads it.

    Unless jobs that it knows have vanished, it reads no more than a page, or a tenth of the jobs, without success.
    """

    def __init__(self, list_index: ListIndex, jobs: set[str], now: float) -> None:
        self._list_index = list_index
        self._now = now
        self._deepest = max(1, len(list_index._watched) // 2)
        self._searched_to = max(1, len(jobs) // 10)
        self.pages = 0
        self._found = 0
        self._over = False
        pages = {job: page for job in jobs if (page := list_index._page.get(job)) is not None}
        self._depth = cheapest_depth(pages.values())
        self._expected = {job for job, page in pages.items() if page <= self._depth}
        self._guesses = {job for job in jobs - pages.keys() if list_index._searched_to.get(job, 0) < math.inf}
        self._joined: set[str] = set()
        self._rescan: ListScan | None = None
        self._probe: ListScan | None = None
        self._under_way: ListScan | None = None

    def next(self) -> ListScan | None:
        """Return the scan whose next page is to be read, or ``None`` to ask for each job that is left."""
        self._under_way = self._next()
        return self._under_way

    def _next(self) -> ListScan | None:
        if self._over:
            return None
        read = self._rescan.read if self._rescan else 0
        if read < self._depth and len(self._expected) > self._depth - read:
            self._rescan = self._rescan or ListScan()
            return self._rescan
        if self.pages >= self._found + self._searched_to:
            return None
        if self._rescan and read >= self._depth and len(self._expected) + self._not_yet_passed(read) > 1:
            return self._rescan  # jobs have moved on by a page, or are new to us
        return self._try() if len(self._guesses) > 1 else None

    @property
    def depth(self) -> int:
        """Pages that are read at least."""
        return max(self._depth, self.pages)

    def join(self, jobs: set[str]) -> set[str]:
        """
        Search for more jobs on the pages that are still to come.

        :param jobs: those whose turn it is meanwhile.
        :return: those that may be there. The others are on pages that were read or requested.
        """
        read = self._rescan.read + (self._rescan is self._under_way) if self._rescan else 0
        if self._over or self._list_index.is_suspended(self._now):
            return set()
        pages = {job: page for job in jobs if (page := self._list_index._page.get(job)) is not None}
        ahead = {job: page for job, page in pages.items() if page > read}
        unknown = jobs - pages.keys()
        if ahead:
            left = [self._list_index._page[job] - read for job in self._expected if job in self._list_index._page]
            left = [page for page in left if page > 0] + [page - read for page in ahead.values()]
            self._depth = max(self._depth, read + cheapest_depth(left))
            self._expected |= {job for job, page in ahead.items() if page <= self._depth}
        self._guesses |= unknown
        self._joined |= unknown
        return ahead.keys() | unknown

    def saw(self, scan: ListScan, jobs: Iterable[str]) -> None:
        """
        Record a page.

        :param scan: to which it belongs.
        :param jobs: the watched ones on it, whether it is their turn or not.
        """
        scan.read += 1
        self._under_way = None
        self.pages += 1
        list_index = self._list_index
        list_index._suspension = FIRST_SUSPENSION
        for job in jobs:
            if job not in list_index._watched:  # since the page was read
                continue
            list_index._page[job] = scan.read
            list_index._searched_to.pop(job, None)
            list_index._look_again_after = LOOK_AGAIN_AFTER
            if job in self._expected or job in self._guesses:
                self._found += 1
                self._expected.discard(job)
                self._guesses.discard(job)
        for job in self._guesses:
            if list_index._searched_to.get(job, 0) == scan.read - 1:
                list_index._searched_to[job] = scan.read
        if scan is self._probe and scan.read >= self._deepest:
            self._give_up()

    def reached_end(self) -> None:
        """Record that the list has no further page."""
        self._over = True
        self._give_up()

    def failed(self) -> None:
        """Record that a page could not be read: its walk cannot go on."""
        self._over = True
        self._probe = None

    def finish(self) -> None:
        """Learn from what was not found."""
        list_index = self._list_index
        list_index._paused = self._probe or list_index._paused
        if self._rescan is not None:
            for job in self._expected & list_index._page.keys():
                if list_index._page[job] <= self._rescan.read:
                    list_index._page[job] = self._rescan.read + 1
        for job in self._guesses:
            if job not in list_index._watched:
                list_index.forget(job)

    def _not_yet_passed(self, read: int) -> int:
        return sum(self._list_index._searched_to.get(job, 0) <= read for job in self._guesses)

    def _try(self) -> ListScan:
        """Return a scan to where jobs may be: on from where an earlier cycle paused, or from the beginning."""
        if self._probe is None:
            list_index = self._list_index
            fresh = sum(not list_index._searched_to.get(job) for job in self._guesses)
            # Taken, so that no other cycle goes on with it at the same time.
            paused, list_index._paused = list_index._paused, None
            if 2 * fresh > len(self._guesses) or paused is None:
                paused = self._rescan = self._rescan or ListScan()
            self._probe = paused
        return self._probe

    def _give_up(self) -> None:
        list_index = self._list_index
        self._probe = None
        if self._guesses and list_index._look_again_at == math.inf:
            list_index._look_again_at = self._now + list_index._look_again_after
            list_index._look_again_after = min(LONGEST_UNTIL_LOOK_AGAIN, list_index._look_again_after * 2)
        # Those that came later may be on the pages before.
        for job in self._guesses - self._joined:
            list_index._searched_to[job] = math.inf
        self._guesses.clear()


def cheapest_depth(pages: Iterable[int]) -> int:
    """
    Return the number of pages at which pages and requests for the rest are fewest; 0 to read none.

    :param pages: where each job is.
    """
    on_page = Counter(pages)
    left = sum(on_page.values())
    best, depth = left, 0
    for page in sorted(on_page):
        left -= on_page[page]
        if page + left < best:
            best, depth = page + left, page
    return depth
