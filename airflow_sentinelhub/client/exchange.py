"""
Bounds of one HTTP exchange: seconds and bytes.

The timeouts of HTTP libraries count anew with each byte, so an answer that drips never ends. Here all that is sent
and received passes a connection that counts both, from the first attempt to connect to the last byte.
"""

from __future__ import annotations

import functools
import io
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import client as http
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import connection as sockets

from airflow_sentinelhub.client.web_address import is_loopback_host, is_loopback_ip

DEADLINE = 60.0
"""
Seconds for a whole exchange: connection, TLS, request, head and body of the answer.

With the pause that follows, a poll that never ends takes no more than the 120 s that one failed poll counts as an
outage. A body that is sent has more, see below.
"""

SLOWEST_UPLOAD = 64 * 1024
"""Bytes in a second: a request of 8 MB, with the geometry of a country, has two minutes more."""

LARGEST_HEAD = 128 * 1024
"""Bytes of all that comes before the body of an answer. Real ones have less than 2 kB."""

# A TLS record: no write takes longer than the time that was left when it began.
_PIECE = 16 * 1024
_LEAST_PER_ADDRESS = 2.0


class AnswerTooLong(http.HTTPException):
    """More came than any answer may have."""


class Exchange:
    """
    One request and its answer.

    :param seconds: how long it may take, whatever happens in it.
    :param largest: bytes that may come after the head, as they are sent (compressed, with the sizes of chunks).
    :param clock: seconds, monotonic.
    """

    def __init__(self, seconds: float, largest: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends = clock() + seconds
        self.largest = largest
        self.connecting = False
        """True if there is no connection yet over which the request could have been sent."""

    def timeout(self, longest: float | None) -> float:
        """
        Return the seconds for which a step may block.

        :param longest: seconds that this step may take at most.
        :raises TimeoutError: the time of the exchange is over.
        """
        left = self._ends - self._clock()
        if left <= 0:
            raise TimeoutError("the time for the whole exchange is over")
        return left if longest is None else min(left, longest)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Apply this exchange to all that the thread sends inside the block."""
        before, _THREAD.exchange = getattr(_THREAD, "exchange", None), self
        try:
            yield
        finally:
            _THREAD.exchange = before


# The pools of urllib3 hand connections from thread to thread, and know of no request when they make one.
_THREAD = threading.local()


def _current() -> Exchange:
    exchange: Exchange | None = getattr(_THREAD, "exchange", None)
    if exchange is None:
        raise RuntimeError("nothing is sent outside an exchange, as it would have no end")
    return exchange


class BoundedAdapter(HTTPAdapter):
    """Sends through connections that keep to the bounds of the :class:`Exchange`, also to proxies."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools."""
        super().init_poolmanager(*args, **kwargs)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        """Return the pools of a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        _bound(manager)
        return manager


def _bound(manager: Any) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _bounded(pool) for scheme, pool in pools.items()}


@functools.cache
def _bounded(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    kind: Any = pool.ConnectionCls
    if issubclass(kind, _Bounded):
        return pool
    # A SOCKS proxy connects in its own way.
    plain = kind._new_conn is HTTPConnection._new_conn
    bounds = (_BoundedConnecting, kind) if plain else (_Bounded, kind)
    connection = type(f"Bounded{kind.__name__}", bounds, {})
    return type(f"Bounded{pool.__name__}", (pool,), {"ConnectionCls": connection})


class _Bounded:
    """A mixin for connections of urllib3."""

    sock: Any
    timeout: Any

    def connect(self) -> None:
        exchange = _current()
        exchange.connecting = True
        super().connect()  # type: ignore[misc]
        exchange.connecting = False

    def send(self, data: Any) -> None:
        if not isinstance(data, bytes):
            return self._send(data)
        for start in range(0, max(1, len(data)), _PIECE):
            self._send(data[start : start + _PIECE])
        return None

    def _send(self, data: Any) -> None:
        # One that is used again still has the timeout of the answer before.
        if self.sock is not None:
            self.sock.settimeout(_current().timeout(self.timeout))
        super().send(data)  # type: ignore[misc]

    @property
    def response_class(self) -> Callable[..., http.HTTPResponse]:
        return functools.partial(_BoundedResponse, exchange=_current())


class _BoundedConnecting(_Bounded):
    """One that connects by itself."""

    host: str
    port: int
    source_address: Any
    socket_options: Any

    def _new_conn(self) -> socket.socket:
        try:
            connected = self._connected(_current())
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, "no connection") from error  # type: ignore[arg-type]
        sys.audit("http.client.connect", self, self.host, self.port)
        return connected

    def _connected(self, exchange: Exchange) -> socket.socket:
        """Try one address of the host after the other, all of them within the time for connecting."""
        attempt = Exchange(exchange.timeout(self.timeout), 0, exchange._clock)
        addresses = self._addresses()
        for number, address in enumerate(addresses, start=1):
            left = attempt.timeout(None)
            fair = max(left / (len(addresses) - number + 1), _LEAST_PER_ADDRESS)
            try:
                connected = sockets.create_connection(
                    (address, self.port),
                    min(left, fair),
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError:
                if number == len(addresses):
                    raise
            else:
                try:
                    # For what is left to do before it is usable, such as TLS.
                    connected.settimeout(attempt.timeout(None))
                except TimeoutError:
                    connected.close()
                    raise
                return connected
        raise OSError("the name has no address")

    def _addresses(self) -> list[str]:
        host = self.host.strip("[]")
        found = socket.getaddrinfo(host, self.port, sockets.allowed_gai_family(), socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        if is_loopback_host(self.host):
            # What may be sent there in clear, and past proxies, must not leave this machine.
            addresses = [address for address in addresses if is_loopback_ip(address)]
        return addresses


class _BoundedResponse(http.HTTPResponse):
    """An answer that is read within the bounds of its exchange."""

    def __init__(self, sock: Any, *args: Any, exchange: Exchange, **kwargs: Any) -> None:
        self._bounds = _Reader(sock, exchange)
        # It asks what it is given for a file, and for nothing else.
        super().__init__(self._bounds, *args, **kwargs)  # type: ignore[arg-type]

    def begin(self) -> None:
        super().begin()
        self._bounds.left = self._bounds.largest
        # urllib3 would write lines that are no headers into the log, whole.
        self.msg.defects.clear()
        self.msg.set_payload("")


class _Reader(io.RawIOBase):
    """Reads from a socket what the exchange allows."""

    def __init__(self, sock: Any, exchange: Exchange) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._longest = sock.gettimeout()
        self._exchange = exchange
        self.largest = exchange.largest
        self.left = LARGEST_HEAD

    def makefile(self, *_: Any) -> io.BufferedReader:
        """Do what a socket does for who reads an answer."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.left <= 0:
            raise AnswerTooLong("more came than an answer may have")
        self._sock.settimeout(self._exchange.timeout(self._longest))
        count: int | None = self._raw.readinto(buffer)
        self.left -= count or 0
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
