"""What is sent to the token endpoint, and what its answers mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from client_scripted_service import AUTH_URL, Clock, MakeClient, Reply, Service, reply

from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.exceptions import (
    InvalidCredentials,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
)

OK = {"access_token": "token-ok", "expires_in": 3599, "token_type": "Bearer"}
OLD_STYLE = {
    "error": {"status": 400, "reason": "Bad Request", "message": "Illegal secret!", "code": "OAUTH_ERROR"}
}
INVALID_CLIENT = {"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"}


def test_credentials_are_in_the_form(client: BatchClient, service: Service, config: ClientConfig) -> None:
    service.script = [reply({"id": "1"})]
    client.get("1")
    (request,) = service.token_requests
    assert dict(parse_qsl(request.body)) == {
        "grant_type": "client_credentials",
        "client_id": config.client_id,
        "client_secret": config.client_secret,
    }
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["User-Agent"].startswith("airflow-provider-sentinelhub/")
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    "body",
    [
        OK,
        OK | {"expires_in": 3599.9},
        OK | {"expires_in": "3599.9"},
        OK | {"expires_in": "soon"},
        OK | {"expires_in": 0},
        OK | {"expires_in": None, "expires_at": "tomorrow"},
        OK | {"expires_in": {"seconds": 3}},
        OK | {"scope": "SH profile", "refresh_expires_in": 0, "not-before-policy": 0},
        OK | {"scope": {"odd": 1}},
        {"access_token": "token-ok"},
    ],
)
def test_answers_that_hold_a_token(client: BatchClient, service: Service, body: Any) -> None:
    service.token_script = [reply(body)]
    service.script = [reply({"id": "1"}), reply({"id": "1"})]
    client.get("1", budget=0)
    client.get("1", budget=0)
    assert service.bearers == ["token-ok", "token-ok"]


@pytest.mark.parametrize(
    "answer",
    [
        reply(),
        reply("null"),
        reply([]),
        reply({}),
        reply({"access_token": None}),
        reply({"access_token": ""}),
        reply({"access_token": "two words"}),
        reply({"access_token": "line\nbreak"}),
        reply({"access_token": "schlüssel"}),
        reply('{"access_token": "trunc'),
        reply("<html><title>Log in</title></html>"),
        reply(OLD_STYLE["error"] | {"access_token": 1}),
        reply(status=429),
        reply(status=500),
        reply("<h1>Bad Gateway</h1>", status=502),
        reply(status=503),
        reply({"error": "invalid_request", "error_description": "Missing form parameter: grant_type"}, status=400),
        reply({"error": {"message": "Parameter grant_type is missing.", "code": "OAUTH_ERROR"}}, status=400),
        reply({"message": "Request body should be non-empty."}, status=400),
        reply("Request body should be non-empty.", status=400),
        requests.ConnectionError("reset"),
        requests.ReadTimeout("slow"),
    ],
)
def test_trouble_is_retried_within_the_budget_and_raised_without_one(
    make_client: MakeClient, service: Service, clock: Clock, answer: Reply
) -> None:
    service.token_script = [answer]
    with pytest.raises(ServiceUnavailable):
        make_client().get("1", budget=0)
    assert (len(service.token_requests), clock.slept) == (1, [])
    clock.now += 120
    service.token_script = [answer, answer]
    service.script = [reply({"id": "1"})]
    assert make_client().get("1", budget=60) == {"id": "1"}
    assert len(service.token_requests) == 4


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (reply(INVALID_CLIENT, status=401), InvalidCredentials, "invalid_client"),
        (reply(INVALID_CLIENT, status=400), InvalidCredentials, "invalid_client"),
        (reply({"error": "unauthorized_client"}, status=400), InvalidCredentials, "unauthorized_client"),
        (reply(OLD_STYLE, status=400), InvalidCredentials, "OAUTH_ERROR"),
        (reply(INVALID_CLIENT), InvalidCredentials, "invalid_client"),
        (reply(status=401), InvalidCredentials, None),
        (reply({"error": "unsupported_grant_type", "error_description": "Unsupported grant_type"}, status=400),
         RequestRefused, "unsupported_grant_type"),
        (reply(status=400), RequestRefused, None),
        (reply({"error": "access_denied"}, status=403), RequestRefused, "access_denied"),
        (reply("<h1>Not Found</h1>", status=404), RequestRefused, None),
        (reply(status=405), RequestRefused, None),
    ],
)  # fmt: skip
def test_refusals_are_raised_at_once(
    client: BatchClient, service: Service, clock: Clock, answer: Reply, kind: type[Exception], code: str | None
) -> None:
    service.token_script = [answer]
    with pytest.raises((InvalidCredentials, RequestRefused), match="auth_url") as caught:
        client.get("1")
    # Its kinds speak of jobs: a 404 of the token endpoint must not pass for a job that is gone.
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert (len(service.token_requests), service.requests, clock.slept) == (1, [], [])


def test_refusal_says_what_the_service_said(client: BatchClient, service: Service) -> None:
    service.token_script = [reply(OLD_STYLE, status=400)]
    with pytest.raises(
        InvalidCredentials, match=r'not accepted: 400, .*"Illegal secret!" \(id\.example\)'
    ) as caught:
        client.get("1")
    assert caught.value.service_message == "Illegal secret!"
    assert caught.value.http_status == 400


def test_a_429_closes_the_gate_for_tokens_only(make_client: MakeClient, service: Service, clock: Clock) -> None:
    service.token_script = [reply(status=429, Retry_After="30")]
    with pytest.raises(RateLimited) as first:
        make_client().get("1", budget=0)
    assert first.value.retry_after == 30
    clock.now += 10
    with pytest.raises(RateLimited, match=r"asked again in 20\.0 s") as second:
        make_client().get("1", budget=0)
    assert second.value.retry_after == 20
    assert len(service.token_requests) == 1
    service.script = [reply({"id": "1"})]
    make_client().get("1")
    assert clock.slept == [20]


def test_who_has_a_token_goes_on_while_the_endpoint_is_busy(
    make_client: MakeClient, service: Service, config: ClientConfig
) -> None:
    service.script = [reply({}), reply({})]
    make_client().get("1")
    service.token_script = [reply(status=429, Retry_After="30")]
    with pytest.raises(RateLimited):
        make_client(config=replace(config, client_secret="rotated")).get("1", budget=0)
    assert make_client().get("1", budget=0) == {}


def test_redirect_names_its_target_and_the_field(client: BatchClient, service: Service, clock: Clock) -> None:
    service.token_script = [reply(status=302, Location="https://login.example/in?session=s3cret")]
    with pytest.raises(ServiceUnavailable, match=r"https://login\.example .*auth_url") as caught:
        client.get("1")
    assert "s3cret" not in str(caught.value)
    assert caught.value.lasting
    assert clock.slept == []


def test_page_instead_of_a_token_says_what_to_check(client: BatchClient, service: Service) -> None:
    service.token_script = [reply("<html>Welcome</html>")]
    with pytest.raises(ServiceUnavailable, match=r"page of HTML.*auth_url"):
        client.get("1", budget=0)


def test_rotated_secret_gets_a_token_of_its_own(
    make_client: MakeClient, service: Service, config: ClientConfig
) -> None:
    rotated = ClientConfig(config.base_url, AUTH_URL, config.client_id, "rotated")
    service.script = [reply({})] * 4
    for account in (config, rotated, config, rotated):
        make_client(config=account).get("1")
    assert service.bearers == ["token-1", "token-2", "token-1", "token-2"]
