"""The service's clock, which may run faster than ours."""

from __future__ import annotations

import time as _time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class ServiceClock:
    """
    Time as the service sees it.

    Jobs live on this clock; tokens and faults do not (a client waits for those on its own clock).

    :param speed: service seconds per real second. With 60, a ten-minute job takes ten seconds, and the
        service's dates run ahead of the calendar.
    :param time: source of real seconds. Tests pass one that stands still and call :meth:`advance`.
    :param start: the service's time at the beginning. Default: now.
    """

    def __init__(
        self,
        speed: float = 1.0,
        time: Callable[[], float] = _time.monotonic,
        start: datetime | None = None,
    ) -> None:
        _check_speed(speed)
        self._time = time
        self._speed = float(speed)
        self._since = time()
        self._then = start or datetime.now(UTC)

    @property
    def speed(self) -> float:
        """Service seconds per real second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        _check_speed(speed)
        self._then, self._since = self.now(), self._time()
        self._speed = float(speed)

    def now(self) -> datetime:
        """The service's time, in UTC."""
        return self._then + timedelta(seconds=(self._time() - self._since) * self._speed)

    def advance(self, seconds: float) -> None:
        """
        Jump ahead.

        :param seconds: service seconds. The clock never runs backwards.
        :raises ValueError: if negative.
        """
        if seconds < 0:
            raise ValueError(f"The service clock never runs backwards, but was to advance by {seconds} s")
        self._then += timedelta(seconds=seconds)


def _check_speed(speed: float) -> None:
    if speed < 0:
        raise ValueError(f"The speed of the service clock must not be negative, but was {speed}")


def wire(moment: datetime) -> str:
    """A time as the service writes it: ISO 8601, UTC, microseconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
