"""A server on a real socket, for what cannot be had otherwise: redirects, proxies, broken connections, TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import NamedTuple, Self

LONG = 60.0
"""Seconds after which something that should have happened is an error."""


class Request(NamedTuple):
    line: str
    headers: dict[str, str]
    body: bytes


Answer = bytes | Callable[[socket.socket], None]
"""What is sent, after which the connection is closed; or what is done with the connection."""


def http(status: int = 200, body: str | bytes = b"", *headers: str) -> bytes:
    raw = body if isinstance(body, bytes) else body.encode()
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(raw)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def hang(connection: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    connection.settimeout(LONG)
    connection.recv(1)


class LocalServer:
    """Gives every request, on a connection of its own, what ``answer`` says."""

    def __init__(self, answer: Callable[[Request], Answer], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self._answer = answer
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.set()
        self._thread.join(LONG)
        self._socket.close()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            connection.settimeout(LONG)
            try:
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._talk(connection)
            except OSError:
                pass  # the client went away, which is what some tests are about
            finally:
                connection.close()

    def _talk(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            line = stream.readline().decode().strip()
            if not line:
                return
            headers = {}
            while header := stream.readline().decode().strip():
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            request = Request(line, headers, stream.read(int(headers.get("content-length", 0))))
        self.requests.append(request)
        answer = self._answer(request)
        if callable(answer):
            answer(connection)
        else:
            connection.sendall(answer)
