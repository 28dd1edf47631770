"""How long an answer may take and how large it may be, against servers that keep to neither."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from client_local_server import Answer, LocalServer, Request, http
from client_scripted_service import Clock, MakeClient
from test_client_session import TOKEN, certificate, config_for, sentinelhub

from airflow_sentinelhub.client import exchange as exchange_module
from airflow_sentinelhub.client import session as session_module
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.exceptions import (
    BadRequest,
    InvalidCredentials,
    JobMayExist,
    NotFound,
    RateLimited,
    ServiceUnavailable,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 2**20


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# Deadline

DROPS = int(session_module.DEADLINE / 5) + 1
"""As many as it takes, and no more: the last ones come while the client is at its next request."""


def dripping(clock: Clock, first: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """
    Send a drop each five seconds of the client's clock, until its time is over.

    However many of them the client reads at once, they are too few for what it says of too many headers.
    """

    def drip(connection: socket.socket) -> None:
        connection.sendall(first)
        for _ in range(DROPS):
            clock.now += 5
            connection.sendall(drop)
        with contextlib.suppress(OSError):
            connection.recv(1)  # until the client closes the connection

    return drip


DRIPS = [
    pytest.param(b"", b"H", id="status line"),
    pytest.param(OK + b"X-Pad: ", b"a", id="header"),
    pytest.param(OK, b"X-Pad: a\r\n", id="headers"),
    pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="continue"),
    pytest.param(OK + b"\r\n{", b" ", id="body"),
    pytest.param(OK + b"Content-Length: 900000\r\n\r\n{", b" ", id="body with length"),
    pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", id="chunks"),
    pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a", id="head of a chunk"),
    pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n", id="trailers"),
]


@pytest.mark.parametrize(("first", "drop"), DRIPS)
def test_answers_that_drip_have_an_end(make_client: MakeClient, clock: Clock, first: bytes, drop: bytes) -> None:
    with LocalServer(sentinelhub(lambda _: dripping(clock, first, drop))) as server:
        client = make_client(config=config_for(server))
        with pytest.raises(ServiceUnavailable, match="no answer in time") as caught:
            client.get("1", budget=0)
        assert not caught.value.lasting
        with pytest.raises(JobMayExist, match="no answer in time"):
            client.create({}, budget=0)


@pytest.mark.parametrize(("first", "drop"), DRIPS)
def test_tokens_that_drip_have_an_end(make_client: MakeClient, clock: Clock, first: bytes, drop: bytes) -> None:
    with LocalServer(lambda _: dripping(clock, first, drop)) as server:
        with pytest.raises(ServiceUnavailable, match=r"no answer in time.*\n.*issue a token") as caught:
            make_client(config=config_for(server)).create({}, budget=0)
        assert not isinstance(caught.value, JobMayExist)


def test_a_connection_that_came_too_late_is_closed(
    make_client: MakeClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, made = exchange_module.sockets.create_connection, []

    def slowly(*args: Any, **kwargs: Any) -> socket.socket:
        made.append(connect(*args, **kwargs))
        clock.now += session_module.DEADLINE
        return made[-1]

    monkeypatch.setattr(exchange_module.sockets, "create_connection", slowly)
    with LocalServer(TOKEN) as server, pytest.raises(ServiceUnavailable, match="no connection in time"):
        make_client(config=config_for(server)).get("1", budget=0)
    assert [connection.fileno() for connection in made] == [-1]


def test_a_deadline_is_not_put_off_by_what_the_socket_would_still_wait_for(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In real time: the socket itself is told how little is left."""
    monkeypatch.setattr(session_module, "DEADLINE", 0.5)
    quiet = threading.Event()

    def stop_in_the_middle(connection: socket.socket) -> None:
        connection.sendall(OK + b"X-Pad: a")
        assert quiet.wait(120)

    threads = threading.active_count()
    with LocalServer(sentinelhub(lambda _: stop_in_the_middle)) as server:
        try:
            with pytest.raises(ServiceUnavailable, match="no answer in time"):
                make_client(config=config_for(server)).get("1", budget=0)
        finally:
            quiet.set()
    assert threading.active_count() == threads


def test_a_request_that_is_not_taken_has_an_end(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "DEADLINE", 0.5)
    monkeypatch.setattr(session_module, "SLOWEST_UPLOAD", 2**40)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as deaf, LocalServer(sentinelhub(b"")) as auth:
        base_url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        try:
            # Nobody accepts, so that the kernel takes what fits into its buffers, and no more.
            with pytest.raises(JobMayExist, match="no answer in time"):
                make_client(config=config_for(auth, base_url)).create({"x": "y" * 32 * MIB}, budget=0)
        finally:
            done.set()


