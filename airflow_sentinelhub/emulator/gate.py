"""Where every request comes in: counted, hit by faults, or taken to the control interface."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_sentinelhub.emulator.app import build_api
from airflow_sentinelhub.emulator.control_api import CONTROL, Refused, control
from airflow_sentinelhub.emulator.faults import FaultKind
from airflow_sentinelhub.emulator.faulty_answers import answer_faulty, pause
from airflow_sentinelhub.emulator.observing import Observed
from airflow_sentinelhub.emulator.places import place_of
from airflow_sentinelhub.emulator.service import Service


class Gate:
    """
    The whole emulator as an ASGI application.

    :param service: what it serves.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.closing = asyncio.Event()
        self._api: ASGIApp = build_api(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path == "/" or path == CONTROL or path.startswith(CONTROL + "/"):
            await self._control(scope, receive, send)
        else:
            await self._serve(path, scope, receive, send)

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

        observed = Observed(scope, send, scripted=fault is not None and fault.kind is not FaultKind.SLOW)

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                with service.lock:
                    traffic.answered(seen, message["status"])
            await observed(message)

        # All of it now, so that the request takes effect even if its client does not wait for a slow answer.
        body = await _whole_body(receive)
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
        request = Request(scope, receive)
        path = unquote(scope["path"])[len(CONTROL) :]
        body = await request.body()
        try:
            given = json.loads(body) if body else {}
            status, answer = control(self.service, request.method, path, given)
        except Refused as refusal:
            status, answer = refusal.status, {"error": str(refusal)}
        except ValueError:
            status, answer = 400, {"error": "The body is not valid JSON"}
        await JSONResponse(answer, status)(scope, receive, send)


async def _whole_body(receive: Receive) -> bytes | None:
    """The body of a request; ``None`` if its client has gone before it was complete."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body once more, then what comes after it."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay
