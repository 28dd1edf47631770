"""Pagination of lists, bounded by what real lists have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Payload = dict[str, Any]
Page = list[Payload]


@dataclass(frozen=True, slots=True)
class ListBounds:
    """
    Bounds that no real list exceeds.

    :param items: how many there are.
    :param pages: on how many pages.
    :param size: bytes of JSON of all of them.
    :param seconds: spent with asking, without what lies between two pages.
    """

    items: int
    pages: int
    size: int = 512 * 1024 * 1024
    seconds: float = 6 * 3600.0


JOBS = ListBounds(items=100_000, pages=5_000)
"""Of an account: jobs are deleted after weeks or months, and 100,000 in a month would be two in each minute."""

TILES = ListBounds(items=500_000, pages=20_000)
"""Of a Batch Process v1 job: all land of the earth has 375,000 tiles of 20 km."""

LONGEST_LINK = 8_000
"""Characters of a link or token to the next page; web servers refuse longer ones."""

REPEATED = 3
"""Pages in a row that were there before; drift between two requests moves jobs by a few places, not by pages."""


class EndlessList(Exception):
    """The list is longer than any real one; "the list" and the text are a sentence."""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """
    One answer of a list.

    :param payload: the page.
    :param size: bytes that it had.
    """

    payload: Payload
    size: int


def pages(
    fetch: Callable[[Mapping[str, str]], FetchedPage],
    params: Mapping[str, str],
    bounds: ListBounds,
    clock: Callable[[], float],
) -> Iterator[Page]:
    """
    Walk through a list, one request for each page, and none before the page is wanted.

    It ends with the last page, an empty one, or one that continues where the walk has already been (a service
    that repeats its token would keep us for ever).

    :param fetch: gets the page for a query.
    :param params: query of the first page.
    :param bounds: how far it may go.
    :param clock: seconds, monotonic.
    :raises EndlessList: it goes on beyond them, as with a service that gives ever new tokens.
    """
    query = dict(params)
    seen: set[frozenset[tuple[str, str]]] = set()
    walked = _Walked(bounds)
    while (place := frozenset(query.items())) not in seen:
        seen.add(place)
        began = clock()
        fetched = fetch(query)
        items = [[item for item in fetched.payload.get("data") or [] if isinstance(item, dict)]]
        if not items[0]:
            return
        walked.take(items[0], fetched.size, clock() - began)
        query = {**params, **_continuation(fetched.payload)}
        # A walk that pauses here, perhaps for minutes, must not keep a page of whole jobs.
        del fetched
        yield items.pop()


class _Walked:
    """Position in a list."""

    def __init__(self, bounds: ListBounds) -> None:
        self._bounds = bounds
        self._pages = self._items = self._size = self._repeated = 0
        self._seconds = 0.0
        self._known: set[int] = set()

    def take(self, page: Page, size: int, seconds: float) -> None:
        bounds = self._bounds
        self._pages += 1
        self._items += len(page)
        self._size += size
        self._seconds += seconds
        content = hash(tuple(str(item.get("id"))[:100] for item in page))
        self._repeated = self._repeated + 1 if content in self._known else 0
        self._known.add(content)
        if self._items > bounds.items:
            raise EndlessList(f"has more than {bounds.items:,} entries")
        if self._pages > bounds.pages:
            raise EndlessList(f"has more than {bounds.pages:,} pages")
        if self._size > bounds.size:
            raise EndlessList(f"is longer than {bounds.size // 2**20:,} MiB")
        if self._seconds > bounds.seconds:
            raise EndlessList(f"could not be read in {bounds.seconds / 3600:g} hours")
        if self._repeated >= REPEATED:
            raise EndlessList("shows the same entries again and again under new tokens")


def _continuation(payload: Payload) -> dict[str, str]:
    """
    Return what to add to the query for the next page; nothing where there is none.

    Only the query of ``links.next`` counts: its path uses the new URL layout whichever was asked.
    """
    links = payload.get("links")
    if not isinstance(links, dict):
        return {}
    token, following = links.get("nextToken"), links.get("next")
    if isinstance(token, str | int) and token != "":
        return {"viewtoken": _bounded(str(token))}
    if not isinstance(following, str):
        return {}
    try:
        return dict(parse_qsl(urlsplit(_bounded(following)).query))
    except ValueError:
        return {}


def _bounded(place: str) -> str:
    if len(place) > LONGEST_LINK:
        # To end here would pass for the end of the list.
        raise EndlessList(f"goes on at an address of more than {LONGEST_LINK:,} characters")
    return place
