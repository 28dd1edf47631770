"""Which request each method sends, and what it makes of the answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from client_scripted_service import Clock, MakeClient, Service, reply

from airflow_sentinelhub.client import batch as batch_module
from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.pagination import JOBS, TILES, ListBounds
from airflow_sentinelhub.exceptions import (
    BadRequest,
    InvalidPayload,
    InvalidRequestId,
    NotFound,
    RateLimited,
    ServiceUnavailable,
    UnsupportedOperation,
)
from airflow_sentinelhub.jobs.api import BatchApi, UrlLayout
from airflow_sentinelhub.jobs.statuses import TileStatus

PROCESS, STATISTICAL, V1 = BatchApi.PROCESS, BatchApi.STATISTICAL, BatchApi.PROCESS_V1
LEGACY, NEW = UrlLayout.LEGACY, UrlLayout.NEW


@pytest.mark.parametrize(
    ("api", "layout", "call", "method", "path"),
    [
        (PROCESS, LEGACY, lambda c: c.get("7"), "GET", "/api/v2/batch/process/7"),
        (PROCESS, NEW, lambda c: c.get("7"), "GET", "/batch/v2/process/7"),
        (PROCESS, LEGACY, lambda c: c.create({}), "POST", "/api/v2/batch/process"),
        (PROCESS, LEGACY, lambda c: c.analyse("7"), "POST", "/api/v2/batch/process/7/analyse"),
        (PROCESS, NEW, lambda c: c.start("7"), "POST", "/batch/v2/process/7/start"),
        (PROCESS, LEGACY, lambda c: c.stop("7"), "POST", "/api/v2/batch/process/7/stop"),
        (PROCESS, LEGACY, lambda c: c.cancel("7"), "POST", "/api/v2/batch/process/7/stop"),
        (PROCESS, LEGACY, lambda c: next(c.list()), "GET", "/api/v2/batch/process?sort=created%3Adesc"),
        (STATISTICAL, LEGACY, lambda c: c.get("7"), "GET", "/api/v1/statistics/batch/7"),
        (STATISTICAL, LEGACY, lambda c: c.status("7"), "GET", "/api/v1/statistics/batch/7/status"),
        (STATISTICAL, NEW, lambda c: c.status("7"), "GET", "/statistics/batch/v1/7/status"),
        (STATISTICAL, NEW, lambda c: c.create({}), "POST", "/statistics/batch/v1"),
        (STATISTICAL, LEGACY, lambda c: c.stop("7"), "POST", "/api/v1/statistics/batch/7/stop"),
        (V1, LEGACY, lambda c: c.get("7"), "GET", "/api/v1/batch/process/7"),
        (V1, NEW, lambda c: c.start("7"), "POST", "/api/v1/batch/process/7/start"),
        (V1, LEGACY, lambda c: c.stop("7"), "POST", "/api/v1/batch/process/7/cancel"),
        (V1, LEGACY, lambda c: c.cancel("7"), "POST", "/api/v1/batch/process/7/cancel"),
        (V1, LEGACY, lambda c: c.restart_partial("7"), "POST", "/api/v1/batch/process/7/restartpartial"),
        (V1, LEGACY, lambda c: next(c.tiles("7")), "GET", "/api/v1/batch/process/7/tiles"),
        (PROCESS, LEGACY, lambda c: c.get("a/b?c#d é"), "GET", "/api/v2/batch/process/a%2Fb%3Fc%23d%20%C3%A9"),
    ],
)
def test_request(
    make_client: MakeClient,
    service: Service,
    config: ClientConfig,
    api: BatchApi,
    layout: UrlLayout,
    call: Callable[[BatchClient], Any],
    method: str,
    path: str,
) -> None:
    service.script = [reply({"data": [{"id": "7"}]})]  # a job or a page, as one likes
    call(make_client(api, replace(config, url_layout=layout)))
    (request,) = service.requests
    assert (request.method, request.url) == (method, f"https://sh.example{path}")
    assert request.headers["User-Agent"].startswith("airflow-provider-sentinelhub/")
    assert request.headers["Accept"] == "application/json"


def test_base_url_may_have_a_path(make_client: MakeClient, service: Service, config: ClientConfig) -> None:
    service.script = [reply({})]
    make_client(config=replace(config, base_url="https://sh.example/proxy/")).get("7")
    assert service.requests[0].url == "https://sh.example/proxy/api/v2/batch/process/7"


def test_actions_send_no_body_and_return_nothing(client: BatchClient, service: Service) -> None:
    service.script = [reply(status=204)] * 3
    assert [client.analyse("7"), client.start("7"), client.stop("7")] == [None] * 3  # type: ignore[func-returns-value]
    assert [request.body for request in service.requests] == [None] * 3


def test_create_sends_json_and_returns_the_job(client: BatchClient, service: Service) -> None:
    request = {"description": "Ljubljanski žabe", "output": {"delivery": {"s3": {"accessKey": "AK"}}}}
    service.script = [reply({"id": "7", "request": request}, status=201)]
    job = client.create(request)
    assert json.loads(service.requests[0].body) == request
    assert service.requests[0].headers["Content-Type"] == "application/json"
    assert job["id"] == "7"
    assert job["request"]["output"]["delivery"]["s3"] == {"accessKey": "*****"}
    assert request["output"]["delivery"]["s3"] == {"accessKey": "AK"}  # type: ignore[index]


@pytest.mark.parametrize("request_", [{"a": {1, 2}}, {"a": float("nan")}, {("a",): 1}, "text"])
def test_request_that_is_no_json_is_not_sent(client: BatchClient, service: Service, request_: Any) -> None:
    with pytest.raises(BadRequest, match="cannot be written as JSON, and was not sent") as caught:
        client.create(request_)
    assert (service.token_requests, caught.value.__context__) == ([], None)


@pytest.mark.parametrize("job_id", ["", ".", ".."])
@pytest.mark.parametrize("method", ["get", "start", "stop"])
def test_id_that_would_ask_for_something_else(
    client: BatchClient, service: Service, method: str, job_id: str
) -> None:
    with pytest.raises(InvalidRequestId, match="no batch request id"):
        getattr(client, method)(job_id)
    assert service.token_requests == []


@pytest.mark.parametrize(
    ("api", "call", "message"),
    [
        (PROCESS, lambda c: c.status("7"), r"Batch Process has no status: get\(\)"),
        (V1, lambda c: c.status("7"), r"Batch Process v1 has no status: get\(\)"),
        (PROCESS, lambda c: c.tiles("7"), "Batch Process has no tiles: .*output bucket"),
        (STATISTICAL, lambda c: c.tiles("7"), "Batch Statistical has no tiles"),
        (PROCESS, lambda c: c.restart_partial("7"), r"Batch Process has no restart_partial: start\(\)"),
        (STATISTICAL, lambda c: c.restart_partial("7"), r"has no restart_partial: start\(\)"),
    ],
)
def test_what_the_api_lacks(
    make_client: MakeClient, service: Service, api: BatchApi, call: Callable[[BatchClient], Any], message: str
) -> None:
    """It is said at once, also by what returns an iterator."""
    with pytest.raises(UnsupportedOperation, match=message):
        call(make_client(api))
    assert service.token_requests == []


def queries(service: Service) -> list[dict[str, str]]:
    return [dict(parse_qsl(urlsplit(request.url).query)) for request in service.requests]


def page(*ids: int, **links: Any) -> Any:
    return reply({"data": [{"id": number} for number in ids], "links": links})


def ids_of(pages: Any) -> list[list[int]]:
    return [[job["id"] for job in one] for one in pages]


def test_list_follows_tokens(client: BatchClient, service: Service) -> None:
    service.script = [page(1, 2, nextToken="2"), page(3, 4, nextToken=4), page(5)]
    assert ids_of(client.list(page_size=2, sort="created")) == [[1, 2], [3, 4], [5]]
    assert queries(service) == [
        {"sort": "created", "count": "2"},
        {"sort": "created", "count": "2", "viewtoken": "2"},
        {"sort": "created", "count": "2", "viewtoken": "4"},
    ]


def test_list_follows_links_by_their_query_only(client: BatchClient, service: Service) -> None:
    service.script = [
        page(1, next="https://elsewhere.example/batch/v2/process?count=1&viewtoken=x%2By&sort=created:desc"),
        page(2, next="/batch/v2/process?viewtoken=z", nextToken="preferred"),
        page(3, next="http://[broken?viewtoken=z"),
    ]
    assert ids_of(client.list()) == [[1], [2], [3]]
    assert [urlsplit(request.url).netloc + urlsplit(request.url).path for request in service.requests] == [
        "sh.example/api/v2/batch/process"
    ] * 3
    assert [query.get("viewtoken") for query in queries(service)] == [None, "x+y", "preferred"]


@pytest.mark.parametrize(
    "last",
    [
        page(2),
        page(2, nextToken=None),
        page(2, nextToken=""),
        page(2, next=None),
        page(2, next=42),
        page(2, next="https://sh.example/batch/v2/process"),
        reply({"data": [{"id": 2}]}),
        reply({"data": [{"id": 2}], "links": None}),
        page(2, nextToken="1"),  # where the walk has been already
        page(2, next="https://sh.example/batch/v2/process?viewtoken=1"),
    ],
)
def test_list_ends(client: BatchClient, service: Service, last: Any) -> None:
    service.script = [page(1, nextToken="1"), last]
    assert ids_of(client.list()) == [[1], [2]]


def test_list_ends_where_tokens_go_in_a_circle(client: BatchClient, service: Service) -> None:
    service.script = [page(1, nextToken="a"), page(2, nextToken="b"), page(3, nextToken="a")]
    assert ids_of(client.list()) == [[1], [2], [3]]


@pytest.mark.parametrize(
    "empty",
    [page(nextToken="2"), reply({}), reply({"data": None, "links": {}}), reply({"links": {"nextToken": "2"}})],
)
def test_empty_page_ends_the_list(client: BatchClient, service: Service, empty: Any) -> None:
    service.script = [page(1, nextToken="1"), empty]
    assert ids_of(client.list()) == [[1]]


def test_list_asks_for_no_page_that_is_not_wanted(client: BatchClient, service: Service) -> None:
    service.script = [page(1, nextToken="1")]
    walk = client.list()
    assert service.requests == []
    assert ids_of([next(walk)]) == [[1]]
    assert len(service.requests) == 1


def test_items_that_are_no_jobs_are_left_out(client: BatchClient, service: Service) -> None:
    service.script = [reply({"data": [{"id": 1}, None, "x"]})]
    assert ids_of(client.list()) == [[1]]


@pytest.mark.parametrize("garbage", [{"data": "x"}, {"data": {"id": 1}}, {"error": {"message": "x"}}, {"id": "1"}])
def test_what_is_no_page_is_asked_for_again(
    client: BatchClient, service: Service, clock: Clock, garbage: Any
) -> None:
    service.script = [reply(garbage), page(1)]
    assert ids_of(client.list()) == [[1]]
    assert clock.slept == [1]


def test_every_page_has_the_budget(client: BatchClient, service: Service, clock: Clock) -> None:
    busy = reply(status=503)
    service.script = [busy, page(1, nextToken="1"), busy, page(2, nextToken="2"), busy, busy]
    walk = client.list(budget=1)
    assert ids_of([next(walk), next(walk)]) == [[1], [2]]
    with pytest.raises(ServiceUnavailable):
        next(walk)
    assert clock.slept == [1, 1, 1]


@pytest.mark.parametrize("size", [0, -1])
def test_page_size_makes_sense(client: BatchClient, size: int) -> None:
    with pytest.raises(ValueError, match="page_size"):
        client.list(page_size=size)


@pytest.mark.parametrize("status", [TileStatus.FAILED, "FAILED"])
def test_tiles_are_streamed(make_client: MakeClient, service: Service, status: str) -> None:
    service.script = [page(1, 2, nextToken="2"), page(3)]
    walk = make_client(V1).tiles("7", status=status, page_size=2)
    assert [next(walk)["id"], next(walk)["id"]] == [1, 2]
    assert len(service.requests) == 1
    assert [tile["id"] for tile in walk] == [3]
    assert queries(service) == [
        {"status": "FAILED", "count": "2"},
        {"status": "FAILED", "count": "2", "viewtoken": "2"},
    ]


@pytest.mark.parametrize(
    ("api", "call", "message"),
    [
        (STATISTICAL, lambda c: c.get("7"), r"\(Batch Statistical job 7\)\n.*deleted \(jobs are kept 7 days when"),
        (PROCESS, lambda c: c.get("7"), r"\(Batch Process job 7\)\n.*it was deleted, belongs to another"),
        (PROCESS, lambda c: next(c.list()), r"\(Batch Process\)\n.*no such API: check .*base URL and url_layout"),
    ],
)
def test_404_says_what_is_missing(
    make_client: MakeClient, service: Service, api: BatchApi, call: Callable[[BatchClient], Any], message: str
) -> None:
    service.script = [reply(status=404)]
    with pytest.raises(NotFound, match=message):
        call(make_client(api))


def test_context_manager_closes(make_client: MakeClient, service: Service) -> None:
    service.script = [reply({})] * 2
    with make_client() as client:
        client.get("7")
    client.close()


def test_defaults_are_those_of_the_process(config: ClientConfig, service: Service) -> None:
    from airflow_sentinelhub.client.rate_limiter import SHARED_RATE_LIMITER
    from airflow_sentinelhub.client.token_cache import SHARED_TOKEN_CACHE

    try:
        service.script = [reply({}), reply({}), reply(status=429, Retry_After="30")]
        for _ in range(2):
            with BatchClient(config, PROCESS) as client:
                client.get("7")
        assert service.bearers == ["token-1", "token-1"]
        for api, message in ((STATISTICAL, "429"), (PROCESS, "was not asked")):
            with BatchClient(config, api, budget=0) as client, pytest.raises(RateLimited, match=message):
                client.get("7")
    finally:
        SHARED_TOKEN_CACHE.reset()
        SHARED_RATE_LIMITER.reset()


def test_a_page_that_was_taken_is_not_kept_until_the_next_one(client: BatchClient, service: Service) -> None:
    service.script = [reply({"data": [{"id": "1"}], "links": {"nextToken": "2"}})]
    pages = client.list()
    page = next(pages)
    assert sys.getrefcount(page) == 2, "this name and the argument of getrefcount()"


def endless(service: Service, entry: Callable[[int], Any] = lambda number: {"id": number}) -> None:
    """A service that gives a new token with each page."""

    def script() -> Iterator[Callable[[], Any]]:
        for number in count(1):
            body = {"data": [entry(number)], "links": {"nextToken": f"t{number}"}}
            yield lambda body=body: reply(body)  # type: ignore[misc]

    class Endless(list[Any]):
        def __init__(self) -> None:
            super().__init__([None])
            self._steps = script()

        def pop(self, _: Any = 0) -> Any:
            return next(self._steps)

    service.script = Endless()


SMALL = ListBounds(items=50, pages=40, seconds=600.0)


@pytest.mark.parametrize(
    ("bounds", "entry", "reason"),
    [
        ({"items": 20}, lambda number: {"id": number}, "has more than 20 entries"),
        ({}, lambda number: {"id": number}, "has more than 40 pages"),
        ({"size": 2**20}, lambda number: {"id": number, "text": "x" * 100_000}, "is longer than 1 MiB"),
        ({}, lambda number: {"id": 7}, "the same entries again and again"),
    ],
)
@pytest.mark.parametrize("what", ["list", "tiles"])
def test_list_without_an_end(
    make_client: MakeClient,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    bounds: dict[str, Any],
    entry: Callable[[int], Any],
    reason: str,
    what: str,
) -> None:
    monkeypatch.setattr(batch_module, "JOBS", replace(SMALL, **bounds))
    monkeypatch.setattr(batch_module, "TILES", replace(SMALL, **bounds))
    endless(service, entry)
    client = make_client(BatchApi.PROCESS_V1)
    with pytest.raises(InvalidPayload, match=reason) as caught:
        list(client.list() if what == "list" else client.tiles("the-job"))
    assert len(service.requests) <= 41
    if what == "tiles":
        assert "job the-job" in str(caught.value)
        assert (caught.value.job_id, caught.value.api) == ("the-job", "process_v1")


def test_list_that_takes_for_ever(
    client: BatchClient, service: Service, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only time in which it is read counts, as a walk may pause."""
    monkeypatch.setattr(batch_module, "JOBS", SMALL)

    def slow(number: int) -> Any:
        clock.now += 50
        return {"id": number}

    endless(service, slow)

    def pausing() -> Iterator[Any]:
        for page in client.list():
            clock.now += 10_000
            yield page

    seen: list[Any] = []
    with pytest.raises(InvalidPayload, match="could not be read in"):
        seen.extend(pausing())
    assert len(seen) == 12


@pytest.mark.parametrize(
    "link", [{"nextToken": "x" * 9000}, {"next": "https://sh.example/?viewtoken=" + "x" * 9000}]
)
def test_list_that_goes_on_at_an_address_of_any_length_has_not_ended(
    client: BatchClient, service: Service, link: dict[str, str]
) -> None:
    service.script = [page(1, **link)]
    with pytest.raises(InvalidPayload, match=r"more than 8,000 characters \(Batch Process\)\n.*list jobs"):
        list(client.list())


def test_the_largest_lists_that_are_real_are_read() -> None:
    """100 tiles on a page of 60 kB, for all land of the earth; and 10,000 whole jobs."""
    assert TILES.items > 375_000
    assert TILES.pages > 375_000 / 100
    assert TILES.size > 375_000 * 600
    assert (JOBS.items, JOBS.pages, JOBS.size) > (10_000, 100, 10_000 * 40_000)
