"""Which addresses an account may have, and what its description shows."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.client.config import ClientConfig, is_loopback
from airflow_sentinelhub.exceptions import InvalidConnection

TOKEN_URL = "https://id.example/token"


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:8000", True),
        ("http://emulator.localhost", True),
        ("http://127.0.0.1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80", True),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("https://sh.example", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("base_url", "complaint"),
    [
        ("", "no web address"),
        ("sh.example", "no web address"),
        ("ftp://sh.example", "no web address"),
        ("https://sh.example:port", "can be read"),
        ("https://[::1", "can be read"),
        ("https://sh .example", "blank or an invisible"),
        ("https://sh.exa\nmple", "blank or an invisible"),
        ("https://user:pass@sh.example", "user name or password"),
        ("https://sh.example?x=1", "no '\\?'"),
        ("http://sh.example", "in clear"),
    ],
)
def test_base_url_that_is_refused(base_url: str, complaint: str) -> None:
    with pytest.raises(InvalidConnection, match=rf"base URL .*{complaint}") as caught:
        ClientConfig(base_url, TOKEN_URL, "id", "hush-hush")
    assert "pass" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize(("client_id", "secret", "name"), [("", "x", "client id"), ("x", "", "client secret")])
def test_missing_credentials(client_id: str, secret: str, name: str) -> None:
    with pytest.raises(InvalidConnection, match=name):
        ClientConfig("https://sh.example", TOKEN_URL, client_id, secret)


def test_http_elsewhere_is_allowed_on_request_and_to_be_warned_about() -> None:
    config = ClientConfig("http://sh.example/", "http://localhost/token", "id", "hush-hush", allow_http=True)
    assert config.base_url == "http://sh.example"
    assert config.insecure_urls == ["http://sh.example"]
    assert not config.is_local


def test_account_changes_with_the_secret_and_does_not_show_it() -> None:
    one, other = (ClientConfig("https://sh.example", TOKEN_URL, "id", secret) for secret in ("hush-1", "hush-2"))
    assert one.account != other.account
    assert "hush" not in repr((one, one.account))
