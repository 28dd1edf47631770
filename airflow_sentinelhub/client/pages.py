"""From one page of a list to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Payload = dict[str, Any]
Page = list[Payload]


def pages(fetch: Callable[[Mapping[str, str]], Payload], params: Mapping[str, str]) -> Iterator[Page]:
    """
    Walk through a list, one request for each page, and none before the page is wanted.

    It ends with the last page, an empty one, or one that continues where the walk has already been (a service
    that repeats its token would keep us for ever).

    :param fetch: gets the page for a query.
    :param params: query of the first page.
    """
    query = dict(params)
    seen: set[frozenset[tuple[str, str]]] = set()
    while (place := frozenset(query.items())) not in seen:
        seen.add(place)
        payload = fetch(query)
        items = [[item for item in payload.get("data") or [] if isinstance(item, dict)]]
        if not items[0]:
            return
        query = {**params, **_continuation(payload)}
        # A walk that pauses here, perhaps for minutes, must not keep a page of whole jobs.
        del payload
        yield items.pop()


def _continuation(payload: Payload) -> dict[str, str]:
    """
    Tell what to add to the query for the next page; nothing where there is none.

    Only the query of ``links.next`` counts: its path uses the new URL layout whichever was asked.
    """
    links = payload.get("links")
    if not isinstance(links, dict):
        return {}
    token = links.get("nextToken")
    if token not in (None, ""):
        return {"viewtoken": str(token)}
    following = links.get("next")
    if not isinstance(following, str):
        return {}
    try:
        return dict(parse_qsl(urlsplit(following).query))
    except ValueError:
        return {}
