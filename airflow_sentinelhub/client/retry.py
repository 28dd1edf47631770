"""Retry policy of HTTP requests: back-off and budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from airflow_sentinelhub.exceptions import RateLimited, ServiceUnavailable
from airflow_sentinelhub.jobs.backoff import backoff

SHORTEST_WAIT = 0.5
LONGEST_WAIT = 120.0
FIRST_PAUSE = 1.0

_LONGEST_HEADER = 100

_NUMBER = re.compile(r"[+-]?\d{1,100}(\.\d{0,100})?", re.ASCII)


def retry_after(headers: Mapping[str, str], now: Callable[[], float]) -> float | None:
    """
    Read the ``Retry-After`` header.

    Sentinel Hub documents milliseconds (its sample is 3398), against the HTTP standard, and users have seen
    seconds: whole numbers of 120 and more are milliseconds, smaller ones seconds. Fractions are seconds, as
    those of a millisecond are not in use.

    :param headers: headers of the answer; its ``Date`` is the reference for a date, so that our clock may be
        wrong.
    :param now: seconds since 1970, for an answer without ``Date``.
    :return: seconds from 0.5 to 120; ``None`` where the header is missing or makes no sense.
    """
    value = headers.get("Retry-After", "").strip()[:_LONGEST_HEADER]
    if _NUMBER.fullmatch(value):
        number = float(value)
        seconds = number / 1000 if number >= 120 and number.is_integer() else number
    else:
        date = _date(value)
        if date is None:
            return None
        reference = _date(headers.get("Date", "")[:_LONGEST_HEADER]) or datetime.fromtimestamp(now(), UTC)
        seconds = (date - reference).total_seconds()
    return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text[:_LONGEST_HEADER])
    except (TypeError, ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


class RetryBudget:
    """
    The time that a caller gives to one call.

    :param budget: seconds from now in which a further attempt may begin; 0 for a single attempt. The attempt
        that began last may take longer.
    :param clock: seconds, monotonic.
    :param random: a number from 0 to 1.
    """

    def __init__(self, budget: float, *, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._ends = clock() + budget
        self._pauses = 0

    def pause(self, failure: ServiceUnavailable) -> float | None:
        """
        Return the seconds to wait before the next attempt; ``None`` to give up.

        The service's Retry-After is obeyed; one that exceeds the budget ends the attempts. The last pause is cut,
        so that one more attempt fits.
        """
        remaining = self._ends - self._clock()
        wanted = failure.retry_after or 0.0
        if remaining <= 0 or wanted > remaining:
            return None
        if wanted and isinstance(failure, RateLimited):
            return wanted
        pause = backoff(self._pauses, self._random())
        self._pauses += 1
        return max(wanted, min(pause, remaining))
