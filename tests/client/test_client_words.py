"""The service's own words, in all the forms of a refusal, without secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_sentinelhub.client.answer import Answer
from airflow_sentinelhub.client.scrub import Scrubber
from airflow_sentinelhub.client.words import ServiceWords, read_words

SECRET = 'p&ss/w"ö rd$'


def words(body: Any, scrub: Scrubber | None = None) -> ServiceWords:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_words(Answer(400, {}, raw, "https://sh.example"), scrub or Scrubber(SECRET))


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
    assert words(body) == ServiceWords(message, code)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (ServiceWords("No.", "C"), 'C: "No."'),
        (ServiceWords("No."), '"No."'),
        (ServiceWords(code="C"), "C"),
        (ServiceWords(), ""),
    ],
)
def test_as_text(said: ServiceWords, text: str) -> None:
    assert str(said) == text


def test_long_message_is_cut() -> None:
    message = words({"message": "x" * 1001}).message
    assert message == "x" * 999 + "…"
    assert words({"message": "x" * 1000}).message == "x" * 1000


def test_secret_is_taken_out_before_the_cut() -> None:
    message = words({"message": "x" * 990 + SECRET * 3}).message
    assert message is not None
    assert "p&ss" not in message
