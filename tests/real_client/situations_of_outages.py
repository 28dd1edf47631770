"""
What goes wrong on the way to the service (sentinelhub-api.md, sections 2.2 and 3.5), with a job that ends DONE.

All monitor functions share the code that fails here, so one of them stands for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.real_client.situations import (
    DONE,
    DOWNLOAD_FAILED,
    HANGS,
    LIFE,
    RETURNS,
    SUCCESS,
    VALUE_ERROR,
    Situation,
    life,
)

_LOOK = {"method": "GET", "api": "process", "after": 1}
_TOKEN = {"api": "token"}
_PAST = "Wed, 21 Oct 2015 07:28:00 GMT"


def weather(title: str, row: str, outcome: str, *faults: Mapping[str, Any], sensors: str = SUCCESS) -> Situation:
    return Situation(title=title, row=row, job=life(*LIFE, DONE), process=outcome, sensors=sensors, faults=faults)


WEATHER = (
    weather("503, once", "3.5", RETURNS, {**_LOOK, "status": 503}),
    weather("503, four times in a row", "3.5, 7.2 trap 9", DOWNLOAD_FAILED, {**_LOOK, "status": 503, "times": 4}),
    weather("a connection that breaks, once", "3.5", RETURNS, {**_LOOK, "kind": "drop"}),
    weather("a web page instead of JSON, once", "3.5", "raises JSONDecodeError", {**_LOOK, "kind": "html"}),
    weather("half the JSON, once", "3.5", "raises JSONDecodeError", {**_LOOK, "kind": "truncated"}),
    weather(
        "an empty answer, once", "7.2 trap 18", "raises MissingDataInRequestException", {**_LOOK, "kind": "empty"}
    ),
    weather(
        "429 with `Retry-After` in milliseconds",
        "3.5",
        RETURNS,
        {**_LOOK, "status": 429, "retry_after": 500, "times": 2},
    ),
    weather(
        "429 with a date as `Retry-After`",
        "3.5, 7.2 trap 8",
        VALUE_ERROR,
        {**_LOOK, "status": 429, "retry_after": _PAST},
    ),
    Situation(
        title="429 without end",
        row="3.5, 7.2 trap 8",
        job=life(DONE),
        process=HANGS,
        sensors="ServiceUnavailable",
        faults=({**_LOOK, "after": 0, "status": 429, "retry_after": 500, "times": None},),
    ),
    weather(
        "401: the token was revoked",
        "2.2, 7.2 trap 10",
        DOWNLOAD_FAILED,
        {**_LOOK, "status": 401, "shape": "wrapped"},
    ),
    weather(
        "429 for the token, once",
        "2.2, 7.2 trap 11",
        "raises HTTPError",
        {**_TOKEN, "status": 429, "retry_after": 500},
    ),
    weather(
        "503 for the token, once",
        "2.2",
        RETURNS,
        {**_TOKEN, "status": 503},
    ),
    weather(
        "the client secret is refused",
        "2.2",
        "raises InvalidClientError",
        {**_TOKEN, "status": 401, "body": {"error": "invalid_client"}, "times": None},
        sensors="InvalidCredentials",
    ),
)
