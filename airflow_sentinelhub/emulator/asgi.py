"""ASGI application: counts each request, applies faults, and serves the control interface."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_sentinelhub.emulator import access, limits
from airflow_sentinelhub.emulator.app import build_api
from airflow_sentinelhub.emulator.control_api import CONTROL, Refused, control
from airflow_sentinelhub.emulator.fault_responses import answer_faulty, pause
from airflow_sentinelhub.emulator.faults import FaultKind
from airflow_sentinelhub.emulator.json_response import JsonAnswer
from airflow_sentinelhub.emulator.refusals import wrapped
from airflow_sentinelhub.emulator.response_recorder import RecordingSend
from airflow_sentinelhub.emulator.routing import place_of
from airflow_sentinelhub.emulator.service import Service

_logger = logging.getLogger(__name__)
_TOO_LONG = f"The request body is longer than {limits.LONGEST_BODY // 1024**2} MB."
# What was not read of a request would be taken for the next one.
_CLOSE = {"Connection": "close"}


class _TooLongError(Exception):
    """A body over the limit."""


class EmulatorApp:
    """
    The whole emulator as an ASGI application.

    :param service: what it serves.
    :param names: by which its control interface may be called, besides those of the loopback.
    """

    def __init__(self, service: Service, names: Collection[str] = ()) -> None:
        self.service = service
        self._names = names
        self.closing = asyncio.Event()
        self._api: ASGIApp = build_api(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. An unforeseen exception is logged, and its client gets an error object."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        is_control = path == "/" or path == CONTROL or path.startswith(CONTROL + "/")
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if is_control:
                await self._control(scope, receive, watch)
            else:
                await self._serve(path, scope, receive, watch)
        except Exception:
            _logger.exception("The emulator failed at %s %s. Please report this", scope["method"], path)
            if not begun:
                said = {"error": "The emulator failed"} if is_control else wrapped(500, "The emulator failed.")
                await JsonAnswer(said, 500)(scope, receive, send)

    async def _serve(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        service, method = self.service, scope["method"]
        traffic = service.traffic
        place = place_of(method, path)
        headers = dict(scope["headers"])
        with service.lock:
            query = scope["query_string"].decode("latin-1")
            user_agent = headers.get(b"user-agent", b"").decode("latin-1")
            seen = traffic.arrived(place, method, path, query, user_agent, service.clock.now())
            fault = service.faults.strike(place, method, path)
            seen.fault = None if fault is None else fault.kind.value

        observed = RecordingSend(scope, send, scripted=fault is not None and fault.kind is not FaultKind.SLOW)

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                with service.lock:
                    traffic.answered(seen, message["status"])
            await observed(message)

        # All of it now, so that the request takes effect even if its client does not wait for a slow answer.
        try:
            body = await _whole_body(receive)
        except _TooLongError:
            await JsonAnswer(wrapped(413, _TOO_LONG), 413, _CLOSE)(scope, receive, note)
            return
        if body is None:
            return
        receive = _replayed(body, receive)
        if service.settings.answer_seconds:
            await pause(service.settings.answer_seconds, self.closing)
        if fault is None:
            await self._api(scope, receive, note)
        else:
            await answer_faulty(fault, self._api, scope, receive, note, self.closing)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, headers = scope["method"], Headers(scope=scope)
        refused = access.refusal(method, headers, self._names)
        if refused is not None:
            await JsonAnswer({"error": refused[1]}, refused[0], _CLOSE)(scope, receive, send)
            return
        path = scope["raw_path"].decode("latin-1").removeprefix(CONTROL)
        try:
            body = await _whole_body(receive)
            if body is None:
                return
            status, answer = control(self.service, method, path, json.loads(body) if body else {})
        except Refused as refusal:
            status, answer = refusal.status, {"error": str(refusal)}
        except _TooLongError:
            status, answer = 413, {"error": _TOO_LONG}
        except (ValueError, RecursionError):
            status, answer = 400, {"error": "The body is not valid JSON, or nested too deeply"}
        await JsonAnswer(answer, status, _CLOSE if status == 413 else None)(scope, receive, send)


async def _whole_body(receive: Receive) -> bytes | None:
    """
    Return the body of a request; ``None`` if its client has gone before it was complete.

    :raises _TooLongError: if it is longer than any request could be; the rest is not read.
    """
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limits.LONGEST_BODY:
            raise _TooLongError
        more = message.get("more_body", False)
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return the body once more, then what comes after it."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay
