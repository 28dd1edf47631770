"""An emulator inside this process, for tests."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Self

from airflow_sentinelhub.emulator import access
from airflow_sentinelhub.emulator.control import Control
from airflow_sentinelhub.emulator.control_api import control
from airflow_sentinelhub.emulator.object_store import Writer
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.emulator.service_clock import ServiceClock

if TYPE_CHECKING:
    from airflow_sentinelhub.emulator.server import Server

_logger = logging.getLogger(__name__)


class MissingExtraError(ImportError):
    """
    starlette or uvicorn is not installed.

    :param missing: the module that could not be imported.
    """

    def __init__(self, missing: str | None) -> None:
        super().__init__(
            f"The Sentinel Hub emulator needs {missing}, which is not installed: "
            "pip install 'airflow-provider-sentinelhub[emulator]'",
            name=missing,
        )


class Emulator(Control):
    """
    A local Sentinel Hub with real HTTP, served by a thread of this process.

    A context manager; its methods do not go over HTTP, so they cost no request and work with a stopped loop.

    :param speed: service seconds per real second. Default: 60, so a job of the default length takes twelve
        seconds; 0 stands still except for :meth:`advance`.
    :param port: Default: a free one.
    :param host: address to listen at. Others than those of this machine alone need ``allow_remote``.
    :param clock: a clock to use instead of one of that speed.
    :param settings: settings to begin with, see :class:`~airflow_sentinelhub.emulator.settings.Settings`.
    :param write_result: takes URL and content of each file that a job leaves in its user's bucket, such as
        :class:`~airflow_sentinelhub.emulator.object_store.Folder`. Default: nothing is written.
    :param allow_remote: listen where other machines can reach it, although it guards nothing; logged as a warning.
    :param allowed_hosts: names by which its control interface may be called over HTTP, besides ``localhost``, the
        loopback addresses and ``host``.
    :raises ValueError: for a host that others can reach without ``allow_remote``.
    :raises MissingExtraError: on entering, without the extra ``emulator``.
    """

    def __init__(
        self,
        speed: float = 60.0,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        clock: ServiceClock | None = None,
        settings: Mapping[str, Any] | None = None,
        write_result: Writer | None = None,
        allow_remote: bool = False,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        access.check_listening(host, allow_remote)
        self._allowed_hosts = tuple(allowed_hosts)
        self._names = access.names_of(host, self._allowed_hosts)
        self.service = Service(clock or ServiceClock(speed), settings, write=write_result)
        self._host = host
        self._port = port
        self._url: str | None = None
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """
        Base URL.

        :raises RuntimeError: before it is started.
        """
        if self._url is None:
            raise RuntimeError("The emulator is not running: use it as a context manager, or call start()")
        return self._url

    @property
    def client_secret(self) -> str:
        """The secret that the emulator accepts now."""
        return self.service.settings.client_secret

    @property
    def airflow_connection(self) -> str:
        """
        The Airflow connection to it as JSON, for an environment variable ``AIRFLOW_CONN_...``.

        :raises RuntimeError: before it is started.
        """
        return json.dumps(
            {
                "conn_type": "sentinelhub",
                "login": self.client_id,
                "password": self.client_secret,
                "host": self.url,
                "extra": {"auth_url": self.auth_url},
            }
        )

    def start(self) -> None:
        """Listen and serve until :meth:`stop`; requests are answered as soon as this returns."""
        if self._server is not None:
            raise RuntimeError("The emulator is running already")
        try:
            from airflow_sentinelhub.emulator.server import Server, address, open_socket
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name) from error
        if warning := access.warning(self._host, self._allowed_hosts):
            _logger.warning(warning)
        self._server = Server(self.service, self._names)
        listener = open_socket(self._host, self._port)
        self._url, self._port = address(self._host, listener), listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="sentinelhub-emulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close every connection. Jobs and port are kept, for the next :meth:`start`."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = self._url = None

    def _call(self, method: str, path: str, given: Mapping[str, Any] | None = None) -> Any:
        # Through JSON, so that nothing is shared and both ways of calling give the same.
        try:
            answer = control(self.service, method, path, json.loads(json.dumps(given or {})))[1]
            return json.loads(json.dumps(answer))
        except RecursionError:
            raise ValueError("What was given is nested too deeply") from None
