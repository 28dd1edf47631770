"""Sensors against an emulator whose time passes only when a worker sleeps or a trigger waits."""

from __future__ import annotations

from tests.harness import emulated_time

standing_emulator, clock, emulator = emulated_time.standing_emulator, emulated_time.clock, emulated_time.emulator
