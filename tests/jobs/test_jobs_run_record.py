"""What a task keeps of its job, and whether it may start one again that is STOPPED."""

from __future__ import annotations

import json

import pytest

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.run_record import RunRecord

ID, OTHER = "0a1b2c3d-0000-4000-8000-000000000000", "0a1b2c3d-0000-4000-8000-000000000001"
FULL = RunRecord(ID, 2, True, {"OUT_OF_PU": 1})


def job(status="STOPPED", action="START", reason=None):
    payload = {"id": ID, "status": status, "userAction": action, "stoppedStatusReason": reason}
    return BatchJob.from_payload(BatchApi.PROCESS, payload)


# Attempts


@pytest.mark.parametrize(
    ("before", "job_id", "max_tries", "after"),
    [
        # The first attempt, and one with a new job: nothing that was known holds for it.
        (RunRecord(), ID, 2, RunRecord(ID, 2)),
        (FULL, OTHER, 2, RunRecord(OTHER, 2, recreated=1)),
        (RunRecord(ID, 2, recreated=1), OTHER, 2, RunRecord(OTHER, 2, recreated=2)),
        (RunRecord(ID, 2, recreated=1), OTHER, 3, RunRecord(OTHER, 3)),
        # A retry changes nothing.
        (RunRecord(ID, 2), ID, 2, RunRecord(ID, 2)),
        (FULL, ID, 2, FULL),
        # A clear, which alone changes Airflow's max_tries, is the wish that it goes on.
        (RunRecord(ID, 2), ID, 5, RunRecord(ID, 5, may_restart=True)),
        (RunRecord(ID, 2, False, {"UNHEALTHY": 1}), ID, 3, RunRecord(ID, 3, True, {"UNHEALTHY": 1})),
        (RunRecord(ID, 5), ID, 2, RunRecord(ID, 2, may_restart=True)),
    ],
)
def test_an_attempt_begins(before, job_id, max_tries, after):
    assert before.begun(job_id, max_tries) == after


def test_a_wish_that_was_not_fulfilled_yet_outlives_retries():
    cleared = RunRecord(ID, 2).begun(ID, 5)
    assert cleared.begun(ID, 5).may_restart
    assert not cleared.started().begun(ID, 5).may_restart


def test_a_stop_by_the_task_itself_is_no_wish_of_anybody():
    assert RunRecord(ID).stopped_by_task() == RunRecord(ID, may_restart=True)
    assert FULL.started() == RunRecord(ID, 2, False, {"OUT_OF_PU": 1})


# Resume


@pytest.mark.parametrize(
    ("status", "reason", "resume", "resumed", "may"),
    [
        ("STOPPED", "OUT_OF_PU", {"OUT_OF_PU": 1}, {}, True),
        ("STOPPED", "OUT_OF_PU", {"OUT_OF_PU": 1}, {"OUT_OF_PU": 1}, False),
        ("STOPPED", "OUT_OF_PU", {"OUT_OF_PU": 3}, {"OUT_OF_PU": 2, "UNHEALTHY": 5}, True),
        ("STOPPED", "OUT_OF_PU", {"OUT_OF_PU": 0}, {}, False),
        ("STOPPED", "OUT_OF_PU", {"UNHEALTHY": 1}, {}, False),
        ("STOPPED", "OUT_OF_PU", {}, {}, False),
        ("STOPPED", "A_NEW_REASON", {"OUT_OF_PU": 1}, {}, False),
        ("STOPPED", None, {"OUT_OF_PU": 1}, {}, False),
        ("PROCESSING", "OUT_OF_PU", {"OUT_OF_PU": 1}, {}, False),
        ("FAILED", "OUT_OF_PU", {"OUT_OF_PU": 1}, {}, False),
    ],
)
def test_resume(status, reason, resume, resumed, may):
    assert RunRecord(ID, resumed=resumed).may_resume(job(status, reason=reason), resume) is may


def test_what_is_resumed_is_counted_by_its_reason():
    before = RunRecord(ID, 2, resumed={"UNHEALTHY": 1})
    after = before.resuming(job(reason="OUT_OF_PU")).resuming(job(reason="UNHEALTHY"))
    assert after == RunRecord(ID, 2, True, {"UNHEALTHY": 2, "OUT_OF_PU": 1})
    assert before.resumed == {"UNHEALTHY": 1}
    assert before.resuming(job()).resumed == {"UNHEALTHY": 1, "": 1}


# What is stored


@pytest.mark.parametrize("record", [RunRecord(), FULL, RunRecord(ID, 0, False, {})])
def test_through_json_and_back(record):
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(
    ("stored", "record"),
    [
        (None, RunRecord()),
        ("text", RunRecord()),
        ([], RunRecord()),
        ({}, RunRecord()),
        ({"job_id": ID}, RunRecord(ID)),
        ({"job_id": 7, "max_tries": "2", "may_restart": "yes", "resumed": ["OUT_OF_PU"]}, RunRecord()),
        ({"job_id": ID, "may_restart": 1}, RunRecord(ID)),
        ({"job_id": ID, "resumed": {"OUT_OF_PU": "1", "UNHEALTHY": 2}}, RunRecord(ID, resumed={"UNHEALTHY": 2})),
        ({**FULL.to_json(), "of_a_newer_version": 1}, FULL),
    ],
)
def test_records_of_other_versions_and_broken_ones(stored, record):
    assert RunRecord.from_json(stored) == record
