"""Triggers, their clients and the service that they ask live in virtual time."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.emulator import Emulator
from tests.harness.virtual_time import VirtualTime


@pytest.fixture(autouse=True)
def time(virtual_time: VirtualTime) -> VirtualTime:
    """The time of triggers and service."""
    return virtual_time


@pytest.fixture
def emulator(virtual_emulator: Emulator) -> Emulator:
    """A local Sentinel Hub without jobs, behind the connection ``sh``."""
    return virtual_emulator
