"""Emulators for the tests of sensors and triggers, on real and on virtual time, and a connection to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_sentinelhub.clock import replaced_by
from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.emulator.service_clock import ServiceClock
from tests.harness.virtual_time import VirtualTime


@pytest.fixture(autouse=True)
def _nothing_of_the_test_before() -> None:
    """Forget what the process keeps for all: tokens (those of another emulator) and limits (on another clock)."""
    from airflow_sentinelhub.client.rate_limiter import SHARED_RATE_LIMITER
    from airflow_sentinelhub.client.token_cache import SHARED_TOKEN_CACHE

    SHARED_TOKEN_CACHE.reset()
    SHARED_RATE_LIMITER.reset()


@pytest.fixture(scope="module")
def running_emulator() -> Iterator[Emulator]:
    with Emulator(speed=1) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """A local Sentinel Hub without jobs, behind the connection ``sh``."""
    running_emulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_SH", running_emulator.airflow_connection)
    return running_emulator


@pytest.fixture(scope="module")
def emulator_on_virtual_time() -> Iterator[tuple[VirtualEmulator, VirtualTime]]:
    with emulator_on(time := VirtualTime()) as emulator:
        yield emulator, time


@pytest.fixture
def virtual_time(emulator_on_virtual_time: tuple[VirtualEmulator, VirtualTime]) -> Iterator[VirtualTime]:
    """The clock of sensors, operators and triggers, their clients, and the emulator of this module."""
    emulator, time = emulator_on_virtual_time
    time.begin_anew()
    emulator.begin_anew()
    with replaced_by(time):
        yield time


@pytest.fixture
def virtual_emulator(
    emulator_on_virtual_time: tuple[VirtualEmulator, VirtualTime],
    virtual_time: VirtualTime,
    monkeypatch: pytest.MonkeyPatch,
) -> VirtualEmulator:
    """A local Sentinel Hub without jobs, behind the connection ``sh``, in virtual time."""
    emulator, _ = emulator_on_virtual_time
    monkeypatch.setenv("AIRFLOW_CONN_SH", emulator.airflow_connection)
    return emulator


@contextmanager
def emulator_on(time: VirtualTime, **settings: Any) -> Iterator[VirtualEmulator]:
    """
    Run an emulator whose jobs, tokens and limits live on virtual time.

    Requests that it lets hang do not hold that time.

    :param settings: see :class:`~airflow_sentinelhub.emulator.Emulator`.
    """
    emulator = VirtualEmulator(time, **settings)
    time.hanging = lambda: hanging(emulator)
    with emulator:
        yield emulator


class VirtualEmulator(Emulator):
    """
    A local Sentinel Hub in virtual time.

    :param time: its time, and that of all that talk to it.
    :param settings: see :class:`~airflow_sentinelhub.emulator.Emulator`.
    """

    def __init__(self, time: VirtualTime, **settings: Any) -> None:
        super().__init__(**settings)
        self._virtual_time = time
        write = self.service.buckets._write
        self.service = Service(self._clock(), real_time=time.monotonic, write=write)

    def advance(self, seconds: float) -> None:
        """Let time jump, for everything that lives on it."""
        self._virtual_time.advance(seconds)

    def begin_anew(self) -> None:
        """Forget everything, and begin at the present."""
        self.service.clock = self._clock()
        self.reset()

    def _clock(self) -> ServiceClock:
        time = self._virtual_time
        return ServiceClock(1.0, time.monotonic, datetime.fromtimestamp(time.now(), UTC))


def hanging(emulator: Emulator) -> int:
    """How many requests get no answer now."""
    return sum(each["fault"] == "hang" and each["status"] is None for each in emulator.requests()["recent"])
