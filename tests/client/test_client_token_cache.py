"""How long a token is used, and who shares it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from client_local_server import LONG
from client_scripted_service import Clock

from airflow_sentinelhub.client.token_cache import Token, TokenCache
from airflow_sentinelhub.exceptions import InvalidCredentials, ServiceUnavailable

ACCOUNT = ("id", "digest", "https://id.example/token")


@pytest.mark.parametrize(
    ("expires_in", "renewed_after", "lifetime"),
    [
        (3599, 3539, 3599),
        (600, 540, 600),
        (300, 240, 300),
        (100, 80, 100),
        (10, 8, 10),
        (1, 0.8, 1),
        (0.5, 0.4, 0.5),
        (3599.5, 3539.5, 3599.5),
        ("600", 540, 600),
        ("59.5", 47.6, 59.5),
        (None, 240, 300),
        (0, 240, 300),
        (-1, 240, 300),
        ("", 240, 300),
        ("never", 240, 300),
        ("nan", 240, 300),
        ("inf", 240, 300),
        (10**400, 240, 300),
        (True, 240, 300),
        ([600], 240, 300),
    ],
)
def test_lifetime(expires_in: object, renewed_after: float, lifetime: float) -> None:
    token = Token.issued("x", expires_in, asked_at=1000.0)
    assert token.renew_at == pytest.approx(1000 + renewed_after)
    assert token.expires_at == pytest.approx(1000 + lifetime)


class Fetcher:
    def __init__(self, clock: Clock, expires_in: object = 600) -> None:
        self.clock = clock
        self.expires_in = expires_in
        self.count = 0

    def __call__(self) -> Token:
        self.count += 1
        return Token.issued(f"token-{self.count}", self.expires_in, self.clock())


def test_token_is_kept_until_its_end_is_near(clock: Clock, tokens: TokenCache) -> None:
    fetch = Fetcher(clock)
    values = []
    for pause in (0, 539, 0.9, 0.2, 539):
        clock.now += pause
        values.append(tokens.get(ACCOUNT, clock=clock, fetch=fetch).value)
    assert values == ["token-1", "token-1", "token-1", "token-2", "token-2"]


def test_token_that_lives_for_a_second_serves_the_call_that_fetched_it_and_those_in_its_time(
    clock: Clock, tokens: TokenCache
) -> None:
    fetch = Fetcher(clock, expires_in=1)
    assert [tokens.get(ACCOUNT, clock=clock, fetch=fetch).value for _ in range(3)] == ["token-1"] * 3

    def slow() -> Token:
        token = fetch()
        clock.now += 5
        return token

    clock.now += 1
    assert tokens.get(ACCOUNT, clock=clock, fetch=slow).value == "token-2"
    assert fetch.count == 2


def test_accounts_do_not_share(clock: Clock, tokens: TokenCache) -> None:
    fetch = Fetcher(clock)
    accounts = [("a", "1", "u"), ("a", "2", "u"), ("a", "1", "v"), ("b", "1", "u"), ("a", "1", "u")]
    values = [tokens.get(account, clock=clock, fetch=fetch).value for account in accounts]
    assert values == ["token-1", "token-2", "token-3", "token-4", "token-1"]


def test_only_the_refused_token_is_discarded(clock: Clock, tokens: TokenCache) -> None:
    fetch = Fetcher(clock)
    old = tokens.get(ACCOUNT, clock=clock, fetch=fetch)
    tokens.discard(ACCOUNT, old)
    new = tokens.get(ACCOUNT, clock=clock, fetch=fetch)
    tokens.discard(ACCOUNT, old)  # a slower thread, refused with the same old token
    assert tokens.get(ACCOUNT, clock=clock, fetch=fetch) is new
    tokens.discard(("unknown", "", ""), new)


def in_threads(count: int, work: Callable[[], object]) -> list[object]:
    """Run the same in many threads; an exception is a result, too."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert len(results) == count
    return results


