"""Poll intervals, and reading of durations that a DAG gives in seconds or as a ``timedelta``."""

from __future__ import annotations

from datetime import timedelta

from airflow_sentinelhub.jobs.api import BatchApi

POKE_INTERVALS = {BatchApi.PROCESS: 120.0, BatchApi.STATISTICAL: 30.0, BatchApi.PROCESS_V1: 120.0}
"""Default interval between two polls of a job, in seconds."""

ANALYSIS_POKE_INTERVAL = 10.0
"""The same during its analysis."""

SHORTEST_INTERVAL = 5.0
"""Shortest interval between two polls, in seconds, except on this machine."""


def to_seconds(name: str, duration: timedelta | float | None) -> float | None:
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


def to_seconds_required(name: str, duration: timedelta | float | None) -> float:
    """
    Read a duration that cannot be left out.

    :param name: its argument, for the message.
    :param duration: the duration, in seconds or as a ``timedelta``.
    :raises ValueError: it is neither, negative, or ``None``.
    """
    given = to_seconds(name, duration)
    if given is None:
        raise ValueError(f"{name} must be a number of seconds or a timedelta; it is None")
    return given
