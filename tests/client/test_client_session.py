"""What really goes over the wire, and what does not."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from client_local_server import LONG, Answer, LocalServer, Request, hang, http
from client_scripted_service import MakeClient, Service, reply
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.session import SentinelHubSession
from airflow_sentinelhub.exceptions import InvalidConnection, JobMayExist, SentinelHubError, ServiceUnavailable

TOKEN = http(200, '{"access_token": "token-1", "expires_in": 3599}')
JOB = http(200, '{"id": "1"}')


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "requests_ca_bundle",
        "curl_ca_bundle",
        "netrc",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def sentinelhub(api: Callable[[Request], Answer] | bytes, token: bytes = TOKEN) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        if request.line.startswith("POST") and "/token" in request.line:
            return token
        return api if isinstance(api, bytes) else api(request)

    return answer


def config_for(server: LocalServer, base_url: str | None = None) -> ClientConfig:
    return ClientConfig(base_url or server.url, f"{server.url}/token", "the-client", "hush hush")


@pytest.fixture
def elsewhere() -> Iterator[LocalServer]:
    with LocalServer(lambda _: JOB) as server:
        yield server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(make_client: MakeClient, elsewhere: LocalServer, status: int) -> None:
    away = http(status, b"", f"Location: {elsewhere.url}/x")
    for api, token in ((away, TOKEN), (JOB, away)):
        with LocalServer(sentinelhub(api, token)) as server:
            client = make_client(config=config_for(server))
            with pytest.raises(ServiceUnavailable, match=f"redirects to {elsewhere.url} "):
                client.get("1")
    assert elsewhere.requests == []


def test_redirects_within_the_host_are_not_followed_either(make_client: MakeClient) -> None:
    with LocalServer(sentinelhub(http(302, b"", "Location: /login"))) as server:
        with pytest.raises(ServiceUnavailable, match=f"redirects to {server.url} "):
            make_client(config=config_for(server)).get("1")
        assert len(server.requests) == 2


@pytest.mark.parametrize("location", ["http://[", "http://x:port/", "\x80", "//"])
def test_redirects_to_nowhere(make_client: MakeClient, location: str) -> None:
    answer = sentinelhub(http(302, b"", f"Location: {location}"))
    with LocalServer(answer) as server, pytest.raises(ServiceUnavailable, match="redirects to"):
        make_client(config=config_for(server)).get("1")


def test_netrc_replaces_no_credentials(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine 127.0.0.1 login stranger password strange\ndefault login stranger password strange\n"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with LocalServer(sentinelhub(JOB)) as server:
        make_client(config=config_for(server)).get("1")
        token, get = server.requests
    assert "authorization" not in token.headers
    assert token.body == b"grant_type=client_credentials&client_id=the-client&client_secret=hush+hush"
    assert get.headers["authorization"] == "Bearer token-1"


def test_proxies_of_the_environment_are_used(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer(sentinelhub(JOB)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        config = ClientConfig("http://sh.invalid", "http://id.invalid/token", "id", "hush", allow_http=True)
        assert make_client(config=config).get("1") == {"id": "1"}
    assert [request.line for request in proxy.requests] == [
        "POST http://id.invalid/token HTTP/1.1",
        "GET http://sh.invalid/api/v2/batch/process/1 HTTP/1.1",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_comes_between_us_and_this_machine(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, elsewhere: LocalServer, host: str
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, elsewhere.url)
    with LocalServer(sentinelhub(JOB)) as server:
        config = ClientConfig(f"http://{host}:{server.port}", f"http://{host}:{server.port}/token", "id", "hush")
        make_client(config=config).get("1")
        assert len(server.requests) == 2
    assert elsewhere.requests == []


def test_proxy_that_cannot_be_reached(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://user:pr0xypass@127.0.0.1:{closed_port()}")
    config = ClientConfig("https://sh.invalid", "https://id.invalid/token", "id", "hush")
    with pytest.raises(ServiceUnavailable, match="proxy of the environment") as caught:
        make_client(config=config).get("1", budget=0)
    assert "pr0xypass" not in str(caught.value)


def test_cookies_are_not_kept(make_client: MakeClient) -> None:
    job = http(200, '{"id": "1"}', "Set-Cookie: who=first; Path=/")
    with LocalServer(
        sentinelhub(job, http(200, '{"access_token": "t"}', "Set-Cookie: who=token; Path=/"))
    ) as server:
        client = make_client(config=config_for(server))
        client.get("1")
        client.get("1")
        assert [request.headers.get("cookie") for request in server.requests] == [None] * 3


def test_threads_share_a_client(make_client: MakeClient) -> None:
    with LocalServer(sentinelhub(JOB)) as server:
        client = make_client(config=config_for(server))
        with ThreadPoolExecutor(8) as pool:
            assert [*pool.map(client.get, map(str, range(40)))] == [{"id": "1"}] * 40
        lines = [request.line for request in server.requests]
    assert sorted(line.split()[1] for line in lines if "process" in line) == sorted(
        f"/api/v2/batch/process/{number}" for number in range(40)
    )
    assert sum("/token" in line for line in lines) == 1


def test_every_request_has_timeouts(client: BatchClient, service: Service) -> None:
    service.script = [reply({})]
    client.get("1")
    (token,), (get,) = service.token_requests, service.requests
    assert [request.req_kwargs["timeout"] for request in (token, get)] == [(10.0, 30.0)] * 2


def drop(connection: socket.socket) -> None:
    """Close without a word."""


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN = [
    pytest.param(drop, "the connection broke", id="dropped"),
    pytest.param(reset, "the connection broke", id="reset"),
    pytest.param(hang, "no answer in time", id="hung"),
    pytest.param(JOB[:-3], "the answer broke off", id="cut"),
    pytest.param(JOB[:60], "the connection broke|the answer broke off", id="cut in the headers"),
    pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n20\r\n{", "the answer broke off", id="cut chunk"),
    pytest.param(OK + b"Content-Encoding: gzip\r\n\r\nabc", "broke off", id="no gzip"),
    pytest.param(b"SSH-2.0-OpenSSH\r\n", "the connection broke", id="another protocol"),
    pytest.param(OK + b"\r\n", "an empty answer", id="empty"),
]  # fmt: skip


def give_up_soon_if(hangs: Callable[[str], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a request that gets no answer end soon, and give all others the time that a busy machine takes."""
    send = SentinelHubSession.send

    def timed(self: SentinelHubSession, request: Any, **kwargs: Any) -> Any:
        return send(self, request, **{**kwargs, "timeout": (LONG, 0.2 if hangs(request.url) else LONG)})

    monkeypatch.setattr(SentinelHubSession, "send", timed)


