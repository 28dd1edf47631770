"""Back-off: exponential, with jitter, never shorter than the service's ``Retry-After``."""

from __future__ import annotations

LONGEST_PAUSE = 60.0
"""Seconds between two attempts, however long the trouble lasts."""


def backoff(
    failures: int, jitter: float, *, retry_after: float | None = None, longest: float = LONGEST_PAUSE
) -> float:
    """
    Return the seconds before the next attempt.

    A blip is over at once, so the first attempt comes soon. The pause doubles with each failure, and half of it is
    random. A service that goes on refusing is asked less and less often, whatever it says.

    :param failures: number of attempts in a row that failed.
    :param jitter: a random number from 0 to 1, which keeps many callers from coming back together.
    :param retry_after: seconds for which the service wants to be left alone; ``None`` where it did not say.
    :param longest: longest pause in seconds, unless the service wants a longer one.
    """
    pause = min(longest, 2.0 ** min(failures, 30)) * (0.5 + jitter / 2)
    return pause if retry_after is None else max(pause, retry_after * (1 + jitter / 10))
