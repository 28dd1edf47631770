"""Faults as they look on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_sentinelhub.emulator.faults import WITHOUT_BODY, ErrorShape, Fault, FaultKind
from airflow_sentinelhub.emulator.refusals import error_object, wrapped

TRANSPORT = "airflow_sentinelhub.transport"
_PAGE = (
    "<html><head><title>502 Bad Gateway</title></head>"
    "<body><center><h1>502 Bad Gateway</h1></center><hr></body></html>"
)


async def answer_faulty(
    fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send, closing: asyncio.Event
) -> None:
    """
    Answer a request the way the fault wants it.

    :param app: what would have answered.
    :param closing: set when the server stops, so that nothing hangs for ever.
    """
    match fault.kind:
        case FaultKind.SLOW:
            await pause(fault.seconds, closing)
            await app(scope, receive, send)
            return
        case FaultKind.CUT | FaultKind.TRUNCATED:
            await _half(fault, await _carry_out(app, scope, receive), scope, receive, send)
            return
    if fault.carried_out:
        await _carry_out(app, scope, receive)
    match fault.kind:
        case FaultKind.DROP:
            await _drop(scope, receive)
        case FaultKind.HANG:
            await _or_closing(_gone(receive), closing)
            await _drop(scope, receive)
        case FaultKind.HTML:
            page = None if fault.status in WITHOUT_BODY else _PAGE
            await HTMLResponse(page, fault.status or 200, _headers(fault))(scope, receive, send)
        case FaultKind.EMPTY:
            await Response(None, fault.status or 200, _headers(fault))(scope, receive, send)
        case FaultKind.REDIRECT:
            headers = _headers(fault) | {"location": fault.location or ""}
            await Response(None, fault.status or 307, headers)(scope, receive, send)
        case FaultKind.STATUS:
            await _error(fault)(scope, receive, send)


def _error(fault: Fault) -> Response:
    status = fault.status or 500
    shape = fault.shape or (ErrorShape.FLAT if status == 429 else ErrorShape.WRAPPED)
    if status in WITHOUT_BODY:
        return Response(None, status, _headers(fault))
    if isinstance(fault.body, str):
        # What UTF-8 cannot say is sent all the same: a client has to cope with it.
        return Response(fault.body.encode("utf-8", "surrogatepass"), status, _headers(fault), "text/plain")
    if fault.body is not None:
        return Response(json.dumps(fault.body), status, _headers(fault), "application/json")
    if shape is ErrorShape.NONE:
        return Response(None, status, _headers(fault))
    body = (error_object if shape is ErrorShape.FLAT else wrapped)(status, fault.message)
    return Response(json.dumps(body), status, _headers(fault), "application/json")


def _headers(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after is None else {"Retry-After": fault.retry_after}


async def _carry_out(app: ASGIApp, scope: Scope, receive: Receive) -> bytes:
    """Carry the request out, and keep the body of the answer."""
    body = bytearray()

    async def keep(message: Message) -> None:
        body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return bytes(body)


async def _half(fault: Fault, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
    half = body[: len(body) // 2]
    promised = body if fault.kind is FaultKind.CUT else half
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(promised)).encode())]
    await send({"type": "http.response.start", "status": fault.status or 200, "headers": headers})
    await send({"type": "http.response.body", "body": half, "more_body": fault.kind is FaultKind.CUT})
    if fault.kind is FaultKind.CUT:
        await _drop(scope, receive)


async def _drop(scope: Scope, receive: Receive) -> None:
    """Close the connection behind the back of HTTP."""
    scope["state"][TRANSPORT].close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def pause(seconds: float, closing: asyncio.Event) -> None:
    """Wait so many real seconds, but no longer than the server runs."""
    with suppress(TimeoutError):
        await asyncio.wait_for(closing.wait(), seconds)


async def _or_closing(what: Coroutine[Any, Any, None], closing: asyncio.Event) -> None:
    """Wait, but no longer than the server runs."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(what), asyncio.create_task(closing.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
