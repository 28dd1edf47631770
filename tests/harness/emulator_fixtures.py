"""An emulator for the tests of sensors and triggers, and an Airflow connection to it."""

from __future__ import annotations

import json

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
    connection = {
        "conn_type": "sentinelhub",
        "login": running_emulator.client_id,
        "password": running_emulator.client_secret,
        "host": running_emulator.url,
        "extra": json.dumps({"auth_url": running_emulator.auth_url}),
    }
    monkeypatch.setenv("AIRFLOW_CONN_SH", json.dumps(connection))
    return running_emulator
