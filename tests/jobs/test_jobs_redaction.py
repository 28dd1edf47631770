"""Secrets are taken out of texts, by their value, their name and their look, at a cost that does not explode."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs.redaction import MASK, REDACT, Redactor, is_secret_name, secrets_in
from tests.harness.cost import growth

SECRET = 'p&ss/w"ö rd$'
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1"


@pytest.mark.parametrize(
    "name",
    [
        "accessKey",
        "AccessKey",
        "ACCESS_KEY",
        "access-key-id",
        "AWSAccessKeyId",
        "secretAccessKey",
        "aws_secret_access_key",
        "sessionToken",
        "aws_session_token",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Goog-Signature",
        "X-Goog-Credential",
        "sig",
        "Signature",
        "credentials",
        "client_secret",
        "sh_client_secret",
        "access_token",
        "refresh_token",
        "token",
        "password",
        "private_key",
        "apiKey",
        "Authorization",
    ],
)
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["id", "key", "nextToken", "viewtoken", "currentToken", "iamRoleARN", "url", "design", "tokens", ""]
)
def test_other_names(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        "p%26ss/w%22%C3%B6%20rd%24",
        "p%26ss%2Fw%22%C3%B6%20rd%24",
        "p%26ss%2fw%22%c3%b6%20rd%24",
        "p%26ss%2Fw%22%C3%B6+rd%24",
        "p&amp;ss/w&quot;ö rd$",
        'p&ss/w\\"\\u00f6 rd$',
        'p&ss/w\\"ö rd$',
    ],
)
def test_a_known_secret_in_every_spelling(text):
    assert Redactor("other", SECRET)(f"before {text} after") == "before ***** after"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('{"accessKey": "AK", "secretAccessKey":"SK"}', '{"accessKey": *****, "secretAccessKey":*****}'),
        ('"secretAccessKey": "cut of', '"secretAccessKey": *****'),
        ('"secretAccessKey": "with \\" quote", x', '"secretAccessKey": *****, x'),
        ("{'accessKey': 'AK'}", "{'accessKey': *****}"),
        ("S3(accessKey=AK, secretAccessKey=SK)", "S3(accessKey=*****, secretAccessKey=*****)"),
        ("secretAccessKey: hush/hush+hush", "secretAccessKey: *****"),
        ("aws_secret_access_key = hush", "aws_secret_access_key = *****"),
        ("SESSION-TOKEN=>hush", "SESSION-TOKEN=>*****"),
        ("client secret: hush.", "client secret: *****"),
        ("error: secret: hush", "error: secret: *****"),
        ("password=a,b;c d", "password=***** d"),
        ('"credentials": "e30="', '"credentials": *****'),
        ('"credentials": {"type": "x", "key": "hush"}, y', '"credentials": *****, y'),
        ('{\\"secretAccessKey\\": \\"hush\\"}', '{\\"secretAccessKey\\": *****}'),
        ("grant_type=x&client_secret=hush&y=1", "grant_type=x&client_secret=*****&y=1"),
        ("client_secret%3Dhush%26y%3D1", "client_secret%3D*****%26y%3D1"),
        ('"access_token":"abc"', '"access_token":*****'),
        ("https://b.s3.amazonaws.com/k?X-Amz-Expires=9&X-Amz-Signature=0f", "https://b.s3.amazonaws.com/k?X-Amz-Expires=9&X-Amz-Signature=*****"),
        ("https://a/b?X-Goog-Signature=0f&x=1", "https://a/b?X-Goog-Signature=*****&x=1"),
        ("https://a.blob/b?sv=1&sig=0f%3D&se=2", "https://a.blob/b?sv=1&sig=*****&se=2"),
        ("https://a/b?token=0f", "https://a/b?token=*****"),
        ("https://me:hush@host/x and s3://key:h@sh@b/x", "https://*****@host/x and s3://*****@b/x"),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key ***** is unknown"),
        (f"token {JWT} expired", "token ***** expired"),
        (f"x{JWT}", "x*****"),
        ("Bearer 0123456789abcdef", "Bearer *****"),
        ("Authorization: Bearer hush-hush", "Authorization: *****"),
        ("authorization=bearer%20hushhush1", "authorization=bearer%20*****"),
        ("Bearer auth-hush", "Bearer *****"),
        ("Bearer hashush", "Bearer *****"),
        ("Authorization: Basic aHVzaDpodXNo", "Authorization: *****"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE/x+=\n-----END PRIVATE KEY-----", "*****"),
        # What the service really says must survive.
        ("[Authorization: Bearer <accessToken>] of your request", None),
        ("Bearer authentication is required", None),
        ("No Bearer token.", None),
        ("Invalid client or Invalid client credentials", None),
        ("The accessKey is wrong", None),
        ("SyntaxError: Unexpected token: }", None),
        ("2025-08-14T14:02:47.848281Z key: 7, mailto:a@b", None),
    ],
)  # fmt: skip
def test_secrets_by_name_and_look(text, clean):
    assert REDACT(text) == (text if clean is None else clean)


def test_a_redactor_learns_without_changing():
    redact = Redactor("one")
    assert redact.with_secrets("two", "")("one two") == "***** *****"
    assert redact("one two") == "***** two"
    assert "one" not in repr(redact)


def test_half_a_secret_is_not_shown_where_a_text_is_cut():
    redact = Redactor(SECRET)
    for before in range(80, 101):
        assert "p&ss" not in redact.excerpt("x" * before + SECRET * 3, 100)
        assert "p&ss" not in redact.line("x " * before + SECRET * 3, 100)
    # Where all else is taken out, the end of what was looked at comes into sight.
    text = f"{JWT} " * 2000
    for end in range(3000, 3100):
        assert "eyJ" not in redact.excerpt(text[:end] + "x" * 20_000, 2000)
        assert "p&ss" not in redact.line(" " * (16 * 1000 + 1024 - end % 12) + SECRET)


@pytest.mark.parametrize(("length", "expected"), [(99, 99), (100, 100), (101, 100), (10**6, 100)])
def test_an_excerpt_is_of_limited_length(length, expected):
    found = REDACT.excerpt("x" * length, 100)
    assert len(found) == expected
    assert found.endswith("...") == (length > 100)


@pytest.mark.parametrize(
    "piece",
    [
        "eyJ-",
        "eyJ",
        "<h1>",
        "<",
        "://",
        "://a",
        "=",
        "a=",
        "secret",
        "secret=",
        "secret:\n",
        'secret="',
        "secret=\\\\",
        "secret={",
        "token=,",
        "Bearer ",
        "Bearer auth",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "AKIA",
        "\\",
        "%3D",
        "sig%3D%2",
    ],
)
def test_the_cost_grows_with_the_length_only(piece):
    redact = Redactor(SECRET)
    assert growth(redact, lambda size: (piece * size)[:size], 16_000) < 9


def test_secrets_of_a_request_are_found_however_deep():
    request = {
        "output": {"delivery": {"s3": {"accessKey": "AK", "secretAccessKey": "SK", "url": "s3://b"}}},
        "input": [{"features": {"gs": {"credentials": "GS"}}}],
        "credentials": {"accessKey": "nested"},
    }
    assert sorted(secrets_in(request)) == ["AK", "GS", "SK", "nested"]
    assert MASK not in secrets_in(request)


def test_secrets_in_a_request_of_any_depth():
    request = {"accessKey": "AK"}
    for _ in range(100_000):
        request = {"a": [request]}
    assert list(secrets_in(request)) == ["AK"]


@pytest.mark.parametrize(
    "text",
    [
        "body=%7B%22secretAccessKey%22%3A%22abc123%22%7D",
        "body=%7B%22secretAccessKey%22%3A%20%22abc123%22%7D",
        "next=%2Fx%3Fclient_secret%253Dabc123",
        "%257B%2522password%2522%253A%2522abc123%2522%257D",
        "%5C%22clientSecret%5C%22%3A%5C%22abc123",
    ],
)
def test_secrets_in_percent_encoded_json(text):
    assert "abc123" not in REDACT(text)