def test_uploads_have_time_for_their_size(make_client: MakeClient, clock: Clock) -> None:
    """Of the 60 s, the answer alone would use up 55, and a slow line three times as much for 8 MB."""

    def answer(request: Request) -> Answer:
        clock.now += 55 + len(request.body) / exchange_module.SLOWEST_UPLOAD
        return http(201, '{"id": "1"}')

    with LocalServer(sentinelhub(answer)) as server:
        client = make_client(config=config_for(server))
        assert client.create({"x": "y" * 8 * MIB}, budget=0) == {"id": "1"}


def test_tls_that_is_never_agreed_upon_was_not_sent(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, LocalServer(sentinelhub(b"")) as auth:
        client = make_client(config=config_for(auth, f"https://127.0.0.1:{mute.getsockname()[1]}"))
        client.token_lifetime()
        monkeypatch.setattr(session_module, "DEADLINE", 0.5)
        with pytest.raises(ServiceUnavailable, match="no connection in time") as caught:
            client.create({}, budget=0)
    assert not isinstance(caught.value, JobMayExist)


def test_proxies_that_drip_have_an_end(
    make_client: MakeClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    drip = dripping(clock, b"HTTP/1.1 200 OK\r\nX-Pad: ", b"a")
    with LocalServer(lambda _: drip) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        config = ClientConfig("https://sh.invalid", "https://id.invalid/token", "id", "hush")
        with pytest.raises(ServiceUnavailable, match="no connection in time") as caught:
            make_client(config=config).create({}, budget=0)
    assert not isinstance(caught.value, JobMayExist)
    assert proxy.requests[0].line.startswith("CONNECT id.invalid:443 ")


def test_tls_through_a_proxy(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bounds do not stand in the way of what works."""
    bundle, context = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def tunnel(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as inner:
            inner.recv(65536)
            inner.sendall(http(200, '{"id": "1"}'))

    with LocalServer(lambda _: tunnel) as proxy, LocalServer(sentinelhub(b"")) as auth:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        # Not 127.0.0.1, which is asked without a proxy; the name of the certificate counts, and is wrong.
        client = make_client(config=config_for(auth, "https://sh.invalid"))
        with pytest.raises(ServiceUnavailable, match="certificate cannot be verified"):
            client.get("1", budget=0)
    assert proxy.requests[0].line.startswith("CONNECT sh.invalid:443 ")


def test_hosts_with_many_dead_addresses_share_the_time_to_connect(
    make_client: MakeClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def create_connection(address: tuple[str, int], timeout: float, **_: object) -> socket.socket:
        tried.append(timeout)
        clock.now += timeout
        raise TimeoutError

    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{n}", 443)) for n in range(1, 101)]
    monkeypatch.setattr(exchange_module.socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr(exchange_module.sockets, "create_connection", create_connection)
    config = ClientConfig("https://sh.example", "https://id.example/token", "id", "hush")
    with pytest.raises(ServiceUnavailable, match="no connection in time"):
        make_client(config=config).get("1", budget=0)
    assert tried == [2.0] * 5


def test_a_second_address_is_tried(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: object) -> object:
        found = real("127.0.0.1", port, *args)  # type: ignore[arg-type]
        closed = [(*each[:4], ("127.0.0.2", port)) for each in found]
        return [*closed, *found] if host == "localhost" else found

    monkeypatch.setattr(exchange_module.socket, "getaddrinfo", getaddrinfo)
    with LocalServer(sentinelhub(http(200, '{"id": "1"}'))) as server:
        base_url = f"http://localhost:{server.port}"
        assert make_client(config=config_for(server, base_url)).get("1", budget=0) == {"id": "1"}


def test_localhost_that_leads_elsewhere_is_not_asked(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names below localhost go to the resolver, which may say anything."""
    elsewhere = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]
    monkeypatch.setattr(exchange_module.socket, "getaddrinfo", lambda *_, **__: elsewhere)
    config = ClientConfig("http://sh.localhost", "http://id.localhost/token", "id", "hush")
    with pytest.raises(ServiceUnavailable, match="no connection"):
        make_client(config=config).get("1", budget=0)


# Size


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LARGEST_ANSWER", MIB)


def endless(first: bytes, block: bytes) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        connection.settimeout(60)
        connection.sendall(first)
        for _ in range(2**34 // len(block)):
            connection.sendall(block)

    return send


def packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)  # not now, as it would be part of the names of tests


@cache
def zeros(size: int) -> bytes:
    return gzip.compress(b" " * size, mtime=0)


TOO_LONG = [
    pytest.param(endless(OK + b"\r\n", b" " * 65536), id="endless"),
    pytest.param(endless(OK + b"Content-Length: 99999999999\r\n\r\n", b" " * 65536), id="announced"),
    pytest.param(endless(CHUNKED, b"4000\r\n" + b" " * 0x4000 + b"\r\n"), id="chunked"),
    pytest.param(http(200, b"[" + b"{}," * MIB + b"{}]"), id="long JSON"),
    pytest.param(http(200, zeros(64 * MIB), "Content-Encoding: gzip"), id="bomb"),
    pytest.param(http(200, zeros(64 * MIB), "Content-Encoding: x-gzip"), id="bomb under its old name"),
]  # fmt: skip


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("answer", TOO_LONG)
def test_answers_that_are_too_long_are_not_read(make_client: MakeClient, answer: Answer) -> None:
    script: list[Answer] = [answer, http(200, '{"id": "1"}'), answer]
    with LocalServer(sentinelhub(lambda _: script.pop(0))) as server:
        client = make_client(config=config_for(server))
        client.token_lifetime()
        tracemalloc.start()
        try:
            with pytest.raises(ServiceUnavailable, match="No usable answer: its answer is longer than 1 MiB"):
                client.get("1", budget=0)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 6 * MIB
        assert client.get("1", budget=0) == {"id": "1"}
        with pytest.raises(JobMayExist, match="longer than"):
            client.create({}, budget=0)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("answer", TOO_LONG)
def test_tokens_that_are_too_long_are_not_read(make_client: MakeClient, answer: Answer) -> None:
    with LocalServer(lambda _: answer) as server, pytest.raises(ServiceUnavailable, match="longer than"):
        make_client(config=config_for(server)).get("1", budget=0)


HEADS = [
    pytest.param(OK + b"X-Long: " + b"a" * 70_000 + b"\r\n\r\n{}", id="long header"),
    pytest.param(OK + b"X-Many: a\r\n" * 101 + b"\r\n{}", id="many headers"),
    pytest.param(endless(OK, b"X-Many: " + b"a" * 1000 + b"\r\n"), id="endless headers"),
    pytest.param(endless(OK + b"X-Long: ", b"a" * 65536), id="endless header"),
    pytest.param(endless(b"HTTP/1.1 ", b"a" * 65536), id="endless status"),
    pytest.param(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="endless continue"),
]


@pytest.mark.parametrize("answer", HEADS)
def test_heads_that_are_too_long_are_not_read(make_client: MakeClient, answer: Answer) -> None:
    script: list[Answer] = [answer, http(200, '{"id": "1"}'), answer]
    with LocalServer(sentinelhub(lambda _: script.pop(0))) as server:
        client = make_client(config=config_for(server))
        with pytest.raises(ServiceUnavailable, match=r"longer than any real one|longer headers than any real one"):
            client.get("1", budget=0)
        assert client.get("1", budget=0) == {"id": "1"}
        with pytest.raises(JobMayExist):
            client.create({}, budget=0)


def test_odd_headers_are_not_written_into_the_log(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    odd = OK + b"no header " + b"x" * 5000 + b"\r\nX: y\r\nContent-Length: 11\r\n\r\n" + b'{"id": "1"}'
    with LocalServer(sentinelhub(odd)) as server:
        make_client(config=config_for(server)).get("1", budget=0)
    assert "x" * 100 not in caplog.text


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequest), (404, NotFound), (429, RateLimited), (500, ServiceUnavailable)]
)
@pytest.mark.parametrize("bomb", [False, True])
def test_refusals_count_however_long_they_are(
    make_client: MakeClient, status: int, kind: type[Exception], bomb: bool
) -> None:
    head = f"HTTP/1.1 {status} Status\r\n".encode()
    sent: Answer = endless(head + b"\r\n", b"words " * 10_000)
    if bomb:
        sent = http(status, zeros(64 * MIB), "Content-Encoding: gzip")
    with LocalServer(sentinelhub(lambda _: sent)) as server, pytest.raises(kind) as caught:
        make_client(config=config_for(server)).create({}, budget=0)
    assert len(str(caught.value)) < 3000


