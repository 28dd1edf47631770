"""When a job has cost more than it may: what looks at it come to, whatever its status."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.exceptions import BatchCostExceeded
from airflow_sentinelhub.jobs import BatchApi, BatchJob, Outcome, WaitGoal, WaitPolicy, WaitState, evaluate
from airflow_sentinelhub.jobs.wait_rules import exceeds_max_cost
from tests.jobs.test_jobs_wait_rules import COMPLETION, EVERY, GONE, STAT, V2, WAITING, job, judge, outcomes

DEAR = Outcome.COST_EXCEEDED


@pytest.mark.parametrize("api", EVERY)
@pytest.mark.parametrize(
    ("status", "action", "outcome"),
    [
        # It goes on, or may, and so does what it costs.
        ("CREATED", "START", DEAR),
        ("CREATED", "NONE", DEAR),
        ("ANALYSING", "START", DEAR),
        ("ANALYSIS_DONE", "ANALYSE", DEAR),
        ("PROCESSING", "START", DEAR),
        ("PROCESSING", "STOP", DEAR),
        ("NEW_WORD", "START", DEAR),
        (None, "START", DEAR),
        # It is over: nothing more is spent, and what it came to says more.
        ("DONE", "START", Outcome.DONE),
        ("FAILED", "START", Outcome.FAILED),
        ("CANCELED", "CANCEL", Outcome.CANCELED),
        ("STOPPED", "START", Outcome.STOPPED),
        ("PARTIAL", "START", Outcome.PARTIAL),
    ],
)
def test_every_status(api, status, action, outcome):
    looks = [(0, job(status, action, costPU=301)), (120, job(status, action, costPU=301))]
    assert outcomes(api, COMPLETION, looks, max_cost_pu=300)[-1] is outcome


@pytest.mark.parametrize(
    ("cost", "limit", "outcome"),
    [
        (300, 300, WAITING),
        (300.001, 300, DEAR),
        (299.9, 300, WAITING),
        (0, 0.5, WAITING),
        (0.1, 0, DEAR),
        (None, 300, WAITING),
        ("no number", 300, WAITING),
        ("301", 300, DEAR),
        (1e9, None, WAITING),
    ],
)
def test_at_the_limit(cost, limit, outcome):
    assert outcomes(V2, COMPLETION, [(0, job("PROCESSING", costPU=cost))], max_cost_pu=limit) == [outcome]


@pytest.mark.parametrize("name", ["costPU", "costPu"])
def test_a_light_answer_tells_it_too(name):
    light = {"id": job("x")["id"], "status": "PROCESSING", name: 301}
    seen = BatchJob.from_payload(STAT, light, status_only=True)
    policy = WaitPolicy(30, 10, max_cost_pu=300)
    assert evaluate(seen, COMPLETION, policy, 1_000_000.0, WaitState())[0].outcome is DEAR


def test_it_is_read_once():
    first, *_ = judge(V2, COMPLETION, [(0, job("PROCESSING", costPU=301))], max_cost_pu=300)
    assert (first.outcome, first.is_final, first.warn) == (DEAR, True, False)


def test_an_analysis_can_be_too_dear_as_well():
    assert outcomes(V2, WaitGoal.ANALYSIS, [(0, job("ANALYSING", costPU=301))], max_cost_pu=300) == [DEAR]


def test_what_was_remembered_of_other_states_is_forgotten():
    looks = [(0, job("STOPPED")), (60, job("PROCESSING", costPU=301)), (120, job("STOPPED"))]
    assert outcomes(V2, COMPLETION, looks, max_cost_pu=300) == [WAITING, DEAR, WAITING]
    resting = job("CREATED", "NONE")
    looks = [(0, resting), (3600, {**resting, "costPU": 301}), (3700, resting), (3900, resting)]
    assert outcomes(V2, COMPLETION, looks, max_cost_pu=300) == [WAITING, DEAR, WAITING, WAITING]


def test_a_job_that_is_not_found_costs_what_is_not_known():
    assert outcomes(V2, COMPLETION, [(0, GONE)], max_cost_pu=1) == [WAITING]


@pytest.mark.parametrize(
    ("api", "status", "cost", "said"),
    [
        (
            V2,
            "PROCESSING",
            1234.5,
            "TOO EXPENSIVE: 1,234 PU of 300 PU, PROCESSING 41 %",
        ),
        (STAT, "", 301, "no status 41 %"),
        (V2, "PROCESSING", 301, "then raise max_cost_pu,\nand clear this task to go on with the same job"),
    ],
)
def test_the_message(api, status, cost, said):
    looks = [(0, job(status, costPU=cost, completionPercentage=41.2))]
    [verdict] = judge(api, COMPLETION, looks, max_cost_pu=300)
    assert said in verdict.message
    error = verdict.exception()
    assert (type(error), error.spent, error.job_id) == (BatchCostExceeded, cost, verdict.job_id)


@pytest.mark.parametrize(
    ("cost", "limit", "dear"), [(None, 1, False), (1, 1, False), (1.01, 1, True), (0.0, 1e-9, False)]
)
def test_too_dear(cost, limit, dear):
    seen = BatchJob.from_payload(BatchApi.PROCESS, job("PROCESSING", costPU=cost))
    assert exceeds_max_cost(seen, limit) is dear
