"""A scripted Sentinel Hub, and time that passes only when somebody sleeps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import responses

from airflow_sentinelhub.client.batch import BatchClient

BASE_URL = "https://sh.example"
AUTH_URL = "https://id.example/realms/main/token"

Reply = tuple[int, dict[str, str], bytes] | Exception
MakeClient = Callable[..., BatchClient]
Script = list[Reply | Callable[[], Reply]]


def reply(body: Any = b"", status: int = 200, **headers: str) -> Reply:
    """An answer; anything but bytes and text is sent as JSON. ``Retry_After`` is the header ``Retry-After``."""
    raw = (
        body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    )
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, raw


class Clock:
    """Monotonic seconds that pass only in :meth:`sleep`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(round(seconds, 6))
        self.now += seconds


class Service:
    """Answers from two scripts: one for the token endpoint (token-1, token-2 … by default), one for the API."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.token_script: list[Reply] = []
        self.script: Script = []
        self.token_requests: list[Any] = []
        self.requests: list[Any] = []
        mock.add_callback(responses.POST, AUTH_URL, self._token)
        for method in (responses.GET, responses.POST):
            mock.add_callback(method, re.compile(r"https://sh\.example/.*"), self._answer)

    def _token(self, request: Any) -> Reply:
        self.token_requests.append(request)
        if self.token_script:
            return self.token_script.pop(0)
        return reply(
            {"access_token": f"token-{len(self.token_requests)}", "expires_in": 3599, "token_type": "Bearer"}
        )

    def _answer(self, request: Any) -> Reply:
        self.requests.append(request)
        assert self.script, f"{request.method} {request.url} was not expected"
        step = self.script.pop(0)
        return step() if callable(step) else step

    @property
    def bearers(self) -> list[str]:
        return [request.headers["Authorization"].removeprefix("Bearer ") for request in self.requests]
