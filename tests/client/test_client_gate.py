"""Nobody of an account asks before its time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_sentinelhub.client.rate_limiter import RateLimiter, RateLimitKey

ACCOUNT = RateLimitKey("id", "https://id.example/token")
OTHER = RateLimitKey("other", "https://id.example/token")


def test_open_until_closed_and_again_when_the_time_is_over() -> None:
    gate = RateLimiter()
    assert gate.try_acquire(ACCOUNT, 100.0) == 0
    gate.close(ACCOUNT, 3.0, 100.0)
    assert [gate.try_acquire(ACCOUNT, now) for now in (100.0, 102.0, 103.0)] == [3.0, 1.0, 0.0]


def test_a_shorter_closure_does_not_open_a_longer_one() -> None:
    gate = RateLimiter()
    gate.close(ACCOUNT, 30.0, 100.0)
    gate.close(ACCOUNT, 1.0, 100.0)
    assert gate.try_acquire(ACCOUNT, 100.0) == 30.0


def test_accounts_and_kinds_of_requests_are_apart() -> None:
    gate = RateLimiter()
    gate.close(ACCOUNT, 30.0, 100.0)
    assert gate.try_acquire(OTHER, 100.0) == 0
    assert gate.try_acquire(ACCOUNT._replace(token_requests=True), 100.0) == 0


def test_rounding_does_not_keep_it_closed() -> None:
    gate = RateLimiter()
    gate.close(ACCOUNT, 3.0, 100.0)
    assert gate.try_acquire(ACCOUNT, 103.0 - 1e-9) == 0


def test_it_does_not_grow() -> None:
    gate = RateLimiter()
    for number in range(100):
        gate.close(RateLimitKey(str(number), ""), 1.0, float(2 * number))
    assert len(gate) == 1
    gate.try_acquire(RateLimitKey("99", ""), 1000.0)
    assert len(gate) == 0


def test_no_more_pass_in_a_minute_than_declared() -> None:
    gate = RateLimiter()
    gate.add_limit(ACCOUNT, 3)
    assert [gate.try_acquire(ACCOUNT, now) for now in (100.0, 110.0, 120.0)] == [0, 0, 0]
    assert gate.try_acquire(ACCOUNT, 130.0) == pytest.approx(31.0)
    assert gate.try_acquire(ACCOUNT, 161.0) == 0
    assert gate.try_acquire(ACCOUNT, 161.0) == pytest.approx(10.0)


def test_of_two_declarations_the_lower_one_counts_until_it_is_withdrawn() -> None:
    gate = RateLimiter()
    for limit in (5, 2, 5, 2):
        gate.add_limit(ACCOUNT, limit)
    assert [gate.try_acquire(ACCOUNT, 100.0) for _ in range(3)] == [0, 0, 61]
    gate.remove_limit(ACCOUNT, 2)
    assert gate.try_acquire(ACCOUNT, 100.0) == 61
    gate.remove_limit(ACCOUNT, 2)
    assert [gate.try_acquire(ACCOUNT, 100.0) for _ in range(4)] == [0, 0, 0, 61]


def test_without_a_declaration_any_number_pass() -> None:
    gate = RateLimiter()
    gate.add_limit(ACCOUNT, None)
    assert {gate.try_acquire(ACCOUNT, 100.0) for _ in range(10_000)} == {0}
    assert len(gate) == 0


def test_a_closure_and_a_limit_are_both_kept_to() -> None:
    gate = RateLimiter()
    gate.add_limit(ACCOUNT, 1)
    gate.try_acquire(ACCOUNT, 100.0)
    gate.close(ACCOUNT, 5.0, 100.0)
    assert gate.try_acquire(ACCOUNT, 100.0) == 61
    gate.close(ACCOUNT, 90.0, 100.0)
    assert gate.try_acquire(ACCOUNT, 100.0) == 90


def test_an_account_whose_limit_was_withdrawn_is_forgotten() -> None:
    gate = RateLimiter()
    gate.add_limit(ACCOUNT, 1)
    gate.try_acquire(ACCOUNT, 100.0)
    gate.remove_limit(ACCOUNT, 1)
    gate.try_acquire(ACCOUNT, 100.0)
    assert len(gate) == 0
    gate.remove_limit(ACCOUNT, 1)


def test_threads_do_not_slip_through_together() -> None:
    gate = RateLimiter()
    gate.add_limit(ACCOUNT, 50)
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: gate.try_acquire(ACCOUNT, 100.0), range(500)))
    assert waits.count(0) == 50
