"""When a wait has to end, and what it says then of the job."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs import BatchApi, BatchJob, Deadlines, Outcome
from airflow_sentinelhub.jobs.wait_policy import last_state

ID = "0a1b2c3d-0000-4000-8000-000000000000"
LEFT = "The job was left alone and goes on: raise {}, or clear this task to wait for it again."
STOPPED = "It is stopped (on_timeout): raise {}, or clear this task to go on with it."


@pytest.mark.parametrize("stops_job", [False, True])
@pytest.mark.parametrize(
    ("timeout_at", "execution_timeout_at", "name", "first"),
    [
        (200.0, None, "timeout", 200.0),
        (200.0, 300.0, "timeout", 200.0),
        (300.0, 200.0, "execution_timeout", 200.0),
        # The one after which there is a retry.
        (200.0, 200.0, "execution_timeout", 200.0),
        (200.0, 0.0, "execution_timeout", 0.0),
    ],
)
def test_the_earlier_end_counts(timeout_at, execution_timeout_at, name, first, stops_job):
    deadlines = Deadlines(0.0, timeout_at, execution_timeout_at, stops_job)
    assert (deadlines.name, deadlines.first) == (name, first)
    verdict = deadlines.verdict(BatchApi.PROCESS, ID, None, first)
    assert verdict.outcome is (Outcome.TIMEOUT if name == "timeout" else Outcome.EXECUTION_TIMEOUT)
    assert verdict.message.endswith((STOPPED if stops_job else LEFT).format(name))
    assert f"({name})" in verdict.message


def test_it_is_left_alone_unless_somebody_says_otherwise():
    assert LEFT.format("timeout") in Deadlines(0.0, 10.0).passed(BatchApi.PROCESS, ID, None).message


@pytest.mark.parametrize(("now", "is_up"), [(199.9, False), (200.0, True), (200.1, True)])
def test_to_the_moment(now, is_up):
    verdict = Deadlines(0.0, 200.0, stops_job=True).verdict(BatchApi.PROCESS, ID, None, now)
    assert (verdict is not None) is is_up


@pytest.mark.parametrize("api", BatchApi)
def test_the_message_names_the_job_its_state_and_the_time(api):
    job = BatchJob.from_payload(api, {"id": ID, "status": "PROCESSING", "completionPercentage": 40})
    verdict = Deadlines(1000.0, 8200.0, stops_job=True).passed(api, ID, job)
    assert verdict.message == (
        f"TIMED OUT after 2 h (timeout): last seen PROCESSING 40 % ({api.display_name} {ID})\n"
        f"{STOPPED.format('timeout')}"
    )
    assert (verdict.api, verdict.job_id, verdict.job) == (api, ID, job)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (None, "never seen"),
        ({}, "last seen without a status"),
        ({"status": "CREATED"}, "last seen CREATED"),
        ({"status": "PROCESSING", "completionPercentage": 12.5}, "last seen PROCESSING 12.5 %"),
        ({"status": "PROCESSING", "completionPercentage": 0}, "last seen PROCESSING 0 %"),
    ],
)
def test_how_it_was_last_seen(payload, said):
    job = None if payload is None else BatchJob.from_payload(BatchApi.PROCESS, {"id": ID, **payload})
    assert last_state(job) == said
