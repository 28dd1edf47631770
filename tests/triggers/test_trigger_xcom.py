"""The job as what its task returns, pushed without a worker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import XCom

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.triggers.xcom import push_result

JOB = BatchJob.from_payload(BatchApi.PROCESS, {"id": "6aa8765a", "status": "DONE"})
TASK = SimpleNamespace(dag_id="dag", task_id="wait", run_id="run", map_index=3, try_number=2)


class Log:
    def __init__(self):
        self.warnings = []

    def warning(self, text, **_):
        self.warnings.append(text)


def push(job):
    log = Log()
    return asyncio.run(push_result(TASK, job, log)), log.warnings


@pytest.mark.parametrize(("job", "value"), [(JOB, JOB.to_json()), (None, None)])
def test_it_is_pushed_for_its_very_task(monkeypatch, job, value):
    pushed = []

    async def aset(**given):
        pushed.append(given)

    monkeypatch.setattr(XCom, "aset", aset, raising=False)
    assert push(job) == (True, [])
    where = {"dag_id": "dag", "task_id": "wait", "run_id": "run", "map_index": 3}
    assert pushed == [{"key": "return_value", "value": value, **where}]


def test_below_3_3_a_worker_has_to_do_it(monkeypatch):
    monkeypatch.delattr(XCom, "aset", raising=False)
    assert push(JOB) == (False, [])


def test_a_database_that_is_away_leaves_it_to_a_worker(monkeypatch):
    async def aset(**_):
        raise OSError("no database")

    monkeypatch.setattr(XCom, "aset", aset, raising=False)
    assert push(JOB) == (False, ["The result cannot be pushed from here: a worker does it."])