def test_refused_credentials_count_however_long_they_are(make_client: MakeClient) -> None:
    answer = endless(b"HTTP/1.1 401 Status\r\n\r\n", b" " * 65536)
    with LocalServer(lambda _: answer) as server, pytest.raises(InvalidCredentials):
        make_client(config=config_for(server)).get("1", budget=0)


# Packing


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (packed(b'{"id": "1"}'), "gzip"),
        (packed(b'{"id": "1"}'), "GZIP"),
        (packed(b'{"id": ') + packed(b'"1"}'), "gzip"),
        (b'{"id": "1"}', "identity"),
    ],
)
def test_packed_answers_are_unpacked(make_client: MakeClient, body: bytes, encoding: str) -> None:
    with LocalServer(sentinelhub(http(200, body, f"Content-Encoding: {encoding}"))) as server:
        assert make_client(config=config_for(server)).get("1", budget=0) == {"id": "1"}
        assert [request.headers["accept-encoding"] for request in server.requests] == ["gzip"] * 2


def test_nothing_is_lost_between_the_steps_of_unpacking(make_client: MakeClient) -> None:
    """Sizes around a step, and text that packs well and badly."""
    for size in (0, 1, 65_535, 65_536, 65_537, 131_072, 3_000_000):
        job = {"id": "1", "text": "ab" * (size // 2), "noise": [n * 7919 % 10_007 for n in range(size // 50)]}
        body = packed(json.dumps(job).encode())
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in _parts(body, 1000))
        chunked = OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        with LocalServer(sentinelhub(chunked)) as server:
            assert make_client(config=config_for(server)).get("1", budget=0) == job


def _parts(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b'{"id": "1"}', "br", "packed in a way that was not asked for"),
        (b'{"id": "1"}', "gzip, gzip", "packed in a way that was not asked for"),
        (packed(b"") * 101, "gzip", "packed in a way that was not asked for"),
        (b'{"id": "1"}', "gzip", "broke off"),
        (packed(b'{"id": "1"}')[:-9], "gzip", "broke off"),
        (packed(b'{"id": "1"}') + b"rest", "gzip", "broke off"),
        (b"", "gzip", "an empty answer"),
    ],
)
def test_answers_that_cannot_be_unpacked(make_client: MakeClient, body: bytes, encoding: str, reason: str) -> None:
    answer = sentinelhub(http(200, body, f"Content-Encoding: {encoding}"))
    with LocalServer(answer) as server, pytest.raises(ServiceUnavailable, match=reason):
        make_client(config=config_for(server)).get("1", budget=0)


