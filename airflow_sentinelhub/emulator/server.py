"""The emulator behind a socket: uvicorn, in this thread or in one of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_sentinelhub.emulator import access
from airflow_sentinelhub.emulator.asgi import EmulatorApp
from airflow_sentinelhub.emulator.fault_responses import TRANSPORT
from airflow_sentinelhub.emulator.service import Service

_KEEP_ALIVE = 75
_GRACE = 2
# A thousand clients may knock at once; one that finds no room tries again a second later.
_BACKLOG = 2048


def open_socket(host: str, port: int) -> socket.socket:
    """
    Return a socket that listens: from here on clients can connect, even before the server runs.

    :param port: 0 for a free one.
    :raises OSError: if the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol said, asyncio turns Nagle's algorithm off, which would hold each answer back for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def address(host: str, listener: socket.socket) -> str:
    """Return the base URL of a listener, as this machine calls it."""
    host = access.reachable(host)
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


class Server(uvicorn.Server):
    """
    Serves one emulator.

    :param service: what to serve.
    :param names: by which the control interface may be called, see :func:`.access.names_of`.
    """

    def __init__(self, service: Service, names: Collection[str] = ()) -> None:
        self._app = EmulatorApp(service, names)
        super().__init__(
            uvicorn.Config(
                self._app,
                http=_Protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACE,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End requests that hang on purpose, then stop."""
        self._app.closing.set()
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """HTTP protocol that gives the application its connection, so that a fault can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        state: dict[str, Any] = {**self.app_state, TRANSPORT: transport}
        self.app_state = state
