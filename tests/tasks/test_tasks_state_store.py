"""What a task keeps of its job, and what it does without a store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.cost_record import CostRecord
from airflow_sentinelhub.jobs.creation_record import CreationRecord
from airflow_sentinelhub.jobs.run_record import RunRecord
from airflow_sentinelhub.tasks.state_store import TaskStateStore

ID, OTHER = "57902398-0000-4000-8000-000000000000", "6aa8765a-0000-4000-8000-000000000000"


@dataclass
class Store:
    """Airflow's task state store."""

    values: dict[str, Any] = field(default_factory=dict)
    writes: int = 0

    def get(self, key):
        return self.values.get(key)

    def set(self, key, value):
        self.values[key] = value
        self.writes += 1


def opened(store, max_tries=1):
    ti = SimpleNamespace(try_number=1, max_tries=max_tries)
    run = SimpleNamespace(run_after=datetime(2026, 11, 18, tzinfo=UTC))
    return TaskStateStore.of({"task_state_store": store, "ti": ti, "dag_run": run})


def job(cost, job_id=ID):
    return BatchJob.from_payload(BatchApi.PROCESS, {"id": job_id, "status": "PROCESSING", "costPU": cost})


def test_the_next_attempt_reads_what_was_kept():
    store = Store()
    first = opened(store)
    assert first.remembers
    first.keep(CreationRecord(id=ID, digest="x"))
    first.keep_run(RunRecord(job_id=ID, may_restart=True))
    second = opened(store)
    assert second.read() == CreationRecord(id=ID, digest="x")
    assert second.read_run() == RunRecord(job_id=ID, may_restart=True)


def test_without_a_store_nothing_is_known_and_nothing_fails():
    without = opened(None)
    assert not without.remembers
    without.keep(CreationRecord(id=ID))
    without.keep_run(RunRecord(job_id=ID))
    without.finish()
    assert (without.read(), without.read_run(), without.read_costs()) == (None, RunRecord(), CostRecord())
    assert without.keep_cost(job(5)).jobs == {ID: 5}


@pytest.mark.parametrize("garbage", [None, 5, "x", [], {"other": 1}])
def test_what_is_no_record_counts_as_none(garbage):
    store = Store(dict.fromkeys(("sentinelhub_job", "sentinelhub_run", "sentinelhub_costs"), garbage))
    assert opened(store).read() is None
    assert opened(store).read_run() == RunRecord()
    assert opened(store).read_costs() == CostRecord()


def test_a_finished_task_that_is_cleared_begins_anew():
    store = Store()
    opened(store, max_tries=1).keep(CreationRecord(id=ID))
    opened(store, max_tries=1).finish()
    kept = opened(store).read()
    assert (kept.id, kept.finished, kept.max_tries) == (ID, True, 1)


def test_finishing_without_a_job_keeps_nothing():
    store = Store()
    opened(store).finish()
    assert store.values == {}


def test_costs_add_up_until_a_clear():
    store = Store()
    opened(store).keep_cost(job(100, OTHER))
    assert opened(store).keep_cost(job(50)).jobs == {OTHER: 100, ID: 50}
    assert opened(store).keep_cost(job(80)).jobs == {OTHER: 100, ID: 80}
    assert opened(store, max_tries=2).keep_cost(job(90)).jobs == {ID: 90}


def test_a_cost_that_is_known_is_not_written_again():
    store = Store()
    opened(store).keep_cost(job(100))
    opened(store).keep_cost(job(100))
    assert store.writes == 1
