"""One call: what is asked again, how often and when, and what is raised at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import requests
import urllib3
from client_scripted_service import Clock, MakeClient, Reply, Service, reply

from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.rate_limiter import RateLimiter
from airflow_sentinelhub.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidCredentials,
    JobMayExist,
    NotFound,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    Unauthorized,
)

JOB = {"id": "1", "status": "CREATED"}
LIMITED = {"status": 429, "reason": "Too Many Requests", "message": "You have exceeded your rate limit",
           "code": "RATE_LIMIT_EXCEEDED"}  # fmt: skip
NO_CONNECTION = requests.ConnectionError(
    urllib3.exceptions.MaxRetryError(
        urllib3.HTTPSConnectionPool("sh.example"),
        "/",
        urllib3.exceptions.NewConnectionError(urllib3.connection.HTTPConnection("sh.example"), "refused"),
    )
)
NEVER_SENT = [
    pytest.param(NO_CONNECTION, id="refused"),
    pytest.param(requests.ConnectTimeout("10 s"), id="connect timeout"),
    pytest.param(requests.exceptions.ProxyError("proxy"), id="proxy"),
    pytest.param(reply(LIMITED, status=429, Retry_After="1"), id="429"),
]
PERHAPS_DONE = [
    pytest.param(reply(status=500), id="500"),
    pytest.param(reply("<h1>Bad Gateway</h1>", status=502), id="502 HTML"),
    pytest.param(reply({"error": {"message": "busy"}}, status=503), id="503"),
    pytest.param(reply(status=408), id="408"),
    pytest.param(
        requests.ConnectionError(urllib3.exceptions.ProtocolError("x", ConnectionResetError())), id="reset"
    ),
    pytest.param(requests.ReadTimeout("30 s"), id="read timeout"),
    pytest.param(requests.exceptions.ChunkedEncodingError("broke"), id="broken off"),
    pytest.param(reply("<html>Please log in</html>"), id="HTML"),
]
UNUSABLE = [
    pytest.param(reply(""), id="empty"),
    pytest.param(reply(" \n"), id="blank"),
    pytest.param(reply('{"id": "1", "sta'), id="truncated"),
    pytest.param(reply(b"\xff\xfe\x00"), id="no text"),
    pytest.param(reply("[" * 100_000), id="too deep"),
    pytest.param(reply([JOB]), id="list"),
    pytest.param(reply("null"), id="null"),
]


@pytest.mark.parametrize("failure", NEVER_SENT + PERHAPS_DONE + UNUSABLE)
def test_trouble_is_retried_within_the_budget(
    client: BatchClient, service: Service, clock: Clock, failure: Reply
) -> None:
    service.script = [failure, failure, reply(JOB)]
    assert client.get("1") == JOB
    assert len(clock.slept) == 2


@pytest.mark.parametrize("failure", NEVER_SENT + PERHAPS_DONE + UNUSABLE)
def test_without_a_budget_there_is_one_attempt(
    client: BatchClient, service: Service, clock: Clock, failure: Reply
) -> None:
    service.script = [failure]
    with pytest.raises(ServiceUnavailable, match=r"^[NR].*\(Batch Process job 1\)\n.*sh\.example.*\.$") as caught:
        client.get("1", budget=0)
    assert (caught.value.job_id, caught.value.api) == ("1", "process")
    assert clock.slept == []


def test_the_clients_own_budget_is_the_default(make_client: MakeClient, service: Service) -> None:
    service.script = [reply(status=503)]
    with pytest.raises(ServiceUnavailable):
        make_client(budget=0).get("1")


def test_pauses_double_and_the_last_failure_is_raised(client: BatchClient, service: Service, clock: Clock) -> None:
    service.script = [reply({"error": {"message": f"no. {n}"}}, status=503) for n in range(1, 10)]
    with pytest.raises(ServiceUnavailable, match=r"no\. 5") as caught:
        client.get("1", budget=10)
    assert clock.slept == [1, 2, 4, 3]
    assert caught.value.http_status == 503
    assert caught.value.service_message == "no. 5"


def test_5xx_that_names_a_time_is_left_alone_until_then(
    client: BatchClient, service: Service, clock: Clock
) -> None:
    service.script = [reply(status=503, Retry_After="20"), reply(JOB)]
    client.get("1")
    assert clock.slept == [20]


@pytest.mark.parametrize("body", [LIMITED, {"error": LIMITED}], ids=["flat", "wrapped"])
def test_429_carries_what_the_service_said(client: BatchClient, service: Service, body: Any) -> None:
    service.script = [reply(body, status=429, Retry_After="3398")]
    with pytest.raises(RateLimited) as caught:
        client.get("1", budget=0)
    error = caught.value
    assert (error.retry_after, error.code, error.http_status) == (3.398, "RATE_LIMIT_EXCEEDED", 429)
    assert error.service_message == "You have exceeded your rate limit"


def test_429_is_waited_for_exactly(client: BatchClient, service: Service, clock: Clock) -> None:
    service.script = [
        reply(LIMITED, status=429, Retry_After="3398"),
        reply(status=429, Retry_After="7"),
        reply(JOB),
    ]
    assert client.get("1") == JOB
    assert clock.slept == [3.398, 7]


def test_429_beyond_the_budget_is_raised_at_once(client: BatchClient, service: Service, clock: Clock) -> None:
    service.script = [reply(status=429, Retry_After="90")]
    with pytest.raises(RateLimited):
        client.get("1", budget=60)
    assert clock.slept == []


def test_429_without_a_time(
    client: BatchClient, service: Service, clock: Clock, rate_limiter: RateLimiter
) -> None:
    service.script = [reply(status=429), reply(status=429), reply(JOB)]
    assert client.get("1") == JOB
    assert clock.slept == [1, 2]
    service.script = [reply(status=429)]
    with pytest.raises(RateLimited) as caught:
        client.get("1", budget=0)
    assert caught.value.retry_after is None
    assert len(rate_limiter) == 1


def test_after_a_429_nobody_of_the_account_asks(make_client: MakeClient, service: Service, clock: Clock) -> None:
    service.script = [reply(status=429, Retry_After="30")]
    with pytest.raises(RateLimited):
        make_client().get("1", budget=0)
    clock.now += 10
    with pytest.raises(RateLimited, match=r"again in 20\.0 s.*\n.*was not asked to list jobs") as caught:
        next(make_client().list(budget=0))
    assert caught.value.retry_after == 20
    assert caught.value.http_status is None
    assert len(service.requests) == 1
    service.script = [reply(JOB)]
    assert make_client().get("2", budget=30) == JOB
    assert clock.slept == [20]


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (400, BadRequest, "look at the job"),
        (403, Forbidden, "plan"),
        (404, NotFound, "no such job"),
        (409, Conflict, "state"),
        (405, None, "will not help"),
        (422, None, "will not help"),
    ],
)
def test_refusals_are_raised_at_once(
    client: BatchClient, service: Service, clock: Clock, status: int, kind: Any, advice: str
) -> None:
    service.script = [reply({"error": {"status": status, "message": "No.", "code": "COMMON_NO"}}, status=status)]
    with pytest.raises(RequestRefused, match=rf'(?s)^Refused: {status}, COMMON_NO: "No\." \(.*{advice}') as caught:
        client.start("1")
    error = caught.value
    assert type(error) is (kind or RequestRefused)
    assert (error.http_status, error.code, error.service_message) == (status, "COMMON_NO", "No.")
    assert (error.job_id, error.api) == ("1", "process")
    assert (len(service.requests), clock.slept) == (1, [])


def test_401_renews_the_token_once(client: BatchClient, service: Service, clock: Clock) -> None:
    service.script = [reply(status=401), reply(JOB), reply(JOB)]
    assert client.get("1", budget=0) == JOB
    assert client.get("1", budget=0) == JOB
    assert service.bearers == ["token-1", "token-2", "token-2"]
    assert clock.slept == []


def test_401_on_the_new_token_is_raised(client: BatchClient, service: Service, clock: Clock) -> None:
    said = {"error": {"status": 401, "message": "You are not authorized!", "code": "COMMON_UNAUTHORIZED"}}
    service.script = [reply(said, status=401), reply(said, status=401)]
    with pytest.raises(Unauthorized, match=r"auth_url \(id\.example\) belongs to its base URL") as caught:
        client.get("1", budget=60)
    assert caught.value.code == "COMMON_UNAUTHORIZED"
    assert (len(service.token_requests), clock.slept) == (2, [])


def test_401_after_an_outage_does_not_renew_a_second_time(client: BatchClient, service: Service) -> None:
    service.script = [reply(status=401), reply(status=503), reply(status=401)]
    with pytest.raises(Unauthorized):
        client.get("1", budget=60)
    assert service.bearers == ["token-1", "token-2", "token-2"]


def test_401_when_another_thread_has_renewed_uses_its_token(make_client: MakeClient, service: Service) -> None:
    one, other = make_client(), make_client()

    def overtaken() -> Reply:
        service.script = [reply(status=401), reply(JOB)]
        other.get("1")
        service.script = [reply(JOB)]
        return reply(status=401)

    service.script = [overtaken]
    assert one.get("1") == JOB
    assert service.bearers == ["token-1", "token-1", "token-2", "token-2"]
    assert len(service.token_requests) == 2


def test_401_and_then_no_token(client: BatchClient, service: Service) -> None:
    service.script = [reply(JOB), reply(status=401)]
    client.get("1")
    service.token_script = [reply({"error": "invalid_client"}, status=401)]
    with pytest.raises(InvalidCredentials):
        client.get("1")


def test_token_is_renewed_before_its_end(client: BatchClient, service: Service, clock: Clock) -> None:
    service.script = [reply(JOB)] * 3
    for pause in (0, 3538, 2):
        clock.now += pause
        client.get("1")
    assert service.bearers == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize("failure", NEVER_SENT)
def test_create_is_repeated_when_nothing_was_created(
    client: BatchClient, service: Service, failure: Reply
) -> None:
    service.script = [failure, reply(JOB, status=201)]
    assert client.create({"a": 1}) == JOB


def test_create_is_repeated_after_trouble_with_the_token(client: BatchClient, service: Service) -> None:
    service.token_script = [reply(status=503)]
    service.script = [reply(status=401), reply(JOB, status=201)]
    assert client.create({"a": 1}) == JOB


@pytest.mark.parametrize("failure", PERHAPS_DONE + UNUSABLE)
def test_create_is_not_repeated_when_a_job_may_exist(
    client: BatchClient, service: Service, clock: Clock, failure: Reply
) -> None:
    service.script = [failure]
    with pytest.raises(JobMayExist, match=r"asked to create a job\.\nThe job may exist all the same: list"):
        client.create({"a": 1})
    assert (len(service.requests), clock.slept) == (1, [])


def test_job_may_exist_is_an_outage_that_carries_its_cause(client: BatchClient, service: Service) -> None:
    service.script = [reply({"error": {"message": "oops", "code": "COMMON_EXCEPTION"}}, status=500)]
    with pytest.raises(ServiceUnavailable) as caught:
        client.create({"a": 1})
    error = caught.value
    assert (error.http_status, error.code, error.service_message) == (500, "COMMON_EXCEPTION", "oops")


def test_action_refused_after_a_lost_answer_says_that_it_may_be_done(
    client: BatchClient, service: Service
) -> None:
    service.script = [reply(status=502), reply({"error": {"message": "started already"}}, status=400)]
    with pytest.raises(BadRequest, match="An attempt just before, whose answer was lost, may have done it"):
        client.start("1")
    service.script = [reply({"error": {"message": "started already"}}, status=400)]
    with pytest.raises(BadRequest) as caught:
        client.start("1")
    assert "attempt" not in str(caught.value)


def test_a_read_that_is_refused_after_a_lost_answer_has_done_nothing(
    client: BatchClient, service: Service
) -> None:
    service.script = [reply(status=502), reply(status=400)]
    with pytest.raises(BadRequest, match="400, without a word of why") as caught:
        client.get("1")
    assert "attempt" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{}", b"OK"])
def test_action_needs_no_body(client: BatchClient, service: Service, body: bytes) -> None:
    service.script = [reply(body, status=204 if not body else 200)]
    client.start("1", budget=0)


def test_page_of_html_is_no_success_of_an_action(client: BatchClient, service: Service) -> None:
    service.script = [reply("<html>Please log in</html>")]
    with pytest.raises(ServiceUnavailable, match=r"page of HTML \(200\)"):
        client.start("1", budget=0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_redirect_names_its_target_and_the_field(
    client: BatchClient, service: Service, clock: Clock, status: int
) -> None:
    service.script = [reply(status=status, Location="//login.example:8443/in?x=hush")]
    with pytest.raises(ServiceUnavailable, match=r"redirects to https://login\.example:8443 .*base URL") as caught:
        client.get("1")
    assert caught.value.lasting
    assert "hush" not in str(caught.value)
    assert (len(service.requests), clock.slept) == (1, [])


@pytest.mark.parametrize("location", [None, "http://[", "http://x:port/"])
def test_redirect_without_a_target_that_can_be_read(
    client: BatchClient, service: Service, location: str | None
) -> None:
    service.script = [reply(status=302, **({} if location is None else {"Location": location}))]
    with pytest.raises(ServiceUnavailable, match="redirects to"):
        client.get("1")


def test_errors_have_no_history(client: BatchClient, service: Service) -> None:
    """A retried call raises its last failure alone, without the chain of those before it."""
    service.script = [requests.ReadTimeout("slow"), reply(status=503)]
    with pytest.raises(ServiceUnavailable) as caught:
        client.get("1", budget=1)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_a_limit_of_the_connection_is_kept_to_within_the_budget(
    make_client: MakeClient, config: ClientConfig, clock: Clock, service: Service
) -> None:
    client = make_client(config=replace(config, requests_per_minute=2), budget=100.0)
    service.script = [reply(JOB)] * 6
    began = clock()
    for _ in range(6):
        client.get("1")
    assert clock() - began == pytest.approx(122, abs=0.1)
    with pytest.raises(RateLimited, match="was not asked"):
        client.get("1", budget=0)


def test_a_closed_client_limits_nobody_any_more(
    make_client: MakeClient, config: ClientConfig, service: Service, rate_limiter: RateLimiter
) -> None:
    client = make_client(config=replace(config, requests_per_minute=1))
    client.close()
    client.close()
    service.script = [reply(JOB)] * 3
    for _ in range(3):
        make_client().get("1", budget=0)


def test_a_caller_that_asks_for_admission_itself_is_counted_once(
    make_client: MakeClient, config: ClientConfig, service: Service
) -> None:
    client = make_client(config=replace(config, requests_per_minute=2), rate_limited_by_caller=True)
    service.script = [reply(JOB)] * 2
    for _ in range(2):
        assert client.try_acquire() == 0
        client.get("1", budget=0)
    assert client.try_acquire() == 61


def test_a_renewal_of_the_token_is_counted_for_such_a_caller_too(
    make_client: MakeClient, config: ClientConfig, service: Service
) -> None:
    client = make_client(config=replace(config, requests_per_minute=3), rate_limited_by_caller=True)
    service.script = [reply(status=401), reply(JOB)]
    assert client.try_acquire() == 0
    client.get("1", budget=0)
    assert [client.try_acquire(), client.try_acquire()] == [0, 61]


def spurious(wrapped: bool = True) -> Reply:
    error = {"status": 400, "reason": "Bad Request", "message": "Request body should be non-empty.",
             "code": "COMMON_BAD_PAYLOAD"}  # fmt: skip
    return reply({"error": error} if wrapped else error, status=400)


CALLS = [
    pytest.param(lambda client, budget: client.get("1", budget=budget), id="get"),
    pytest.param(lambda client, budget: client.create({}, budget=budget), id="create"),
    pytest.param(lambda client, budget: client.analyse("1", budget=budget), id="analyse"),
    pytest.param(lambda client, budget: client.start("1", budget=budget), id="start"),
    pytest.param(lambda client, budget: client.stop("1", budget=budget), id="stop"),
    pytest.param(lambda client, budget: [*client.list(budget=budget)], id="list"),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_request_that_did_not_arrive_is_sent_again(
    client: BatchClient, service: Service, clock: Clock, call: Any, wrapped: bool
) -> None:
    """A passing fault of the service: it says 400 to what was in order. Nothing was done."""
    service.script = [spurious(wrapped), spurious(wrapped), reply({"id": "1", "data": []})]
    call(client, 60)
    assert len(service.requests) == 3
    assert len({request.body for request in service.requests}) == 1
    assert clock.slept == [1, 2]


@pytest.mark.parametrize("call", CALLS)
def test_a_request_that_never_arrives_is_no_refusal(client: BatchClient, service: Service, call: Any) -> None:
    service.script = [spurious()] * 9
    with pytest.raises(ServiceUnavailable, match=r"400 .*should be non-empty") as caught:
        call(client, 10)
    assert type(caught.value) is ServiceUnavailable
    assert not caught.value.lasting
    assert (caught.value.http_status, caught.value.code) == (400, "COMMON_BAD_PAYLOAD")


def test_the_creation_that_may_have_been_done_is_not_repeated_after_one_that_did_not_arrive(
    client: BatchClient, service: Service
) -> None:
    service.script = [spurious(), reply(status=502)]
    with pytest.raises(JobMayExist):
        client.create({})
    assert len(service.requests) == 2
