"""The service's own words, in all the forms of a refusal, without secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_sentinelhub.client.error_body import ErrorBody, parse_error_body
from airflow_sentinelhub.client.http_response import HttpResponse
from airflow_sentinelhub.jobs.redaction import Redactor
from tests.harness.cost import growth

SECRET = 'p&ss/w"ö rd$'


def words(body: Any, scrub: Redactor | None = None) -> ErrorBody:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_error_body(HttpResponse(400, {}, raw, "https://sh.example"), scrub or Redactor(SECRET))


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"status": 400, "reason": "Bad Request", "message": "Bad id", "code": "C"}}, "Bad id", "C"),
        ({"error": {"status": 400, "reason": "Bad Request"}}, "Bad Request", None),
        ({"error": {"message": "Bad", "errors": {"resx": "too fine"}}}, 'Bad {"resx": "too fine"}', None),
        ({"error": {"errors": ["resx"]}}, '["resx"]', None),
        ({"error": {"errors": {"credentials": {"private_key": "k"}}}}, '{"credentials": *****}', None),
        ({"status": 429, "message": "Slower", "code": "RATE_LIMIT_EXCEEDED"}, "Slower", "RATE_LIMIT_EXCEEDED"),
        ({"error": "invalid_client", "error_description": "Who?"}, "Who?", "invalid_client"),
        ({"error": "invalid_client"}, None, "invalid_client"),
        ({"message": "No", "code": 42}, "No", "42"),
        ({"message": {"en": "No"}}, "{'en': 'No'}", None),
        ({}, None, None),
        ({"error": None}, None, None),
        ([1], None, None),
        ("No", "No", None),
        (b"", None, None),
        (b"  \n", None, None),
        (b"upstream\n connect error", "upstream connect error", None),
        (b"\xff\xfe", "\ufffd\ufffd", None),
        (b'{"error": {"mess', '{"error": {"mess', None),
        (b"<html><head><title>502 Bad&nbsp;Gateway</title></head><body>nginx</body>", "502 Bad Gateway", None),
        (b"\n<!doctype html><body><h1 class='x'>Not <b>here</b></h1>", "Not here", None),
        (b"<p>Sorry</p>", "Sorry", None),
    ],
)
def test_forms(body: Any, message: str | None, code: str | None) -> None:
    assert words(body) == ErrorBody(message, code)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (ErrorBody("No.", "C"), 'C: "No."'),
        (ErrorBody("No."), '"No."'),
        (ErrorBody(code="C"), "C"),
        (ErrorBody(), ""),
    ],
)
def test_as_text(said: ErrorBody, text: str) -> None:
    assert str(said) == text


def test_long_message_is_cut() -> None:
    message = words({"message": "x" * 1001}).message
    assert message == "x" * 999 + "…"
    assert words({"message": "x" * 1000}).message == "x" * 1000


def test_secret_is_taken_out_before_the_cut() -> None:
    message = words({"message": "x" * 990 + SECRET * 3}).message
    assert message is not None
    assert "p&ss" not in message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message": "cut \\ud83d\\u0000 \\u001b[31m"}', "cut \ufffd\ufffd \ufffd[31m"),
        (b'{"message": "one\\r\\n::group::two"}', "one (group)two"),
        (b"<h1>one\n::group::two &#%s; &#0; &#xd83d;</h1>" % (b"1" * 5000), "one (group)two \ufffd \ufffd \ufffd"),
        (b'{"message": %s}' % (b"1" * 5000), "1" * 97 + "..."),
        (b'{"error": {"message": "No", "errors": %s}}' % (b"[" * 700 + b"]" * 700), None),
        (b'{"message": "%s"}' % (b"x" * 2_000_000), '{"message": "' + "x" * 986 + "…"),
        (b'{"message": "secretKey: hush and p%26ss/w%22%C3%B6%20rd%24"}', "secretKey: ***** and *****"),
        (b"<title>Bearer hush-42-hush</title>", "Bearer *****"),
        (b"<p>" * 6000 + SECRET.encode() * 1000, None),
        (b" " * 20_000 + SECRET.encode() * 1000, None),
    ],
)  # fmt: skip
def test_what_would_do_harm(body: bytes, message: str | None) -> None:
    said = words(body).message
    if message is not None:
        assert said == message
    assert said is None or (said.isprintable() and len(said) <= 1000 and "p&ss" not in said)


def test_a_long_code_is_cut() -> None:
    code = words({"error": {"code": "x" * 10_000, "message": "No"}}).code
    assert code == "x" * 99 + "…"


@pytest.mark.parametrize(
    "piece", ["<h1>", "<", "<h1", "<title>", "</h1", "eyJ-", "&#", "&", "=", " ", '{"a":', "["]
)
@pytest.mark.parametrize("before", ["", "<", '{"message": "', '{"error": '])
def test_the_cost_of_a_refusal_grows_with_its_length_only(piece: str, before: str) -> None:
    def read(text: str) -> None:
        words(text.encode())

    assert growth(read, lambda size: before + (piece * size)[:size], 20_000) < 9
