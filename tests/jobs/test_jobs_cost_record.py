"""What the jobs of a task have cost since its last clear."""

from __future__ import annotations

import json

import pytest

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.cost_record import CostRecord


def job(job_id, cost):
    return BatchJob.from_payload(BatchApi.PROCESS, {"id": job_id, "costPU": cost})


BEFORE = CostRecord(3, {"a": 125.0, "b": 10.0})


@pytest.mark.parametrize(
    ("now", "max_tries", "jobs"),
    [
        (job("b", 20), 3, {"a": 125, "b": 20}),
        (job("c", 5), 3, {"a": 125, "b": 10, "c": 5}),
        (job("c", None), 3, {"a": 125, "b": 10, "c": 0}),
        pytest.param(job("b", None), 3, {"a": 125, "b": 10}, id="not told this time"),
        pytest.param(job("b", 20), 5, {"b": 20}, id="cleared, and gone on with"),
        pytest.param(job("b", None), 5, {"b": 10}, id="cleared, gone on with, and not told"),
        pytest.param(job("c", 0), 5, {"c": 0}, id="cleared, with a new job"),
    ],
)
def test_a_job_is_noted(now, max_tries, jobs):
    assert BEFORE.with_job(now, max_tries) == CostRecord(max_tries, jobs)


@pytest.mark.parametrize(
    ("job_id", "max_tries", "cost"), [("a", 3, 10), ("b", 3, 125), ("c", 3, 135), ("c", 5, 0), ("a", 5, 0)]
)
def test_what_the_others_have_cost(job_id, max_tries, cost):
    assert BEFORE.of_others(job_id, max_tries) == cost


def test_it_is_stored_as_json():
    assert CostRecord.from_json(json.loads(json.dumps(BEFORE.to_json()))) == BEFORE


@pytest.mark.parametrize("stored", [None, 7, [], {}, {"jobs": [1]}, {"max_tries": "x", "jobs": {"a": "x"}}])
def test_what_cannot_be_read_is_nothing(stored):
    assert CostRecord.from_json(stored) == CostRecord()
