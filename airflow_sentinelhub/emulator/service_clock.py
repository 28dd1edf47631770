"""The service's clock, which may run faster than ours."""

from __future__ import annotations

import time as _time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from airflow_sentinelhub.emulator import limits

LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""The end of the service's time: what it works out from there still fits into Python's calendar."""
FASTEST = 1e9


class ServiceClock:
    """
    Time as the service sees it.

    Jobs live on this clock; tokens and faults do not (a client waits for those on its own clock).

    :param speed: service seconds per real second, up to 1e9. With 60, a ten-minute job takes ten seconds, and the
        service's dates run ahead of the calendar. They stop in the year 9000.
    :param time: source of real seconds. Tests pass one that stands still and call :meth:`advance`.
    :param start: the service's time at the beginning. Default: now.
    """

    def __init__(
        self,
        speed: float = 1.0,
        time: Callable[[], float] = _time.monotonic,
        start: datetime | None = None,
    ) -> None:
        self._speed = checked_speed(speed)
        self._time = time
        self._since = time()
        self._then = start or datetime.now(UTC)

    @property
    def speed(self) -> float:
        """Service seconds per real second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        checked = checked_speed(speed)
        self._then, self._since = self.now(), self._time()
        self._speed = checked

    def now(self) -> datetime:
        """Return the service's time, in UTC."""
        passed = (self._time() - self._since) * self._speed
        return self._then + timedelta(seconds=min(passed, (LATEST - self._then).total_seconds()))

    def advance(self, seconds: float) -> None:
        """
        Jump ahead.

        :param seconds: service seconds, at most a century. The clock never runs backwards.
        :raises ValueError: if negative, or too far.
        """
        jump = timedelta(seconds=checked_jump(seconds))
        self._then += min(jump, LATEST - self.now())


def checked_speed(speed: object) -> float:
    """Return a speed at which the clock can run, or raise ``ValueError``."""
    return limits.number("The speed of the service clock", speed, 0, FASTEST)


def checked_jump(seconds: object) -> float:
    """Return seconds by which the clock can jump, or raise ``ValueError``."""
    if isinstance(seconds, int | float) and seconds < 0:
        raise ValueError(f"The service clock never runs backwards, but was to advance by {seconds} s")
    return limits.seconds("What the service clock advances by", seconds)


def wire(moment: datetime) -> str:
    """Return a time as the service writes it: ISO 8601, UTC, microseconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
