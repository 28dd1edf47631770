"""Moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def format_time(moment: float, now: float | None = None) -> str:
    """
    Write a moment in UTC, with its date unless that is today's.

    :param moment: seconds since 1970.
    :param now: the present, in seconds since 1970.
    """
    when = datetime.fromtimestamp(min(moment, _END_OF_TIME), UTC)
    if now is not None and when.date() == datetime.fromtimestamp(now, UTC).date():
        return when.strftime("%H:%M UTC")
    return when.strftime("%Y-%m-%d %H:%M UTC")
