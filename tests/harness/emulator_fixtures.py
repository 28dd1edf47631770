"""Emulators for the tests of sensors and triggers, on real and on virtual time, and a connection to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from airflow_sentinelhub.clock import replaced_by
from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.clock import ServiceClock
from airflow_sentinelhub.emulator.service import Service
from tests.harness.virtual_time import VirtualTime


@pytest.fixture(autouse=True)
def _nothing_of_the_test_before() -> None:
    """Forget what the process keeps for all: tokens (those of another emulator) and limits (on another clock)."""
    from airflow_sentinelhub.client.gate import PROCESS_GATE
    from airflow_sentinelhub.client.tokens import PROCESS_TOKENS

    PROCESS_TOKENS.reset()
    PROCESS_GATE.reset()


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
def emulator_on_virtual_time() -> Iterator[tuple[Emulator, VirtualTime]]:
    with emulator_on(time := VirtualTime()) as emulator:
        yield emulator, time


@pytest.fixture
def virtual_time(emulator_on_virtual_time: tuple[Emulator, VirtualTime]) -> Iterator[VirtualTime]:
    """The clock of sensors, operators and triggers, their clients, and the emulator of this module."""
    _, time = emulator_on_virtual_time
    time.pauses.clear()
    with replaced_by(time):
        yield time


@pytest.fixture
def virtual_emulator(
    emulator_on_virtual_time: tuple[Emulator, VirtualTime],
    virtual_time: VirtualTime,
    monkeypatch: pytest.MonkeyPatch,
) -> Emulator:
    """A local Sentinel Hub without jobs, behind the connection ``sh``, in virtual time."""
    emulator, _ = emulator_on_virtual_time
    emulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_SH", emulator.airflow_connection)
    return emulator


@contextmanager
def emulator_on(time: VirtualTime) -> Iterator[Emulator]:
    """
    Run an emulator whose jobs, tokens and limits live on virtual time.

    Requests that it lets hang do not hold that time.
    """
    emulator = Emulator()
    clock = ServiceClock(1.0, time.monotonic, datetime.fromtimestamp(time.now(), UTC))
    emulator.service = Service(clock, real_time=time.monotonic)
    time.hanging = lambda: hanging(emulator)
    with emulator:
        yield emulator


def hanging(emulator: Emulator) -> int:
    """How many requests get no answer now."""
    return sum(each["fault"] == "hang" and each["status"] is None for each in emulator.requests()["recent"])