class Crowd:
    """A clock that knows when so many threads have asked for a token: each of them looks at it first."""

    def __init__(self, clock: Clock, count: int) -> None:
        self._clock, self._count = clock, count
        self._seen: set[int] = set()
        self._complete = threading.Event()

    def __call__(self) -> float:
        self._seen.add(threading.get_ident())
        if len(self._seen) == self._count:
            self._complete.set()
        return self._clock()

    def wait(self) -> None:
        assert self._complete.wait(LONG)


def test_threads_wait_for_one_fetch(clock: Clock, tokens: TokenCache) -> None:
    fetch, crowd = Fetcher(clock), Crowd(clock, 20)

    def slow() -> Token:
        crowd.wait()
        return fetch()

    results = in_threads(20, lambda: tokens.get(ACCOUNT, clock=crowd, fetch=slow))
    assert fetch.count == 1
    assert {token.value for token in results if isinstance(token, Token)} == {"token-1"}


def test_threads_share_the_error_of_one_fetch_but_not_the_exception(clock: Clock, tokens: TokenCache) -> None:
    asked, crowd = [], Crowd(clock, 20)

    def fail() -> Token:
        crowd.wait()
        asked.append(1)
        raise InvalidCredentials("no", http_status=401, code="invalid_client")

    results = in_threads(20, lambda: tokens.get(ACCOUNT, clock=crowd, fetch=fail))
    assert len(asked) == 1
    assert {(type(error), error.http_status, error.code) for error in results} == {  # type: ignore[attr-defined]
        (InvalidCredentials, 401, "invalid_client")
    }
    assert len({id(error) for error in results}) == 20
    assert tokens.get(ACCOUNT, clock=clock, fetch=Fetcher(clock)).value == "token-1"


def test_other_accounts_do_not_wait(clock: Clock, tokens: TokenCache) -> None:
    def nested() -> Token:
        return tokens.get(("other", "", ""), clock=clock, fetch=Fetcher(clock))

    assert tokens.get(ACCOUNT, clock=clock, fetch=nested).value == "token-1"


def test_a_thread_that_is_ended_does_not_leave_the_others_waiting(clock: Clock, tokens: TokenCache) -> None:
    both = Crowd(clock, 2)

    def ended() -> Token:
        both.wait()
        raise KeyboardInterrupt

    def ask() -> object:
        try:
            return tokens.get(ACCOUNT, clock=both, fetch=ended)
        except KeyboardInterrupt as interrupt:
            return interrupt

    assert {type(result) for result in in_threads(2, ask)} == {KeyboardInterrupt, ServiceUnavailable}


def test_accounts_that_nobody_asks_for_are_forgotten(clock: Clock, tokens: TokenCache) -> None:
    fetch = Fetcher(clock, expires_in=86_400)
    for number in range(10):
        tokens.get((str(number), "", ""), clock=clock, fetch=fetch)
    for _ in range(4):
        clock.now += 1000
        tokens.get(("0", "", ""), clock=clock, fetch=fetch)
    tokens.get(("new", "", ""), clock=clock, fetch=fetch)
    assert len(tokens) == 2
    assert fetch.count == 11


def test_tokens_that_have_expired_are_forgotten(clock: Clock, tokens: TokenCache) -> None:
    for number in range(10):
        tokens.get((str(number), "", ""), clock=clock, fetch=Fetcher(clock, expires_in=100))
    clock.now += 100
    tokens.get(("new", "", ""), clock=clock, fetch=Fetcher(clock))
    assert len(tokens) == 1


def test_a_token_in_use_is_kept_however_many_accounts_there_are(clock: Clock, tokens: TokenCache) -> None:
    fetch = Fetcher(clock)
    for _ in range(5):
        for number in range(200):
            tokens.get((str(number), "", ""), clock=clock, fetch=fetch)
        clock.now += 10
    assert fetch.count == 200


def test_reset_forgets_all(clock: Clock, tokens: TokenCache) -> None:
    tokens.get(ACCOUNT, clock=clock, fetch=Fetcher(clock))
    tokens.reset()
    assert len(tokens) == 0
