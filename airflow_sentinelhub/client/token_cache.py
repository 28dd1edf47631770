"""Tokens: how long one is used, and who may share it."""

from __future__ import annotations

import copy
import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from airflow_sentinelhub.exceptions import SentinelHubError, ServiceUnavailable

Account = tuple[str, str, str]
"""Client id, digest of the secret, token URL."""

ASSUMED_LIFETIME = 300.0
"""Seconds for which a token is used whose answer does not say how long it lives."""

IDLE_LIFETIME = 3600.0
"""Seconds for which an unused token is remembered."""

LONGEST_LIFETIME = 365 * 86_400.0
"""Seconds that are believed at most; such a time can be written as a date."""


@dataclass(frozen=True, slots=True)
class Token:
    """
    A token and its times, on the caller's clock.

    :param value: the token itself; never part of the ``repr``.
    :param renew_at: from then on, a call fetches a new one first.
    :param expires_at: from then on, the service refuses it.
    """

    value: str = field(repr=False)
    renew_at: float
    expires_at: float

    @classmethod
    def issued(cls, value: str, expires_in: object, asked_at: float) -> Token:
        """
        Take a token from an answer.

        :param expires_in: what the answer says: seconds as number or text; all else counts as not said. Zero
            and less too: a token that is refused is renewed anyway, and asking before each call would use up
            the token requests of the account.
        :param asked_at: when it was asked for, so that the way of the answer is not counted in its favour.
        """
        lifetime = _seconds(expires_in) or ASSUMED_LIFETIME
        margin = min(60.0, lifetime / 5)
        return cls(value, asked_at + lifetime - margin, asked_at + lifetime)


def _seconds(expires_in: object) -> float | None:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return None
    try:
        seconds = float(expires_in)
    except (ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_LIFETIME) if math.isfinite(seconds) and seconds > 0 else None


@dataclass(slots=True)
class _Slot:
    token: Token | None = None
    fetching: Future[Token | SentinelHubError] | None = None
    used_at: float = 0.0

    def is_idle(self, now: float) -> bool:
        if self.fetching is not None:
            return False
        return self.token is None or self.token.expires_at <= now or self.used_at <= now - IDLE_LIFETIME


class TokenCache:
    """
    The tokens of a process, one for each account.

    Threads share it: while one fetches a token, the others that need the same one wait and get it, or the
    error, from the same fetch.

    A token that was not used for an hour is forgotten: the account is watched no more, or its secret was rotated.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, for tests and after a fork."""
        self._lock = threading.Lock()
        self._slots: dict[Account, _Slot] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def get(self, account: Account, *, clock: Callable[[], float], fetch: Callable[[], Token]) -> Token:
        """
        Return the account's token, fetched first where there is none or its end is near.

        What was fetched for this call is used for it, however soon it ends.

        :param clock: seconds, monotonic.
        :param fetch: asks the token endpoint, once.
        :raises SentinelHubError: what ``fetch`` raised, in this thread or in the one that this one waited for.
        """
        with self._lock:
            slot = self._slot(account, clock())
            if slot.token is not None and clock() < slot.token.renew_at:
                return slot.token
            future = slot.fetching
            leads = future is None
            if future is None:
                future = slot.fetching = Future()
        if leads:
            self._fetch(slot, future, fetch)
        outcome = future.result()
        if isinstance(outcome, Token):
            return outcome
        # A copy, as threads would otherwise write their tracebacks into one exception.
        raise copy.copy(outcome)

    def discard(self, account: Account, token: Token) -> None:
        """Forget a token that the service refused, unless another thread has put a newer one in its place."""
        with self._lock:
            slot = self._slots.get(account)
            if slot is not None and slot.token == token:
                slot.token = None

    def _fetch(self, slot: _Slot, future: Future[Token | SentinelHubError], fetch: Callable[[], Token]) -> None:
        outcome: Token | SentinelHubError = ServiceUnavailable("The thread that asked for the token was ended.")
        try:
            outcome = fetch()
        except SentinelHubError as error:
            outcome = error
        finally:
            with self._lock:
                slot.fetching = None
                if isinstance(outcome, Token):
                    slot.token = outcome
            future.set_result(outcome)

    def _slot(self, account: Account, now: float) -> _Slot:
        if account not in self._slots:
            for other in [other for other, slot in self._slots.items() if slot.is_idle(now)]:
                del self._slots[other]
            self._slots[account] = _Slot()
        slot = self._slots[account]
        slot.used_at = now
        return slot


SHARED_TOKEN_CACHE = TokenCache()
"""The cache that all clients of this process share, unless told otherwise."""

# A lock or a fetch of a thread that the child does not have would keep the child waiting for ever.
os.register_at_fork(after_in_child=SHARED_TOKEN_CACHE.reset)
