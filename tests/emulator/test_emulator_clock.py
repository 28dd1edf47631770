from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_sentinelhub.emulator import ServiceClock

START = datetime(2026, 1, 1, tzinfo=UTC)


class RealTime:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(("speed", "expected"), [(1, 10), (60, 600), (0.5, 5), (0, 0)])
def test_service_time_runs_at_its_own_speed(speed: float, expected: float) -> None:
    real = RealTime()
    clock = ServiceClock(speed, time=real, start=START)
    real.seconds = 10
    assert clock.now() - START == timedelta(seconds=expected)


def test_a_change_of_speed_does_not_make_time_jump() -> None:
    real = RealTime()
    clock = ServiceClock(60, time=real, start=START)
    real.seconds = 10
    clock.speed = 1
    real.seconds = 15
    assert clock.now() - START == timedelta(seconds=605)


def test_time_can_be_advanced_but_not_turned_back() -> None:
    clock = ServiceClock(0, start=START)
    clock.advance(90)
    assert clock.now() - START == timedelta(seconds=90)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
