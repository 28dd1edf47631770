"""What docs/sensors.md states of the sensors is so."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import Outcome
from airflow_sentinelhub.sensors import batch

PAGE = (Path(__file__).parents[2] / "docs" / "sensors.md").read_text(encoding="utf-8")


def test_the_table_of_sensors():
    rows = re.findall(r"^\| `(monitor_\w+)`.*?\| `(\w+)` \| (\d+) s", PAGE, re.MULTILINE)
    stated = {sensor: float(seconds) for _, sensor, seconds in rows}
    sensors = {name: value for name, value in vars(batch).items() if re.match(r"SentinelHubBatch\w+Sensor$", name)}
    sensors.pop("SentinelHubBatchBaseSensor")
    assert stated == {name: sensor.default_poke_interval for name, sensor in sensors.items()}
    assert len(stated) == 6


def test_the_exceptions_that_it_names_exist():
    named = set(re.findall(r"`((?:Batch|Service|Invalid|Forbidden)\w*)`", PAGE)) - {"BatchApi"}
    assert len(named) >= 12
    for name in named:
        assert hasattr(exceptions, name), name


def test_every_outcome_that_ends_a_wait_has_an_exception_in_the_table():
    from airflow_sentinelhub.jobs.verdict import _EXCEPTIONS

    about_the_job = {kind.__name__ for kind in _EXCEPTIONS.values() if issubclass(kind, exceptions.BatchError)}
    for name in about_the_job:
        assert f"`{name}`" in PAGE, name
    assert set(_EXCEPTIONS) == set(Outcome) - {Outcome.WAITING, Outcome.DONE}
