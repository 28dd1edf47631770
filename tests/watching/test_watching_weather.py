"""One job's trouble is not everybody's, and everybody's is asked about once in a while."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.exceptions import (
    BadRequest,
    Forbidden,
    InvalidConnection,
    InvalidCredentials,
    InvalidPayload,
    NotFound,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_sentinelhub.polling.circuit_breaker import CircuitBreaker, is_service_wide

AWAY = ServiceUnavailable("503")


@pytest.mark.parametrize(
    ("kind", "weather"),
    [
        (ServiceUnavailable, True),
        (RateLimited, True),
        (Unauthorized, True),
        (InvalidCredentials, True),
        (InvalidConnection, True),
        (RequestRefused, True),
        (Forbidden, False),
        (NotFound, False),
        (BadRequest, False),
        (InvalidPayload, False),
    ],
)
def test_what_has_nothing_to_do_with_the_job(kind, weather):
    assert is_service_wide(kind("no")) is weather


def test_one_job_that_fails_again_and_again_has_its_own_trouble():
    weather = CircuitBreaker(lambda: 1.0)
    assert [weather.failed("poison", AWAY, 100) for _ in range(10)] == [False] * 10


def test_three_that_fail_without_a_success_between_are_everybodys_trouble():
    weather = CircuitBreaker(lambda: 1.0)
    assert [weather.failed(job, AWAY, 100) for job in "abc"] == [False, False, True]
    weather.answered()
    assert not weather.failed("a", AWAY, 100)


def test_where_there_are_fewer_all_of_them_are_enough():
    assert CircuitBreaker(lambda: 1.0).failed("a", AWAY, 1)


def test_a_429_is_nobodys_own():
    weather = CircuitBreaker(lambda: 1.0)
    assert [weather.failed("a", RateLimited("429"), 100) for _ in range(3)] == [False, False, True]


def test_credentials_are_everybodys_at_once():
    assert CircuitBreaker(lambda: 1.0).failed("a", InvalidCredentials("no"), 100)


def test_the_pauses_grow_to_a_minute_and_are_spread():
    pauses = []
    for random in (0.0, 1.0):
        weather = CircuitBreaker(lambda random=random: random)
        for _ in range(8):
            weather.keep_still(AWAY, 1000.0)
            pauses.append(weather.quiet_until - 1000.0)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_service_may_ask_for_a_longer_pause():
    weather = CircuitBreaker(lambda: 1.0)
    weather.keep_still(ServiceUnavailable("503", retry_after=100.0), 1000.0)
    assert weather.quiet_until == 1100
    weather = CircuitBreaker(lambda: 1.0)
    weather.pause(RateLimited("429", retry_after=3.4), 1000.0)
    assert weather.quiet_until == 1003.4
    weather.pause(RateLimited("429"), 1000.0)
    assert weather.quiet_until == 1003.4


def test_the_first_answer_ends_it():
    weather = CircuitBreaker(lambda: 1.0)
    for job in "abc":
        weather.failed(job, AWAY, 3)
    weather.keep_still(AWAY, 1000.0)
    assert weather.is_bad
    weather.answered()
    assert not weather.is_bad
    assert weather.quiet_until == 0
