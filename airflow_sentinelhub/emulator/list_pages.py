"""Lists, a page at a time (sentinelhub-api.md, section 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from airflow_sentinelhub.emulator.refusals import HttpRefusal

T = TypeVar("T")
SORTS = ("created", "created:desc", "status", "status:desc")


def page(
    items: Sequence[T], query: Mapping[str, str], page_size: int, url: str
) -> tuple[Sequence[T], dict[str, str]]:
    """
    One page of a list, and the links to the next.

    :param query: ``count`` is cut down to the page size, ``viewtoken`` is an offset, so pages shift when the
        list grows in between. Everything else is repeated in the links.
    :param url: absolute address of the list, for the links.
    :raises HttpRefusal: 400 for a count or a token that is no number, or a count below 1 (what the real service
        does then is not documented).
    """
    count = min(_number(query, "count", page_size, least=1), page_size)
    offset = _number(query, "viewtoken", 0, least=0)
    following = offset + count
    if following >= len(items):
        return items[offset:following], {}
    asked = {name: value for name, value in query.items() if name != "viewtoken"}
    return items[offset:following], {
        "@id": _address(url, query),
        "nextToken": str(following),
        "next": _address(url, asked | {"viewtoken": str(following)}),
    }


def sort_of(query: Mapping[str, str], default: str) -> tuple[str, bool]:
    """
    Field to sort by, and whether the largest comes first.

    :raises HttpRefusal: 400 for an order that does not exist.
    """
    sort = query.get("sort", default)
    if sort not in SORTS:
        raise HttpRefusal(400, f"sort must be one of {', '.join(SORTS)}, but was {sort!r}.")
    name, _, direction = sort.partition(":")
    return name, direction == "desc"


def _number(query: Mapping[str, str], name: str, default: int, least: int) -> int:
    try:
        number = int(query.get(name, default))
    except ValueError:
        number = least - 1
    if number < least:
        raise HttpRefusal(400, f"{name} must be an integer of at least {least}, but was {query[name]!r}.")
    return number


def _address(url: str, query: Mapping[str, str]) -> str:
    return f"{url}?{urlencode(query)}" if query else url
