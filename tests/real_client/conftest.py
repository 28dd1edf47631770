"""A home, an environment and an emulator for the real client, none of which anything can leak out of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.jobs import BatchApi, WaitGoal
from tests.harness.emulator_fixtures import VirtualEmulator, emulator_on
from tests.harness.virtual_time import VirtualTime

if TYPE_CHECKING:
    from tests.real_client.endings import Ending
    from tests.real_client.situations import Situation

Run = Callable[[BatchApi, WaitGoal, "Situation"], "Ending"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-outcomes",
        action="store_true",
        help="write docs/outcomes.md from what these tests find (for tests/real_client)",
    )


@pytest.fixture(scope="session")
def _running_emulator() -> Iterator[Emulator]:
    with Emulator(speed=0) as emulator:
        yield emulator


@pytest.fixture
def emulator(_running_emulator: Emulator) -> Emulator:
    """A local Sentinel Hub without jobs, whose time stands still unless it is advanced."""
    _running_emulator.reset()
    return _running_emulator


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The library alone with itself: no configuration file, no proxy, no token of an earlier test."""
    from tests.real_client import library

    for name in ("SH_CLIENT_ID", "SH_CLIENT_SECRET", "SH_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # oauthlib refuses token URLs without TLS.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    library.forget_tokens()
    yield tmp_path
    library.forget_tokens()


@pytest.fixture
def config(emulator: Emulator):
    """A configuration of the library for the emulator."""
    from tests.real_client import library

    return library.configuration(emulator)


@pytest.fixture(scope="session")
def _endings() -> dict[tuple[object, ...], Ending]:
    return {}


@pytest.fixture
def monitor_ending(emulator: Emulator, home: Path, _endings: dict[tuple[object, ...], Ending]) -> Run:
    """How a monitor function ends, run once for all tests that ask."""
    from tests.real_client.endings import monitor_ending

    def run(api: BatchApi, goal: WaitGoal, situation: Situation) -> Ending:
        key = ("monitor", api, goal, situation.title)
        if key not in _endings:
            _endings[key] = monitor_ending(emulator, api, goal, situation)
            assert not list(home.iterdir()), "the library must not write a configuration file"
        return _endings[key]

    return run


@pytest.fixture(scope="session")
def _emulator_of_sensors() -> Iterator[tuple[VirtualEmulator, VirtualTime]]:
    """Another one: the library's tokens end on real time, and those of our client on virtual time."""
    with emulator_on(time := VirtualTime()) as emulator:
        yield emulator, time


@pytest.fixture
def sensor_ending(
    _emulator_of_sensors: tuple[VirtualEmulator, VirtualTime],
    monkeypatch: pytest.MonkeyPatch,
    _endings: dict[tuple[object, ...], Ending],
) -> Run:
    """How our sensor ends, run once for all tests that ask."""
    from tests.real_client.endings import sensor_ending

    emulator, time = _emulator_of_sensors
    monkeypatch.setenv("AIRFLOW_CONN_SH", emulator.airflow_connection)

    def run(api: BatchApi, goal: WaitGoal, situation: Situation) -> Ending:
        key = ("sensor", api, goal, situation.title)
        if key not in _endings:
            _endings[key] = sensor_ending(emulator, time, api, goal, situation)
        return _endings[key]

    return run
