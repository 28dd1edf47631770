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
    ("kind", "breaker"),
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
def test_what_has_nothing_to_do_with_the_job(kind, breaker):
    assert is_service_wide(kind("no")) is breaker


def test_one_job_that_fails_again_and_again_has_its_own_trouble():
    breaker = CircuitBreaker(lambda: 1.0)
    assert [breaker.record_failure("poison", AWAY, 100) for _ in range(10)] == [False] * 10


def test_three_that_fail_without_a_success_between_are_everybodys_trouble():
    breaker = CircuitBreaker(lambda: 1.0)
    assert [breaker.record_failure(job, AWAY, 100) for job in "abc"] == [False, False, True]
    breaker.record_success()
    assert not breaker.record_failure("a", AWAY, 100)


def test_where_there_are_fewer_all_of_them_are_enough():
    assert CircuitBreaker(lambda: 1.0).record_failure("a", AWAY, 1)


def test_a_429_is_nobodys_own():
    breaker = CircuitBreaker(lambda: 1.0)
    assert [breaker.record_failure("a", RateLimited("429"), 100) for _ in range(3)] == [False, False, True]


def test_credentials_are_everybodys_at_once():
    assert CircuitBreaker(lambda: 1.0).record_failure("a", InvalidCredentials("no"), 100)


def test_the_pauses_grow_to_a_minute_and_are_spread():
    pauses = []
    for random in (0.0, 1.0):
        breaker = CircuitBreaker(lambda random=random: random)
        for _ in range(8):
            breaker.trip(AWAY, 1000.0)
            pauses.append(breaker.retry_at - 1000.0)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_service_may_ask_for_a_longer_pause():
    breaker = CircuitBreaker(lambda: 1.0)
    breaker.trip(ServiceUnavailable("503", retry_after=100.0), 1000.0)
    assert breaker.retry_at == 1110, "and not all at the same moment"


def test_the_first_answer_ends_it():
    breaker = CircuitBreaker(lambda: 1.0)
    for job in "abc":
        breaker.record_failure(job, AWAY, 3)
    breaker.trip(AWAY, 1000.0)
    assert breaker.is_open
    breaker.record_success()
    assert not breaker.is_open
    assert breaker.retry_at == 0
