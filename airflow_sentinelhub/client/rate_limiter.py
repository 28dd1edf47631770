"""Per-account rate limiter, shared by the process."""

from __future__ import annotations

import math
import os
import threading
from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

_NEGLIGIBLE = 0.001

# A little more than the service's minute: of two requests, the later one may be the faster on its way.
_MINUTE = 61.0


class RateLimitKey(NamedTuple):
    """
    A limit that is counted by itself.

    The secret is not part of it: limits belong to an account, and outlive the rotation of its secret.

    :param client_id: id of the OAuth client.
    :param auth_url: its token URL.
    :param token_requests: the token endpoint has a limit of its own, apart from that of the APIs.
    """

    client_id: str
    auth_url: str
    token_requests: bool = False


@dataclass(slots=True)
class _AccountLimits:
    closed_until: float = -math.inf
    limits: Counter[int] = field(default_factory=Counter)
    """How many declared each limit; the lowest one counts."""
    sent: deque[float] = field(default_factory=deque)
    """When requests were sent in the last minute; kept only where there is a limit."""

    def wait(self, now: float) -> float:
        wait = self.closed_until - now
        while self.sent and self.sent[0] <= now - _MINUTE:
            self.sent.popleft()
        if self.limits and len(self.sent) >= (limit := min(self.limits)):
            wait = max(wait, self.sent[-limit] + _MINUTE - now)
        return wait if wait > _NEGLIGIBLE else 0.0


class RateLimiter:
    """
    Closes after a 429 until the service wants to be asked again, and lets no more pass than was agreed upon.

    Every request passes here, just before it is sent and once for each time it is sent.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all limits, for tests and after a fork."""
        self._lock = threading.Lock()
        self._accounts: dict[Hashable, _AccountLimits] = {}

    def __len__(self) -> int:
        return len(self._accounts)

    def try_acquire(self, key: Hashable, now: float) -> float:
        """
        Ask to send one request.

        :param key: whose limit counts.
        :param now: seconds, monotonic.
        :return: 0 to go ahead, otherwise the seconds after which to ask again.
        """
        with self._lock:
            account = self._accounts.get(key)
            if account is None:
                return 0.0
            wait = account.wait(now)
            if not wait and account.limits:
                account.sent.append(now)
            elif not wait:
                del self._accounts[key]
            return wait

    def block(self, key: Hashable, seconds: float, now: float) -> None:
        """
        Block an account for a while; a longer block stays.

        :param seconds: how long the service wants to be left alone.
        """
        with self._lock:
            for other in [other for other, account in self._accounts.items() if _is_idle(account, now)]:
                del self._accounts[other]
            account = self._accounts.setdefault(key, _AccountLimits())
            account.closed_until = max(now + seconds, account.closed_until)

    def add_limit(self, key: Hashable, requests_per_minute: int | None) -> None:
        """
        Limit the requests in any minute until the limit is removed; the lowest limit counts.

        :param requests_per_minute: ``None``: no limit, which changes nothing.
        """
        if requests_per_minute is not None:
            with self._lock:
                self._accounts.setdefault(key, _AccountLimits()).limits[requests_per_minute] += 1

    def remove_limit(self, key: Hashable, requests_per_minute: int | None) -> None:
        """Take back a declaration."""
        with self._lock:
            account = self._accounts.get(key)
            if account is not None and requests_per_minute is not None:
                account.limits -= Counter([requests_per_minute])


def _is_idle(account: _AccountLimits, now: float) -> bool:
    return not account.limits and not account.wait(now)


SHARED_RATE_LIMITER = RateLimiter()
"""The rate limiter that all clients of this process share, unless told otherwise."""

os.register_at_fork(after_in_child=SHARED_RATE_LIMITER.reset)
