"""How long the service wants to be left alone, and how long we keep asking."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_sentinelhub.client.retry import RetryBudget, retry_after
from airflow_sentinelhub.exceptions import RateLimited, ServiceUnavailable

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3398", 3.398),  # the documentation's sample: milliseconds
        ("120", 0.5),  # 0.12 s
        ("119", 119.0),
        ("30", 30.0),
        ("1", 1.0),
        ("0", 0.5),
        ("-5", 0.5),
        ("600000", 120.0),
        ("9" * 400, 120.0),
        ("9" * 60_000, 120.0),
        ("0" * 60_000, 0.5),
        ("-" + "9" * 400, 0.5),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 120.0),
        ("Sat, 01 Jan 0001 00:00:00 +2359", 0.5),
        ("Fri, 15 Jan 2027 08:00:42 +9999", None),
        ("Fri, 15 Jan 99999 08:00:42 GMT", None),
        ("Fri, 15 Jan 2027 08:00:42 " + "(" * 60_000, 42.0),
        ("\uff17", None),
        ("7, 8", None),
        ("1e3", None),
        ("  7 ", 7.0),
        ("1.5", 1.5),
        ("0.1", 0.5),
        ("130.5", 120.0),
        ("3398.0", 3.398),
        ("Fri, 15 Jan 2027 08:00:42 GMT", 42.0),
        ("Fri, 15 Jan 2027 08:00:42 -0000", 42.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.5),
        ("Sun, 15 Jan 2040 08:00:00 GMT", 120.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("Fri, 99 Jan 2027 08:00:42 GMT", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": header}, lambda: NOW) == seconds


def test_retry_after_is_absent() -> None:
    assert retry_after({}, lambda: NOW) is None


def test_a_date_is_read_by_the_clock_of_the_service() -> None:
    headers = {"Retry-After": "Fri, 15 Jan 2027 08:00:42 GMT", "Date": "Fri, 15 Jan 2027 08:00:40 GMT"}
    assert retry_after(headers, lambda: NOW - 3600) == 2.0


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_the_headers_say_the_pause_is_bounded(retry: str, date: str) -> None:
    pause = retry_after({"Retry-After": retry, "Date": date}, lambda: NOW)
    assert pause is None or 0.5 <= pause <= 120


def pauses(budget: float, failure: ServiceUnavailable, random: float = 1.0) -> list[float]:
    now = 0.0
    patience = RetryBudget(budget, clock=lambda: now, random=lambda: random)
    taken: list[float] = []
    while (pause := patience.pause(failure)) is not None:
        taken.append(pause)
        now += pause
    return taken


@pytest.mark.parametrize(
    ("budget", "failure", "expected"),
    [
        (0, ServiceUnavailable("x"), []),
        (-1, ServiceUnavailable("x"), []),
        (10, ServiceUnavailable("x"), [1, 2, 4, 3]),  # the last one is cut to what remains
        (300, ServiceUnavailable("x"), [1, 2, 4, 8, 16, 32, 60, 60, 60, 57]),
        (60, ServiceUnavailable("x", retry_after=25), [25, 25]),
        (60, RateLimited("x", retry_after=20), [20, 20, 20]),
        (2, RateLimited("x", retry_after=0.5), [0.5, 0.5, 0.5, 0.5]),  # exactly, nothing doubles
        (60, RateLimited("x", retry_after=61), []),  # no use in waiting for less than asked
        (3, RateLimited("x"), [1, 2]),
    ],
)
def test_pauses(budget: float, failure: ServiceUnavailable, expected: list[float]) -> None:
    assert pauses(budget, failure) == expected


def test_half_of_a_pause_is_random() -> None:
    assert pauses(2, ServiceUnavailable("x"), random=0.5) == [0.75, 1.25], "the last one is cut"
