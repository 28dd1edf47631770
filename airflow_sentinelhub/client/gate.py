"""Who may ask when: the account's request limit, known to the whole process."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from typing import NamedTuple

_NEGLIGIBLE = 0.001


class GateKey(NamedTuple):
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


class Gate:
    """
    Closes after a 429 until the service wants to be asked again.

    Every request passes here, just before it is sent and once for each time it is sent: this is the place to
    count requests per minute.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Open for everybody, for tests and after a fork."""
        self._lock = threading.Lock()
        self._closed_until: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._closed_until)

    def admit(self, key: Hashable, now: float) -> float:
        """
        Ask to send one request.

        :param key: whose limit counts.
        :param now: seconds, monotonic.
        :return: 0 to go ahead, otherwise the seconds after which to ask again.
        """
        with self._lock:
            wait = self._closed_until.get(key, now) - now
            if wait > _NEGLIGIBLE:
                return wait
            self._closed_until.pop(key, None)
            return 0.0

    def close(self, key: Hashable, seconds: float, now: float) -> None:
        """
        Let nobody pass for a while; a longer closure stays.

        :param seconds: how long the service wants to be left alone.
        """
        with self._lock:
            self._closed_until = {other: until for other, until in self._closed_until.items() if until > now}
            self._closed_until[key] = max(now + seconds, self._closed_until.get(key, now))


PROCESS_GATE = Gate()
"""The gate that all clients of this process share, unless told otherwise."""

os.register_at_fork(after_in_child=PROCESS_GATE.reset)
