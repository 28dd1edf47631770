"""An emulator for the tests of sensors and triggers, and an Airflow connection to it."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.emulator import Emulator


@pytest.fixture(scope="module")
def running_emulator():
    with Emulator(speed=1) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator, monkeypatch):
    """A local Sentinel Hub without jobs, behind the connection ``sh``."""
    running_emulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_SH", running_emulator.airflow_connection)
    return running_emulator
