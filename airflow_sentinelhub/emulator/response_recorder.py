"""Watching what the emulator sends, e.g. to compare it with the service's API reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Message, Scope, Send

from airflow_sentinelhub.emulator.serializers import EVERYTHING

SCRIPTED_FIELDS = "airflow_sentinelhub.scripted_fields"


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """
    One answer, before it leaves. Those that break off are not observed.

    :param path: of the request, without its query.
    :param headers: names in lower case.
    :param scripted: a fault took the place of the service's answer, or all of it is what a test chose.
    :param scripted_fields: fields of a job or a tile in it (of any, in a list) whose content a test chose: by
        steps, an end, a request, an id or the name of the cost.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    scripted: bool
    scripted_fields: frozenset[str]


Observer = Callable[[RecordedResponse], None]
_observers: list[Observer] = []


@contextmanager
def observe(observer: Observer) -> Iterator[None]:
    """
    Show every answer of every emulator in this process.

    :param observer: called in the server's thread before the answer leaves; it must not raise.
    """
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


class RecordingSend:
    """
    Sends an answer, and shows it before the client has any of it.

    :param scope: of its request; the application notes in it which fields are scripted.
    :param send: where it goes.
    :param scripted: whether a fault takes its place.
    """

    def __init__(self, scope: Scope, send: Send, scripted: bool) -> None:
        self._scope = scope
        self._send = send
        self._scripted = scripted
        self._fields: set[str] = set()
        self._start: Message | None = None
        scope[SCRIPTED_FIELDS] = self._fields

    async def __call__(self, message: Message) -> None:
        """Send the next part; the head waits for the first part of the body, which may be all there is."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is not None:
            if _observers and not message.get("more_body", False):
                self._show(self._start, message.get("body", b""))
            await self._send(self._start)
            self._start = None
        await self._send(message)

    def _show(self, start: Message, body: bytes) -> None:
        answer = RecordedResponse(
            method=self._scope["method"],
            path=self._scope["path"],
            status=start["status"],
            headers={
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start.get("headers", ())
            },
            body=body,
            scripted=self._scripted or EVERYTHING in self._fields,
            scripted_fields=frozenset(self._fields),
        )
        for observer in tuple(_observers):
            observer(answer)