@pytest.mark.parametrize(("broken", "reason"), BROKEN)
def test_broken_connections(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, broken: Answer, reason: str
) -> None:
    script: list[Answer] = [broken, broken, JOB, broken]
    give_up_soon_if(lambda url: script[0] is hang and not url.endswith("/token"), monkeypatch)
    with LocalServer(sentinelhub(lambda _: script.pop(0))) as server:
        client = make_client(config=config_for(server))
        with pytest.raises(ServiceUnavailable, match=reason):
            client.get("1", budget=0)
        assert client.get("1") == {"id": "1"}
        with pytest.raises(JobMayExist):
            client.create({})


@pytest.mark.parametrize(("broken", "reason"), BROKEN)
def test_broken_connections_of_the_token_endpoint(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, broken: Answer, reason: str
) -> None:
    script: list[Answer] = [broken, TOKEN, JOB]
    give_up_soon_if(lambda _: script[0] is hang, monkeypatch)
    with LocalServer(lambda _: script.pop(0)) as server:
        assert make_client(config=config_for(server)).create({}) == {"id": "1"}


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_create_where_nobody_listens_was_not_sent(make_client: MakeClient) -> None:
    with LocalServer(sentinelhub(JOB)) as server:
        client = make_client(config=config_for(server, f"http://127.0.0.1:{closed_port()}"))
        with pytest.raises(ServiceUnavailable, match=r"no connection \(Connection refused\) \(") as caught:
            client.create({}, budget=3)
    assert not isinstance(caught.value, JobMayExist)


def test_host_that_does_not_exist_was_not_sent(make_client: MakeClient) -> None:
    nowhere = "https://nowhere.invalid"
    with (
        LocalServer(sentinelhub(JOB)) as server,
        pytest.raises(ServiceUnavailable, match="no connection") as caught,
    ):
        make_client(config=config_for(server, nowhere)).create({}, budget=0)
    assert not isinstance(caught.value, JobMayExist)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    bundle, both = folder / "ca.pem", folder / "both.pem"
    pem = made.public_bytes(serialization.Encoding.PEM)
    bundle.write_bytes(pem)
    both.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return bundle, context


def test_bundle_of_the_environment_is_used(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle, context = certificate(tmp_path)
    with LocalServer(sentinelhub(JOB), context) as server:
        client = make_client(config=config_for(server))
        with pytest.raises(ServiceUnavailable, match=r"certificate .*REQUESTS_CA_BUNDLE") as caught:
            client.get("1", budget=60)
        assert caught.value.lasting
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        assert client.create({}) == {"id": "1"}
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
        with pytest.raises(ServiceUnavailable, match=r"REQUESTS_CA_BUNDLE .*no readable file"):
            client.create({})


def test_certificate_that_stops_being_trusted_is_no_lost_answer(make_client: MakeClient, tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    with LocalServer(sentinelhub(JOB)) as auth, LocalServer(sentinelhub(JOB), context) as server:
        config = ClientConfig(server.url, f"{auth.url}/token", "the-client", "hush")
        with pytest.raises(ServiceUnavailable, match="certificate") as caught:
            make_client(config=config).create({})
    assert not isinstance(caught.value, JobMayExist)


@pytest.mark.parametrize("url", ["http://sh.example/x", "HTTP://sh.example/x", "ftp://sh.example/x"])
def test_credentials_do_not_travel_in_clear(config: ClientConfig, url: str) -> None:
    with SentinelHubSession(config) as session, pytest.raises(InvalidConnection, match="allow_http"):
        session.ask("GET", url)


@pytest.mark.parametrize("method", ["fetch_token", "refresh_token"])
def test_inherited_methods_that_log_the_secret_are_closed(config: ClientConfig, method: str) -> None:
    with SentinelHubSession(config) as session, pytest.raises(NotImplementedError, match="TokenEndpoint"):
        getattr(session, method)("https://id.example/token", client_secret="hush")


def test_nothing_of_requests_gets_out(make_client: MakeClient) -> None:
    """Whatever is wrong with an address, the exception is one of ours."""
    with pytest.raises(SentinelHubError):
        make_client(config=ClientConfig("https://sh..example", "https://id.example/token", "id", "hush"))
    with pytest.raises(SentinelHubError):
        make_client(config=ClientConfig("https://sh.invalid", "https://id.invalid/token", "id", "hush")).get("1")
