"""A server between a client and an emulator that answers for chosen jobs what the emulator cannot send."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

Write = Callable[[bytes], object]
Answer = Callable[[Write, threading.Event], None]
"""Writes a whole HTTP answer; ends early once the event is set."""


def body(content: bytes | Iterable[bytes], status: int = 200, *headers: str) -> Answer:
    """Answer with this, as JSON; the end of the connection is the end of the body."""
    pieces = [content] if isinstance(content, bytes) else content
    head = [f"HTTP/1.1 {status} Status", "Content-Type: application/json", "Connection: close", *headers]

    def answer(write: Write, closing: threading.Event) -> None:
        write("\r\n".join(head).encode() + b"\r\n\r\n")
        for piece in pieces:
            if closing.is_set():
                return
            write(piece)

    return answer


def gzip_bomb(decoded_bytes: int) -> Answer:
    """Answer with zeros that are a thousandth as long on the wire; made of members of 16 MiB."""
    member = gzip.compress(bytes(2**24))
    return body([member] * (decoded_bytes // 2**24), 200, "Content-Encoding: gzip")


def drip(seconds: float) -> Answer:
    """Answer with a space every so many seconds, without end."""

    def answer(write: Write, closing: threading.Event) -> None:
        write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        while not closing.wait(seconds):
            write(b" ")

    return answer


class HostileProxy:
    """
    Passes every request on, except those whose path ends in a key of ``answers``.

    :param upstream: URL of the emulator.
    """

    def __init__(self, upstream: str) -> None:
        self.answers: dict[str, Answer] = {}
        self.hits: list[str] = []
        closing, proxy, target = threading.Event(), self, urlsplit(upstream).netloc

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                for end, answer in list(proxy.answers.items()):
                    if path.endswith(end):
                        proxy.hits.append(end)
                        self.close_connection = True
                        with contextlib.suppress(OSError):  # the client has had enough, which is right
                            answer(self.wfile.write, closing)
                        return
                self._pass_on()

            def do_POST(self) -> None:
                self._pass_on()

            def _pass_on(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                upstream = http.client.HTTPConnection(target, timeout=60)
                upstream.request(self.command, self.path, sent, headers | {"Host": target})
                got = upstream.getresponse()
                content = got.read()
                self.send_response_only(got.status, got.reason)
                for name, value in got.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._closing = closing
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join(60)
        self._server.server_close()
