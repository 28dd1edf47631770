"""
The clock of sensors, operators and triggers.

Airflow makes these objects itself, from a DAG file or from what it stored, so a clock cannot be passed to them.
They ask this module instead, and a test replaces the clock of all of them here, with :func:`replaced_by`. The
layers below (``jobs``, ``client``, ``waits``, ``polling``) take the time, or a clock, as an argument.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Clock(Protocol):
    """A source of time that can also wait."""

    def now(self) -> float:
        """Return the present, in seconds since 1970."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; they never go back."""

    def sleep(self, seconds: float) -> None:
        """Block this thread."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Block this thread until an event is set or time is up, and return whether it is set."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return the present, in seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; they never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Block this thread until an event is set or time is up, and return whether it is set."""
        return event.wait(seconds)


_clock: Clock = SystemClock()


def now() -> float:
    """Return the present, in seconds since 1970."""
    return _clock.now()


def monotonic() -> float:
    """Return seconds from an arbitrary start; they never go back."""
    return _clock.monotonic()


def sleep(seconds: float) -> None:
    """
    Block this thread.

    :param seconds: how long.
    """
    _clock.sleep(seconds)


def wait(event: threading.Event, seconds: float) -> bool:
    """
    Block this thread until another one sets an event.

    :param event: the event.
    :param seconds: how long at most.
    :return: whether it is set.
    """
    return _clock.wait(event, seconds)


@contextmanager
def replaced_by(other: Clock) -> Iterator[None]:
    """
    Replace the clock of sensors, operators and triggers of this process.

    :param other: the clock to use until the block ends.
    """
    global _clock
    before, _clock = _clock, other
    try:
        yield
    finally:
        _clock = before
