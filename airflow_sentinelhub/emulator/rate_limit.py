"""Request limit of an account (sentinelhub-api.md, section 3.1)."""

from __future__ import annotations

import math
import time as _time
from collections.abc import Callable


class RateLimit:
    """
    A bucket of requests, as full as a minute allows, that fills up again evenly.

    It runs on real time, like the clients that wait for it, and is the same for all APIs and tokens.

    :param time: source of real seconds.
    """

    def __init__(self, time: Callable[[], float] = _time.monotonic) -> None:
        self._time = time
        self._left = math.inf
        self._since = time()

    def admit(self, per_minute: int | None) -> int | None:
        """
        Admit a request; one that is refused costs nothing.

        :param per_minute: the limit; ``None`` for none.
        :return: ``None`` if it may pass, otherwise after how many milliseconds the next one may.
        """
        if per_minute is None:
            self._left = math.inf
            return None
        now, rate = self._time(), per_minute / 60
        self._left = min(per_minute, self._left + (now - self._since) * rate)
        self._since = now
        if self._left < 1:
            return math.ceil((1 - self._left) / rate * 1000)
        self._left -= 1
        return None
