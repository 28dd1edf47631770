"""One page of the list, read in a thread: the watched jobs on it, and the results that are wanted."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_sentinelhub.exceptions import InvalidPayload
from airflow_sentinelhub.jobs import BatchJob
from airflow_sentinelhub.polling.list_index import ListScan
from airflow_sentinelhub.waits.fetch import ListReader
from airflow_sentinelhub.waits.job_reading import id_of, read_job


@dataclass(frozen=True, slots=True)
class ListPage:
    """
    Readings kept of a page.

    :param watched: the watched jobs on it.
    :param results: readings of those that were looked for.
    """

    watched: list[str]
    results: dict[str, BatchJob | InvalidPayload]


def read_page(
    reader: ListReader, scan: ListScan, wanted: frozenset[str], watched: Container[str]
) -> ListPage | None:
    """Read the next page of a walk, in a thread; ``None`` at the end of the list."""
    if scan.pages is None:
        scan.pages = reader.list(budget=0)
    pages: Iterator[list[dict[str, Any]]] = scan.pages
    page = next(pages, None)
    if page is None:
        return None
    found = ListPage([], {})
    for payload in page:
        job = id_of(payload)
        if job in watched:
            found.watched.append(job)
        if job in wanted and job not in found.results:
            found.results[job] = read_job(reader.api, payload)
    return found


def read_first_page(reader: ListReader) -> None:
    """Read the first page of the list for nothing but to see that it can be read."""
    next(reader.list(budget=0), None)
