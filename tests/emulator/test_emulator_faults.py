"""Faults on demand: sections 3.2 and 11.8 of the contract."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi

A_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
LIST = "/api/v2/batch/process"
FLAT_429 = {
    "status": 429,
    "reason": "Too Many Requests",
    "message": "You have exceeded your rate limit",
    "code": "RATE_LIMIT_EXCEEDED",
}


def get(emulator: Emulator, user: requests.Session, **more: Any) -> requests.Response:
    return user.get(emulator.url + LIST, timeout=60, allow_redirects=False, **more)


@pytest.mark.parametrize(
    ("fault", "status", "retry_after", "body"),
    [
        ({"status": 429, "retry_after": 3398}, 429, "3398", FLAT_429),
        ({"status": 429, "retry_after": "2.5"}, 429, "2.5", FLAT_429),
        ({"status": 429, "retry_after": A_DATE}, 429, A_DATE, FLAT_429),
        ({"status": 429, "shape": "wrapped"}, 429, None, {"error": FLAT_429}),
        ({"status": 401, "shape": "none"}, 401, None, None),
        ({"status": 403, "body": {"any": "thing"}}, 403, None, {"any": "thing"}),
        ({"kind": "empty"}, 200, None, None),
        ({"kind": "redirect", "location": "http://else.invalid/"}, 307, None, None),
    ],
)  # fmt: skip
def test_answers(
    emulator: Emulator,
    user: requests.Session,
    fault: dict[str, Any],
    status: int,
    retry_after: str | None,
    body: Any,
) -> None:
    emulator.fault(**fault)
    answer = get(emulator, user)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry_after)
    assert (answer.json() if answer.content else None) == body
    assert answer.headers.get("Location") == fault.get("location")
    assert get(emulator, user).status_code == 200


@pytest.mark.parametrize("status", [401, 403, 500, 502, 503, 504, 418, 599])
def test_any_status_has_an_error_body(emulator: Emulator, user: requests.Session, status: int) -> None:
    emulator.fault(status=status, message="Because")
    error = get(emulator, user).json()["error"]
    assert (error["status"], error["message"]) == (status, "Because")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("drop", requests.ConnectionError),
        ("cut", requests.exceptions.ChunkedEncodingError),
        ("hang", requests.ReadTimeout),
        ("slow", requests.ReadTimeout),
    ],
)
def test_broken_connections(emulator: Emulator, user: requests.Session, kind: str, error: type[Exception]) -> None:
    emulator.fault(kind, seconds=60)
    with pytest.raises(error):
        user.get(emulator.url + LIST, timeout=(60, 0.05 if kind in ("hang", "slow") else 60))
    assert get(emulator, user).status_code == 200


@pytest.mark.parametrize("kind", ["truncated", "html"])
def test_garbage_with_a_good_status(emulator: Emulator, user: requests.Session, kind: str) -> None:
    emulator.fault(kind)
    answer = get(emulator, user)
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("only_one", [True, False])
def test_a_slow_answer_is_the_right_one(emulator: Emulator, user: requests.Session, only_one: bool) -> None:
    if only_one:
        emulator.fault("slow", seconds=0.02)
    else:
        emulator.configure(answer_seconds=0.02)
    answer = get(emulator, user)
    assert answer.json() == {"data": [], "links": {}}
    assert answer.elapsed.total_seconds() >= 0.02


@pytest.mark.parametrize(
    ("switch", "hit"),
    [
        ({}, {"list", "job", "start", "stat", "token"}),
        ({"method": "post"}, {"start", "token"}),
        ({"path": "/start$"}, {"start"}),
        ({"api": "statistical"}, {"stat"}),
        ({"api": "token"}, {"token"}),
        ({"api": "process", "method": "GET"}, {"list", "job"}),
    ],
)
def test_a_fault_hits_what_it_is_meant_for(
    emulator: Emulator, user: requests.Session, switch: dict[str, Any], hit: set[str]
) -> None:
    job = emulator.add_job("process", status="CREATED")
    emulator.fault(status=503, times=None, **switch)
    calls = {
        "list": ("GET", LIST),
        "job": ("GET", f"{LIST}/{job}"),
        "start": ("POST", f"{LIST}/{job}/start"),
        "stat": ("GET", "/statistics/batch/v1"),
        "token": ("POST", emulator.auth_url.removeprefix(emulator.url)),
    }
    answers = {name: user.request(verb, emulator.url + path, timeout=60) for name, (verb, path) in calls.items()}
    assert {name for name, answer in answers.items() if answer.status_code == 503} == hit


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        ({}, [500, 200, 200, 200]),
        ({"times": 2}, [500, 500, 200, 200]),
        ({"times": None}, [500, 500, 500, 500]),
        ({"after": 2}, [200, 200, 500, 200]),
    ],
)
def test_how_often_a_fault_hits(
    emulator: Emulator, user: requests.Session, switch: dict[str, Any], expected: list[int]
) -> None:
    number = emulator.fault(status=500, **switch)
    assert [get(emulator, user).status_code for _ in range(4)] == expected
    if switch == {"times": None}:
        assert emulator.faults()[0]["hits"] == 4
        emulator.clear_faults(number)
        assert get(emulator, user).status_code == 200


def test_faults_wait_in_line(emulator: Emulator, user: requests.Session) -> None:
    for status in (500, 429):
        emulator.fault(status=status)
    assert [get(emulator, user).status_code for _ in range(3)] == [500, 429, 200]


@pytest.mark.parametrize(("carried_out", "jobs"), [(True, 1), (False, 0)])
def test_an_answer_can_be_lost_with_or_without_its_effect(
    emulator: Emulator, user: requests.Session, carried_out: bool, jobs: int
) -> None:
    emulator.fault("drop", method="POST", carried_out=carried_out)
    with pytest.raises(requests.ConnectionError):
        user.post(emulator.url + LIST, json=sample_request(BatchApi.PROCESS), timeout=60)
    assert len(emulator.jobs()) == jobs


class Pauses:
    """Stands in for the pauses of slow answers: each ends when as many are under way as a test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, together: int) -> None:
        self.seconds: list[float] = []
        self.over = threading.Event()
        self._together = together
        monkeypatch.setattr("airflow_sentinelhub.emulator.asgi.pause", self._pause)
        monkeypatch.setattr("airflow_sentinelhub.emulator.fault_responses.pause", self._pause)

    async def _pause(self, seconds: float, closing: asyncio.Event) -> None:
        self.seconds.append(seconds)
        async with asyncio.timeout(60):
            while len(self.seconds) < self._together and not self.over.is_set():  # noqa: ASYNC110 - of a thread
                await asyncio.sleep(0.001)


