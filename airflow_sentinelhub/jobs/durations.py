"""Durations as people say them."""

from __future__ import annotations


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
