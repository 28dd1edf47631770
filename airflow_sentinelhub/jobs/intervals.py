"""Durations as people say and write them."""

from __future__ import annotations

from datetime import timedelta

SHORTEST_INTERVAL = 5.0
"""Seconds between two looks that nobody goes below, except on this machine."""


def in_words(seconds: float) -> str:
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


def seconds(name: str, duration: timedelta | float | None) -> float | None:
    """
    Read a duration that is given in seconds or as a ``timedelta``.

    :param name: its argument, for the message.
    :param duration: the duration; ``None`` stays ``None``.
    :raises ValueError: it is neither, or negative.
    """
    if duration is None:
        return None
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not duration >= 0:
        raise ValueError(f"{name} must be a number of seconds or a timedelta, not negative; it is {duration!r}")
    return float(duration)


def some_seconds(name: str, duration: timedelta | float | None) -> float:
    """
    Read a duration that cannot be left out.

    :param name: its argument, for the message.
    :param duration: the duration, in seconds or as a ``timedelta``.
    :raises ValueError: it is neither, negative, or ``None``.
    """
    given = seconds(name, duration)
    if given is None:
        raise ValueError(f"{name} must be a number of seconds or a timedelta; it is None")
    return given
