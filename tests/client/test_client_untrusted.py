"""What the service answers is data: whatever stands in it, the client hands over what can be stored and shown."""

from __future__ import annotations

from typing import Any

import pytest
from client_scripted_service import MakeClient, Service, reply
from hypothesis import given
from hypothesis import strategies as st

from airflow_sentinelhub.client import api_request
from airflow_sentinelhub.client.api_request import InvalidBody, ResponseKind, parse_body
from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.http_response import HttpResponse
from airflow_sentinelhub.client.response_body import LARGEST_ANSWER
from airflow_sentinelhub.exceptions import InvalidCredentials
from airflow_sentinelhub.jobs import BatchApi, BatchJob
from tests.jobs.anything import all_encoders_take


def decoded(body: bytes, expects: ResponseKind = ResponseKind.OBJECT) -> Any:
    return parse_body(HttpResponse(200, {}, body, "https://sh.example"), expects)


@given(st.binary(), st.sampled_from(ResponseKind))
def test_any_body_is_read_or_unusable(body: bytes, expects: ResponseKind) -> None:
    found = decoded(body, expects)
    if not isinstance(found, InvalidBody):
        all_encoders_take(found)


@pytest.mark.parametrize(
    "odd",
    [
        b'{"id": "2", "x": %s}' % (b"9" * 5000),
        b'{"id": "2", "x": "\xff\xfe\xed\xa0\xbd"}',
        b'{"id": "2", "x": "\\ud83d"}',
        b'{"id": "2", "x": "raw \x00\x1b"}',
        b'{"id": "2", "x": [1e400, NaN, 18446744073709551616]}',
        b'{"id": "2", "x": %s}' % (b"[" * 700 + b"]" * 700),
        b'{"id": "2", "x": %s}' % (b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
        b'{"id": "2", "\\u0000\\ud83d": 1}',
    ],
)
def test_one_odd_job_does_not_hide_the_others(odd: bytes) -> None:
    page = decoded(
        b'{"data": [{"id": "1"}, %b, {"id": "3"}], "links": {"nextToken": "7"}}' % odd, ResponseKind.PAGE
    )
    assert [job["id"] for job in page["data"]] == ["1", "2", "3"]
    assert page["data"][::2] == [{"id": "1"}, {"id": "3"}]
    assert page["links"] == {"nextToken": "7"}
    all_encoders_take(page)


def test_how_to_go_on_in_a_list_is_left(client: BatchClient, service: Service) -> None:
    """A cursor is often base64 of JSON, which looks like a token."""
    cursor = "eyJpZCI6IjZhYTg3NjVhLTAwMDAiLCJuIjoxMDB9"
    service.script = [reply({"data": [{"id": "1"}], "links": {"nextToken": cursor}}), reply({"data": []})]
    assert [[job["id"] for job in page] for page in client.list()] == [["1"]]
    assert f"viewtoken={cursor}" in service.requests[1].url


@pytest.mark.parametrize("field", ["error", "stoppedStatusReason", "description", "new"])
@pytest.mark.parametrize("api", BatchApi)
def test_a_job_does_not_repeat_the_secret_or_the_token(
    make_client: MakeClient, service: Service, config: ClientConfig, field: str, api: BatchApi
) -> None:
    said = f"used {config.client_secret} and token-1"
    service.script = [reply({"id": "7", field: said, "more": [{field: {"message": said}}]})]
    payload = make_client(api).get("7")
    job = BatchJob.from_payload(api, payload)
    for shown in (str(payload), str(job.to_json()), repr(job)):
        assert config.client_secret not in shown
        assert "token-1" not in shown
    assert payload[field] == "used ***** and *****"


def test_a_request_is_given_back_as_it_was_sent(client: BatchClient, service: Service) -> None:
    code = "//VERSION=3\nconst token = secret = 'x'; // Bearer 0123456789"
    request = {
        "processRequest": {"evalscript": code},
        "output": {"secretAccessKey": "hush", "sessionToken": "hush"},
    }
    service.script = [reply({"id": "7", "request": request})]
    found = client.get("7")["request"]
    assert found["processRequest"]["evalscript"] == code
    assert found["output"] == {"secretAccessKey": "*****", "sessionToken": "*****"}


@pytest.mark.parametrize("expires_in", ["1e300", "1e400", "NaN", "9" * 5000, '"9e99"', "-1", "[]"])
def test_a_lifetime_that_makes_no_sense(client: BatchClient, service: Service, expires_in: str) -> None:
    service.token_script = [reply(f'{{"access_token": "a", "expires_in": {expires_in}}}')]
    assert 0 < client.token_lifetime() <= 366 * 86_400


def test_what_the_token_endpoint_says_is_one_line(client: BatchClient, service: Service) -> None:
    said = {
        "error": "invalid_client",
        "error_description": "No\n::group::\x1b[31m client_secret=hush \ud83d" + "x" * 5000,
    }
    service.token_script = [reply(said, status=401)]
    with pytest.raises(InvalidCredentials) as caught:
        client.token_lifetime()
    message = str(caught.value)
    assert message.replace("\n", "", 1).isprintable(), "a line, and what to do below it"
    assert len(message) < 1500
    assert "hush" not in message
    assert "::group::" not in message


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1"])
def test_an_answer_of_more_values_than_any_real_one_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch, value: bytes
) -> None:
    monkeypatch.setattr(api_request, "parse_json", lambda body: pytest.fail("it was decoded"))
    found = decoded(b'{"data": [' + b",".join([value] * (api_request.MOST_MARKS + 1)) + b"]}")
    assert isinstance(found, InvalidBody)
    assert found.unreadable


def test_the_densest_answer_of_coordinates_is_decoded() -> None:
    number = LARGEST_ANSWER // 24
    points = b",".join([b"[12.3456789,45.6789012]"] * number)
    assert len(decoded(b'{"a": [' + points + b"]}")["a"]) == number