def wait_until(happened: Callable[[], object]) -> None:
    give_up = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < give_up, "it does not happen"
        time.sleep(0.005)


@pytest.mark.parametrize("slowly", [{"kind": "slow"}, None])
def test_a_slow_request_takes_effect_even_if_nobody_waits_for_it(
    emulator: Emulator,
    user: requests.Session,
    slowly: dict[str, str] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses = Pauses(monkeypatch, together=2)
    if slowly:
        emulator.fault(seconds=0.1, **slowly)
    else:
        emulator.configure(answer_seconds=0.1)
    with pytest.raises(requests.ReadTimeout):
        user.post(emulator.url + LIST, json=sample_request(BatchApi.PROCESS), timeout=(60, 0.05))
    pauses.over.set()
    wait_until(emulator.jobs)
    assert len(emulator.jobs()) == 1
    assert pauses.seconds == [0.1]


def test_all_answers_can_take_their_time_without_waiting_for_each_other(
    emulator: Emulator, user: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = Pauses(monkeypatch, together=10)
    emulator.configure(answer_seconds=0.15)
    emulator.fault(status=503)
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(get(emulator, user).status_code)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pauses.seconds == [0.15] * 10
    assert sorted(codes) == [200] * 9 + [503]
    requests.get(emulator.url + "/_emulator/", timeout=60)
    emulator.configure(answer_seconds=0)
    assert get(emulator, user).status_code == 200
    assert len(pauses.seconds) == 10, "the control interface takes no time, nor does an answer without the switch"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"kind": "explode"}, "explode"),
        ({"path": "("}, "regular expression"),
        ({"kind": "redirect"}, "location"),
        ({"status": "500"}, "whole number"),
        ({"shape": "round"}, "round"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(emulator: Emulator, wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        emulator.fault(**wrong)
    assert emulator.faults() == []


def test_a_hanging_request_does_not_keep_the_emulator_from_stopping(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    def hang(url: str) -> None:
        try:
            requests.get(url, timeout=60)
        except requests.RequestException as error:
            ended.append(type(error).__name__)

    with Emulator(speed=0) as emulator:
        emulator.fault("hang")
        client = threading.Thread(target=hang, args=(emulator.url + LIST,))
        client.start()
        wait_until(lambda: emulator.requests()["total"])
    client.join()
    assert ended == ["ConnectionError"]
    # Uvicorn says so when the grace period is over.
    assert "graceful shutdown exceeded" not in caplog.text