# Connections


class KeptServer:
    """Answers any number of requests on each connection."""

    def __init__(self, script: list[bytes]) -> None:
        self.connections = 0
        self._script = script
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while self._script:
            connection, _ = self._socket.accept()
            self.connections += 1
            with connection, connection.makefile("rb") as stream:
                while self._script and stream.readline().strip():
                    length = 0
                    while header := stream.readline().strip():
                        name, _, value = header.partition(b":")
                        length = int(value) if name.lower() == b"content-length" else length
                    stream.read(length)
                    try:
                        connection.sendall(self._script.pop(0))
                    except OSError:
                        break
        self._socket.close()


def kept(status: int, body: bytes, *headers: str) -> bytes:
    return http(status, body, *headers).replace(b"Connection: close\r\n", b"")


@pytest.mark.usefixtures("_small")
def test_connections_are_kept_after_what_was_read_whole_and_closed_after_what_was_not(
    make_client: MakeClient,
) -> None:
    job = b'{"id": "1"}'
    script = [
        TOKEN.replace(b"Connection: close\r\n", b""),
        kept(200, job),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        kept(200, b""),
        kept(200, packed(job), "Content-Encoding: gzip"),
        OK + b"Transfer-Encoding: chunked\r\n\r\nb\r\n" + job + b"\r\n0\r\n\r\n",
        kept(404, b'{"error": {"code": "COMMON_NOT_FOUND"}}'),
        kept(200, b" " * 8 * MIB),  # is not read whole
        kept(200, job),
    ]
    server = KeptServer(script)
    config = ClientConfig(server.url, f"{server.url}/token", "id", "hush")
    client = make_client(config=config)
    assert client.get("1", budget=0) == {"id": "1"}
    client.start("1", budget=0)
    client.start("1", budget=0)
    assert client.get("1", budget=0) == {"id": "1"}
    assert client.get("1", budget=0) == {"id": "1"}
    with pytest.raises(NotFound):
        client.get("1", budget=0)
    assert server.connections == 1
    with pytest.raises(ServiceUnavailable, match="longer than"):
        client.get("1", budget=0)
    assert client.get("1", budget=0) == {"id": "1"}
    assert server.connections == 2
