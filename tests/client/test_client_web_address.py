"""An address is read in one way only: what two libraries could read differently is none."""

from __future__ import annotations

import string
from urllib.parse import urlsplit

import pytest
from client_scripted_service import AUTH_URL, BASE_URL
from hypothesis import given, settings
from hypothesis import strategies as st
from requests import PreparedRequest
from requests.exceptions import RequestException
from urllib3.util import parse_url

from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.session import SentinelHubSession
from airflow_sentinelhub.client.web_address import UnreadableAddress, is_loopback_ip, read_address
from airflow_sentinelhub.exceptions import InvalidConnection

REFUSED = [
    "http://evil.example\\.localhost",
    "http://evil.example\\@localhost",
    "http://localhost\\.evil.example",
    "http:\\\\localhost",
    "http:/localhost",
    "http:localhost",
    "//localhost",
    "http://evil.example@localhost",
    "http://localhost@evil.example",
    "http://localhost:80@evil.example",
    "http://@localhost",
    "http://:@localhost",
    "http://localhost%2eevil.example",
    "http://localhost%00.evil.example",
    "http://evil.example%2f.localhost",
    "http://evil.example%23.localhost",
    "http://evil.example\t.localhost",
    "http://evil.example\n.localhost",
    "http://evil.example\x00.localhost",
    "http://evil.example\u200b.localhost",
    "http://evil.example\u2100.localhost",  # ℀, which normalises to a/c
    "http://evil.example\uff0f.localhost",  # a full-width slash
    "http://evil.example\u3002localhost",  # an ideographic dot
    "http://lo\u017fcalhost",
    "http://ⓛocalhost",
    "http://münchen.example",
    "http://localhost.",
    "http://sh.example.",
    "http://.localhost",
    "http://a..localhost",
    "http://-a.localhost",
    "http://a-.localhost",
    "http://" + "a" * 64 + ".localhost",
    "http://" + "a." * 130 + "localhost",
    "http://localhost:",
    "http://localhost:0",
    "http://localhost:65536",
    "http://localhost:99999999999999999999",
    "http://localhost:-1",
    "http://localhost:+80",
    "http://localhost: 80",
    "http://localhost:8_0",
    "http://localhost:\uff18\uff10",
    "http://localhost:80:90",
    "http://[::1",
    "http://::1",
    "http://[::1]evil.example",
    "http://[::1%25eth0]",
    "http://[fe80::1%eth0]",
    "http://[v1.fe80]",
    "http://[localhost]",
    "http://[:::1]",
    "http://localhost/../x",
    "http://localhost/a/%2E%2e/x",
    "http://localhost/./x",
    "http://localhost/%zz",
    "http://localhost/a%2",
    "http://localhost/<script>",
    "http://localhost/a|b",
    "http://localhost/\\evil.example",
    "http://localhost/" + "a" * 3000,
    "javascript:alert(1)",
    "file:///etc/passwd",
    "",
    "http://",
    "https:///x",
    "http://?x",
]


@pytest.mark.parametrize("text", REFUSED)
def test_addresses_that_are_refused(text: str) -> None:
    with pytest.raises(UnreadableAddress):
        read_address(text)
    for base_url, auth_url in ((text, AUTH_URL), (BASE_URL, text)):
        with pytest.raises(InvalidConnection):
            ClientConfig(base_url, auth_url, "id", "hush", allow_http=True)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("HTTP://LocalHost:8080/Path", "http://localhost:8080/Path"),
        ("https://sh.example:0443", "https://sh.example:443"),
        ("http://[0:0:0:0:0:0:0:1]:80/", "http://[::1]:80/"),
        ("https://sentinel_hub/x", "https://sentinel_hub/x"),
        ("https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"),
        ("https://sh.example/a/@b:c/%2Fd?e=f&g#h", "https://sh.example/a/@b:c/%2Fd?e=f&g#h"),
    ],
)
def test_addresses_that_are_read(text: str, read: str) -> None:
    assert str(read_address(text)) == read


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True), ("127.255.0.3", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("::ffff:8.8.8.8", False), ("0.0.0.0", False), ("::", False), ("127.1", False), ("2130706433", False),
        ("0x7f.0.0.1", False), ("10.0.0.1", False), ("", False),
    ],
)  # fmt: skip
def test_loopback_addresses(address: str, loopback: bool) -> None:
    assert is_loopback_ip(address) is loopback


ODD = st.text(string.ascii_lowercase + ".:/@\\[]%#?01 \t-_\u2100\uff0e", max_size=12)


@settings(max_examples=500, deadline=None)
@given(ODD, ODD)
def test_all_libraries_read_what_is_accepted_alike(one: str, other: str) -> None:
    text = f"http://{one}localhost{other}"
    try:
        address = read_address(text)
    except UnreadableAddress:
        return
    host, port = address.host.strip("[]"), address.port
    split, parsed = urlsplit(str(address)), parse_url(str(address))
    assert (split.hostname, split.port) == (host, port)
    assert (parsed.host, parsed.port) == (address.host, port)
    prepared = PreparedRequest()
    try:
        prepared.prepare_url(str(address), {})
    except RequestException:  # it is stricter, so that nothing is sent
        return
    assert parse_url(prepared.url or "").host == address.host


@pytest.mark.parametrize(
    "url", ["http://evil.example\\.localhost/x", "https://user:hunter2@sh.example/", "https://a b/"]
)
def test_session_asks_no_such_address(config: ClientConfig, url: str) -> None:
    with SentinelHubSession(config) as session, pytest.raises(InvalidConnection) as caught:
        session.ask("GET", url)
    assert "hunter2" not in str(caught.value)


def test_session_compares_what_was_checked_with_what_is_connected_to(
    config: ClientConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "airflow_sentinelhub.client.session.parse_url", lambda _: parse_url("https://evil.example/")
    )
    with SentinelHubSession(config) as session, pytest.raises(InvalidConnection, match="read in two ways"):
        session.ask("GET", "https://sh.example/x")
