"""Operators against an emulator whose time passes only when a worker sleeps or a trigger waits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.operators import batch
from airflow_sentinelhub.tasks.state_store import TaskStateStore
from tests.harness.task_runner import Ended, ExecutionApi, deferred_to, run


@pytest.fixture
def clock(virtual_time):
    """The emulator's time, which passes only when a worker sleeps or a trigger waits."""
    return virtual_time


@pytest.fixture
def emulator(virtual_emulator):
    """A local Sentinel Hub without jobs, behind the connection ``sh``."""
    return virtual_emulator


@pytest.fixture
def busy(emulator):
    """Other people's jobs before, between and after."""
    for api in BatchApi:
        emulator.add_foreign_jobs(api, 30, age=3600, every=200)
    emulator.configure(page_size=10, foreign_jobs_per_page=3)
    return emulator


@pytest.fixture
def without_store(monkeypatch):
    """What Airflow has below 3.3."""
    opened = TaskStateStore.of
    monkeypatch.setattr(TaskStateStore, "of", lambda context: replace(opened(context), store=None))


@pytest.fixture
def forgetful(monkeypatch):
    """An Airflow before 3.3, as the operator that runs a whole job sees it."""
    opened = TaskStateStore.of
    monkeypatch.setattr(TaskStateStore, "of", lambda context: replace(opened(context), store=None))


@pytest.fixture
def act(emulator, clock):
    """Run an operator until it succeeds or fails; what it waits for in the triggerer passes at once."""

    def act(name: str, request_id: Any, api: str = "process", between: Any = None, **arguments: Any) -> Ended:
        arguments = {"task_id": "act", "request_id": request_id, "sentinelhub_conn_id": "sh", **arguments}
        execution, lines, waits = ExecutionApi(), [], []
        for _ in range(100):
            ended = run(operator(name, api=api, **arguments), execution)
            lines += ended.lines
            ended.lines, ended.waits = lines, waits
            if ended.state != "deferred":
                return ended
            classpath, kwargs, next_kwargs = deferred_to(ended)
            assert classpath == "airflow_sentinelhub.triggers.pause.SentinelHubPauseTrigger"
            waits.append(kwargs["until"] - clock.now())
            if between:
                between(waits)
            emulator.advance(max(0.0, kwargs["until"] - clock.now()))
            execution.next_method = "execute_complete"
            execution.next_kwargs = {**next_kwargs, "event": {"until": kwargs["until"]}}
        raise AssertionError("it waits on and on")

    return act


def operator(name: str, **arguments: Any) -> Any:
    return getattr(batch, f"SentinelHubBatch{name}Operator")(**arguments)
