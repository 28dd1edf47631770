"""When a job has come to an end, and which end it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_sentinelhub.jobs import BatchApi, BatchJob, JobStatus, WaitPolicy, WaitState
from airflow_sentinelhub.jobs.completion import ENDS, LINGERS, Completion, completion_of, is_stale_status

NOW = 1_700_000_000.0
POLICY = WaitPolicy(poke_interval=60, analysis_poke_interval=60, start_grace=None)


def at(seconds):
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat().replace("+00:00", "Z")


def job(status, api=BatchApi.PROCESS, **fields):
    return BatchJob.from_payload(api, {"id": "a", "status": status, "userAction": "START", **fields})


def read(*jobs, apart=60.0):
    """What the last of some looks comes to."""
    memory = WaitState()
    for number, each in enumerate(jobs):
        end, memory = completion_of(each, POLICY, NOW + number * apart, memory)
    return end


@pytest.mark.parametrize("status", ["CREATED", "ANALYSING", "ANALYSIS_DONE", "PROCESSING", "SOMETHING_NEW", ""])
def test_a_job_that_is_not_over_has_no_end(status):
    assert read(job(status), job(status), job(status), apart=4000) is None


def test_one_that_nobody_started_has_no_end_however_long_it_rests():
    resting = job("CREATED", userAction="NONE")
    assert read(resting, resting, resting, apart=86_400) is None


@pytest.mark.parametrize("status", ["DONE", "FAILED", "CANCELED"])
def test_a_final_status_is_an_end_at_once(status):
    assert read(job(status, completionPercentage=42)) == Completion(status, final=True)


@pytest.mark.parametrize("status", ["STOPPED", "PARTIAL"])
def test_one_that_may_not_last_is_read_twice_an_interval_apart(status):
    seen = job(status, stoppedStatusReason="OUT_OF_PU", userActionUpdated=at(-9000))
    assert read(seen) is None
    assert read(seen, seen, apart=59) is None
    end = read(seen, seen)
    assert not end.final
    assert end.name == f"{status} OUT_OF_PU START@{at(-9000)}"
    assert read(seen, job("PROCESSING"), seen) is None, "it has not lasted"
    assert read(seen, job("DONE")) == Completion("DONE", final=True)


def test_two_stops_of_a_job_are_two_ends():
    def stop(**fields):
        return job("STOPPED", **fields)

    first = stop(userAction="STOP", userActionUpdated=at(-9000), stoppedStatusReason="USER_ACTION")
    second = stop(userAction="STOP", userActionUpdated=at(-100), stoppedStatusReason="USER_ACTION")
    no_pu = stop(
        userAction="START", userActionUpdated=at(-5000), stoppedStatusReason="OUT_OF_PU", lastUpdated=at(0)
    )
    assert len({read(each, each).name for each in (first, second, no_pu)}) == 3


def test_a_stop_that_somebody_has_undone_is_no_end():
    undone = job("STOPPED", userActionUpdated=at(0), stoppedStatusReason="USER_ACTION", lastUpdated=at(-2000))
    assert read(undone, undone, undone) is None


@pytest.mark.parametrize(
    ("ago", "action", "lingers"),
    [(0, "START", True), (LINGERS - 1, "START", True), (LINGERS, "START", False), (0, "CANCEL", False)],
)
def test_an_old_end_lingers_after_a_restart(ago, action, lingers):
    partial = job("PARTIAL", BatchApi.PROCESS_V1, userAction=action, userActionUpdated=at(-ago))
    assert is_stale_status(partial, NOW) is lingers


def test_without_a_time_nothing_lingers():
    assert not is_stale_status(job("PARTIAL", BatchApi.PROCESS_V1), NOW)


def test_each_api_has_its_ends():
    assert {status for ends in ENDS.values() for status in ends} == {
        JobStatus.DONE,
        JobStatus.PARTIAL,
        JobStatus.FAILED,
        JobStatus.STOPPED,
        JobStatus.CANCELED,
    }
    assert JobStatus.CANCELED not in ENDS[BatchApi.PROCESS]
    assert JobStatus.STOPPED not in ENDS[BatchApi.PROCESS_V1]
