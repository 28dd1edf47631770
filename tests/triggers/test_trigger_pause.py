"""The trigger that lets time pass."""

from __future__ import annotations

import asyncio
import importlib
import json
import types

import pytest

from airflow_sentinelhub.triggers import pause
from airflow_sentinelhub.triggers.pause import SentinelHubPauseTrigger


@pytest.fixture
def clock(monkeypatch):
    clock = types.SimpleNamespace(now=1_000_000.0, sleeps=[])

    async def sleep(seconds):
        clock.sleeps.append(seconds)
        clock.now += seconds

    monkeypatch.setattr("airflow_sentinelhub.clock._clock", types.SimpleNamespace(now=lambda: clock.now))
    monkeypatch.setattr(pause, "asyncio", types.SimpleNamespace(sleep=sleep))
    return clock


def events(trigger):
    async def all_of_them():
        return [event.payload async for event in trigger.run()]

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("until", "sleeps"),
    [(1_000_150.0, [60, 60, 30]), (1_000_060.0, [60]), (1_000_000.0, []), (999_000.0, [])],
)
def test_it_fires_once_when_its_time_has_come(clock, until, sleeps):
    assert events(SentinelHubPauseTrigger(until=until)) == [{"until": until}]
    assert clock.sleeps == sleeps


def test_a_clock_that_is_set_ahead_ends_the_wait(clock, monkeypatch):
    async def suspended(seconds):
        clock.sleeps.append(seconds)
        clock.now += 5000

    monkeypatch.setattr(pause, "asyncio", types.SimpleNamespace(sleep=suspended))
    events(SentinelHubPauseTrigger(until=1_003_600.0))
    assert clock.sleeps == [60]


def test_the_triggerer_makes_it_again():
    classpath, kwargs = SentinelHubPauseTrigger(until=5.0).serialize()
    module, _, name = classpath.rpartition(".")
    kwargs = json.loads(json.dumps(kwargs))
    again = getattr(importlib.import_module(module), name)(**kwargs, of_a_newer_version=True)
    assert again.serialize() == (classpath, kwargs)
