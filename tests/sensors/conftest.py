"""Sensors against an emulator whose time passes only when a worker sleeps or a trigger waits."""

from __future__ import annotations

import pytest


@pytest.fixture
def clock(virtual_time):
    """The emulator's time, which passes only when a worker sleeps or a trigger waits."""
    return virtual_time


@pytest.fixture
def emulator(virtual_emulator):
    """A local Sentinel Hub without jobs, behind the connection ``sh``."""
    return virtual_emulator
