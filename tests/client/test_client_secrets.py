"""
Secrets appear nowhere: whatever the service answers, and in whatever it echoes them.

Every flow runs against a real socket, with all loggers of the process at DEBUG.
"""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from client_local_server import Answer, LocalServer, Request, hang, http
from client_scripted_service import Clock, MakeClient

from airflow_sentinelhub.client import session as session_module
from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.session import BearerAuth
from airflow_sentinelhub.client.token_cache import Token, TokenCache
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs.api import BatchApi

CLIENT_ID = "the-client"
SECRET = 'Zu&geh/eim"ö+ 7$'
TOKENS = ["opaque-token-Aaaa1111", "opaque-token-Bbbb2222", "opaque-token-Cccc3333"]
ACCESS_KEY, SECRET_KEY, GS_KEY = "bucket-key-Dddd4444", "bucket/secret+Eeee5555", "Z3MtY3JlZC1GZmZmNjY2Ng=="
BUCKET_KEYS = [ACCESS_KEY, SECRET_KEY, GS_KEY]
REQUEST = {
    "output": {"delivery": {"s3": {"url": "s3://b", "accessKey": ACCESS_KEY, "secretAccessKey": SECRET_KEY}}},
    "input": {"features": {"gs": {"url": "gs://b", "credentials": GS_KEY}}},
}
JOB = {"id": "7", "status": "CREATED", "request": REQUEST}


