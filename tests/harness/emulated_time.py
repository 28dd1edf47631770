"""An emulator whose time passes only when a worker sleeps or a trigger waits, and the clock that makes it so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from airflow_sentinelhub.client.gate import PROCESS_GATE
from airflow_sentinelhub.client.tokens import PROCESS_TOKENS
from airflow_sentinelhub.clock import replaced_by
from airflow_sentinelhub.emulator import Emulator, ServiceClock
from tests.harness.virtual_time import START, VirtualTime

_TICK = 1e-6
"""Seconds: the service counts in whole microseconds."""


class EmulatedTime(VirtualTime):
    """
    The service's time, which is also that of whoever waits for the service.

    :param emulator: its clock must stand still otherwise.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        super().__init__(start=self.now())

    def now(self) -> float:
        return self._emulator.service.clock.now().timestamp()

    def monotonic(self) -> float:
        return self.now() - self.start

    def advance(self, seconds: float) -> None:
        service = self._emulator.service
        with service.lock:
            until = self.monotonic() + max(0.0, seconds)
            service.clock.advance(max(0.0, seconds))
            while self.monotonic() < until:  # rounded down, and a timer would be due for ever
                service.clock.advance(_TICK)


@contextmanager
def time_of(emulator: Emulator) -> Iterator[EmulatedTime]:
    """
    Let sensors, operators, triggers and their clients live on the time of an emulator.

    :param emulator: its clock must stand still otherwise.
    """
    emulated = EmulatedTime(emulator)
    with replaced_by(emulated):
        forget_accounts()
        try:
            yield emulated
        finally:
            forget_accounts()  # their times are those of this clock


def forget_accounts() -> None:
    """Forget tokens and limits, which the process keeps for all clients."""
    PROCESS_TOKENS.reset()
    PROCESS_GATE.reset()


@pytest.fixture(scope="module")
def standing_emulator() -> Iterator[Emulator]:
    with Emulator(speed=0) as emulator:
        yield emulator


@pytest.fixture
def clock(standing_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedTime]:
    """The time of :func:`emulator`, the same at the beginning of each test; ``pauses`` is what workers slept."""
    standing_emulator.service.clock = ServiceClock(0, start=datetime.fromtimestamp(START, UTC))
    standing_emulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_SH", standing_emulator.airflow_connection)
    with time_of(standing_emulator) as emulated:
        yield emulated


@pytest.fixture
def emulator(standing_emulator: Emulator, clock: EmulatedTime) -> Emulator:
    """A local Sentinel Hub without jobs, behind the connection ``sh``; whatever waits for it lives on its time."""
    return standing_emulator
