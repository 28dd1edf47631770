"""Times, durations and costs as text."""

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


def format_cost(processing_units: float) -> str:
    """
    Write a cost.

    :param processing_units: small jobs cost a few, large ones many thousands.
    """
    return f"{processing_units:,.0f} PU" if processing_units >= 100 else f"{processing_units:.3g} PU"


def format_duration(seconds: float) -> str:
    """
    Write a duration with at most two units.

    :param seconds: how long; a negative duration counts as none.
    """
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, hours = divmod(round(minutes / 60), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