def spellings(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
    yield from (json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    yield base64.b64encode(f"{CLIENT_ID}:{secret}".encode()).decode()


def leaks(text: str, secrets: list[str]) -> list[str]:
    return [form for secret in secrets for form in spellings(secret) if form.casefold() in text.casefold()]


def token(number: int, **more: Any) -> bytes:
    return http(200, json.dumps({"access_token": TOKENS[number], "expires_in": 3599, **more}))


def as_json(payload: Any, status: int = 200, *headers: str) -> bytes:
    return http(status, json.dumps(payload), *headers)


ECHO = (
    f"form client_secret={quote_plus(SECRET)} raw {SECRET} header Bearer {TOKENS[0]} "
    f"keys {ACCESS_KEY} {SECRET_KEY} {GS_KEY} json {json.dumps(REQUEST)} token {TOKENS[0]}"
)
TOKEN_ECHO = f"form client_secret={quote_plus(SECRET)} raw {SECRET} other {quote(SECRET, safe='')}"
ECHOES: list[Callable[[int, str], bytes]] = [
    lambda status, echo: as_json({"error": {"message": echo, "code": "COMMON_BAD_PAYLOAD"}}, status),
    lambda status, echo: as_json({"error": {"message": "x", "errors": {"sent": REQUEST, "as": echo}}}, status),
    lambda status, echo: as_json({"message": "y" * 900 + echo, "code": echo}, status),
    lambda status, echo: as_json({"error": echo, "error_description": echo}, status),
    lambda status, echo: http(status, echo),
    lambda status, echo: http(status, f"<html><title>{echo}</title></html>"),
    lambda status, echo: http(status, json.dumps({"error": {"message": echo}})[:-30]),
]

Flow = tuple[str, list[Answer], Callable[[BatchClient], Any]]


def get(client: BatchClient) -> Any:
    return client.get("7", budget=0)


def create(client: BatchClient) -> Any:
    return client.create(REQUEST, budget=0)


def flows() -> Iterator[Flow]:
    ok = token(0)
    yield "get", [ok, as_json(JOB)], get
    yield "list", [ok, as_json({"data": [JOB], "links": {}})], lambda c: [*c.list(budget=0)]
    yield "create", [ok, as_json(JOB, 201)], create
    yield "start", [ok, http(204)], lambda c: c.start("7", budget=0)
    yield "renewal", [ok, http(401), token(1), as_json(JOB)], get
    yield (
        "retries",
        [http(500), ok, http(503), http(429, "", "Retry-After: 1"), as_json(JOB)],
        lambda c: c.get("7"),
    )
    yield (
        "unauthorized",
        [ok, http(401, ECHO), token(1), as_json({"error": {"message": " ".join(TOKENS[:2])}}, 401)],
        get,
    )
    yield "odd token", [http(200, json.dumps({"access_token": f"{TOKENS[0]}\r\nX: y", "expires_in": 1}))], get
    yield "token in odd words", [http(200, json.dumps({"access_token": f"{TOKENS[0]} ü"}))], get
    yield "truncated token", [ok[:-20]], get
    yield "truncated token JSON", [http(200, json.dumps({"error": "x", "access_token": TOKENS[0]})[:-4])], get
    yield "error and token", [as_json({"error": "x", "access_token": TOKENS[0]})], get
    yield "token redirect", [http(302, "", f"Location: https://x.example/?s={quote_plus(SECRET)}")], get
    yield "redirect", [ok, http(302, "", f"Location: https://{TOKENS[0]}@x.example/{TOKENS[0]}")], get
    yield "job echo", [ok, as_json(JOB), as_json(JOB)], lambda c: [c.get("7", budget=0), c.get("7", budget=0)]
    for name, broken in {"dropped": lambda _: None, "hung": hang, "cut": as_json(JOB)[:-9]}.items():
        yield f"{name} token", [broken], get  # type: ignore[list-item]
        yield f"{name} get", [ok, broken], get  # type: ignore[list-item]
        yield f"{name} create", [ok, broken], create  # type: ignore[list-item]
    for number, echo in enumerate(ECHOES):
        for status in (400, 401, 403, 404, 429, 500):
            yield f"token echo {number} {status}", [echo(status, TOKEN_ECHO)], get
            answer = echo(status, ECHO)
            twice = [answer, token(1), answer] if status == 401 else [answer]
            yield f"create echo {number} {status}", [ok, *twice], create
    for number, echo in enumerate(ECHOES[4:], 4):
        yield f"token echo {number} 200", [echo(200, TOKEN_ECHO)], get
        yield f"create echo {number} 200", [ok, echo(200, ECHO)], create


class Everything(logging.Handler):
    """Keeps all that a handler could write of a record."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.loggers: set[str] = set()
        self.levels: set[tuple[str, int]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.loggers.add(record.name)
        self.levels.add((record.name, record.levelno))
        self.lines.append(f"{self.format(record)} {record.args!r} {vars(record)!r}")


@pytest.fixture
def everything() -> Iterator[Everything]:
    handler = Everything()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def told_by(error: BaseException | None) -> Iterator[str]:
    """All that an exception and those behind it can tell."""
    while error is not None:
        yield f"{error} {error!r} {error.args!r} {vars(error)!r} {getattr(error, '__notes__', '')}"
        yield pickle.dumps(error, protocol=0).decode("raw_unicode_escape")
        yield "".join(traceback.format_exception(error))
        assert type(error).__module__ == "airflow_sentinelhub.exceptions", f"{error!r} holds the request"
        error = error.__cause__ or error.__context__


def locals_in(error: BaseException) -> str:
    """The variables in our frames of the traceback, as debugging tools show them."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return " ".join(f"{frame.locals}" for frame in shown.stack if "airflow_sentinelhub" in frame.filename)


@pytest.mark.parametrize("flow", [pytest.param(flow, id=flow[0]) for flow in flows()])
def test_nothing_leaks(
    make_client: MakeClient, everything: Everything, monkeypatch: pytest.MonkeyPatch, flow: Flow
) -> None:
    monkeypatch.setattr(session_module, "READ_TIMEOUT", 0.2)
    _, script, act = flow
    script = list(script)

    def answer(_: Request) -> Answer:
        return script.pop(0)

    error: SentinelHubError | None = None
    result: Any = None
    with LocalServer(answer) as server:
        client = make_client(config=ClientConfig(server.url, f"{server.url}/token", CLIENT_ID, SECRET))
        try:
            result = act(client)
        except SentinelHubError as caught:
            error = caught
    assert script == []
    told = " ".join(told_by(error))
    assert leaks(told, [SECRET, *TOKENS, *BUCKET_KEYS]) == []
    assert leaks(repr(result), [SECRET, *TOKENS, *BUCKET_KEYS]) == []
    assert leaks("\n".join(everything.lines), [SECRET, *TOKENS, *BUCKET_KEYS]) == []
    assert leaks(repr(client), [SECRET, *TOKENS]) == []
    if error is not None:
        assert leaks(locals_in(error), [SECRET, *TOKENS]) == []
    # The capture works, and what is ours is quiet.
    assert "urllib3.connectionpool" in everything.loggers
    assert not [name for name, level in everything.levels if level > logging.DEBUG]


def test_the_checks_see_what_they_look_for(everything: Everything) -> None:
    logging.getLogger("somebody").debug("sent %s", quote_plus(SECRET))
    assert leaks("\n".join(everything.lines), [SECRET])
    assert leaks(" ".join(told_by(SentinelHubError("x", service_message=TOKENS[0]))), TOKENS)
    with pytest.raises(SentinelHubError) as caught:
        raise SentinelHubError("x") from SentinelHubError(json.dumps(SECRET))
    assert leaks(" ".join(told_by(caught.value)), [SECRET])


def test_reprs(clock: Clock, tokens: TokenCache, make_client: MakeClient) -> None:
    config = ClientConfig("https://sh.example", "https://id.example/token", CLIENT_ID, SECRET)
    token = Token.issued(TOKENS[0], 600, clock())
    tokens.get(config.account, clock=clock, fetch=lambda: token)
    client = make_client(BatchApi.PROCESS, config)
    transport = client._transport
    things = [
        config, config.account, token, tokens, tokens._slots, BearerAuth(token), client, vars(client), transport,
        vars(transport), vars(transport._endpoint), transport._session, vars(transport._session),
        client._call("create", None, body=json.dumps(REQUEST).encode()),
    ]  # fmt: skip
    assert leaks(repr(things) + str(things), [SECRET, *TOKENS, *BUCKET_KEYS]) == []
