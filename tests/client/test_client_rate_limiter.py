"""Nobody of an account asks before its time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_sentinelhub.client.rate_limiter import RateLimiter, RateLimitKey

ACCOUNT = RateLimitKey("id", "https://id.example/token")
OTHER = RateLimitKey("other", "https://id.example/token")


def test_open_until_closed_and_again_when_the_time_is_over() -> None:
    rate_limiter = RateLimiter()
    assert rate_limiter.try_acquire(ACCOUNT, 100.0) == 0
    rate_limiter.block(ACCOUNT, 3.0, 100.0)
    assert [rate_limiter.try_acquire(ACCOUNT, now) for now in (100.0, 102.0, 103.0)] == [3.0, 1.0, 0.0]


def test_a_shorter_closure_does_not_open_a_longer_one() -> None:
    rate_limiter = RateLimiter()
    rate_limiter.block(ACCOUNT, 30.0, 100.0)
    rate_limiter.block(ACCOUNT, 1.0, 100.0)
    assert rate_limiter.try_acquire(ACCOUNT, 100.0) == 30.0


def test_accounts_and_kinds_of_requests_are_apart() -> None:
    rate_limiter = RateLimiter()
    rate_limiter.block(ACCOUNT, 30.0, 100.0)
    assert rate_limiter.try_acquire(OTHER, 100.0) == 0
    assert rate_limiter.try_acquire(ACCOUNT._replace(token_requests=True), 100.0) == 0


def test_rounding_does_not_keep_it_closed() -> None:
    rate_limiter = RateLimiter()
    rate_limiter.block(ACCOUNT, 3.0, 100.0)
    assert rate_limiter.try_acquire(ACCOUNT, 103.0 - 1e-9) == 0


def test_it_does_not_grow() -> None:
    rate_limiter = RateLimiter()
    for number in range(100):
        rate_limiter.block(RateLimitKey(str(number), ""), 1.0, float(2 * number))
    assert len(rate_limiter) == 1
    rate_limiter.try_acquire(RateLimitKey("99", ""), 1000.0)
    assert len(rate_limiter) == 0


def test_no_more_pass_in_a_minute_than_declared() -> None:
    rate_limiter = RateLimiter()
    rate_limiter.add_limit(ACCOUNT, 3)
    assert [rate_limiter.try_acquire(ACCOUNT, now) for now in (100.0, 110.0, 120.0)] == [0, 0, 0]
    assert rate_limiter.try_acquire(ACCOUNT, 130.0) == pytest.approx(31.0)
    assert rate_limiter.try_acquire(ACCOUNT, 161.0) == 0
    assert rate_limiter.try_acquire(ACCOUNT, 161.0) == pytest.approx(10.0)


def test_of_two_declarations_the_lower_one_counts_until_it_is_withdrawn() -> None:
    rate_limiter = RateLimiter()
    for limit in (5, 2, 5, 2):
        rate_limiter.add_limit(ACCOUNT, limit)
    assert [rate_limiter.try_acquire(ACCOUNT, 100.0) for _ in range(3)] == [0, 0, 61]
    rate_limiter.remove_limit(ACCOUNT, 2)
    assert rate_limiter.try_acquire(ACCOUNT, 100.0) == 61
    rate_limiter.remove_limit(ACCOUNT, 2)
    assert [rate_limiter.try_acquire(ACCOUNT, 100.0) for _ in range(4)] == [0, 0, 0, 61]


def test_without_a_declaration_any_number_pass() -> None:
    rate_limiter = RateLimiter()
    rate_limiter.add_limit(ACCOUNT, None)
    assert {rate_limiter.try_acquire(ACCOUNT, 100.0) for _ in range(10_000)} == {0}
    assert len(rate_limiter) == 0


def test_a_closure_and_a_limit_are_both_kept_to() -> None:
    rate_limiter = RateLimiter()
    rate_limiter.add_limit(ACCOUNT, 1)
    rate_limiter.try_acquire(ACCOUNT, 100.0)
    rate_limiter.block(ACCOUNT, 5.0, 100.0)
    assert rate_limiter.try_acquire(ACCOUNT, 100.0) == 61
    rate_limiter.block(ACCOUNT, 90.0, 100.0)
    assert rate_limiter.try_acquire(ACCOUNT, 100.0) == 90


def test_an_account_whose_limit_was_withdrawn_is_forgotten() -> None:
    rate_limiter = RateLimiter()
    rate_limiter.add_limit(ACCOUNT, 1)
    rate_limiter.try_acquire(ACCOUNT, 100.0)
    rate_limiter.remove_limit(ACCOUNT, 1)
    rate_limiter.try_acquire(ACCOUNT, 100.0)
    assert len(rate_limiter) == 0
    rate_limiter.remove_limit(ACCOUNT, 1)


def test_threads_do_not_slip_through_together() -> None:
    rate_limiter = RateLimiter()
    rate_limiter.add_limit(ACCOUNT, 50)
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: rate_limiter.try_acquire(ACCOUNT, 100.0), range(500)))
    assert waits.count(0) == 50
