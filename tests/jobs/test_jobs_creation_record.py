"""Whether a task has a job already, as a table."""

from __future__ import annotations

import json

import pytest

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.creation_record import CreationRecord, adoptable, is_unstarted, select_job
from airflow_sentinelhub.jobs.creation_tag import CreationTag

TAG = CreationTag("d", "r", "t", -1, "-", "a" * 12)
OTHER_REQUEST = CreationTag("d", "r", "t", -1, "-", "b" * 12)
OTHER_TASK = CreationTag("d", "r", "u", -1, "-", "a" * 12)
V2 = BatchApi.PROCESS


def payload(job_id, tag, status="CREATED", user_action="NONE"):
    return {"id": job_id, "status": status, "userAction": user_action, "request": {"description": f"x {tag}"}}


def job(status, user_action="NONE"):
    return BatchJob.from_payload(V2, payload("x", TAG, status, user_action))


@pytest.mark.parametrize(
    ("status", "user_action", "remembered", "forgotten"),
    [
        ("CREATED", "NONE", True, True),
        ("CREATED", "START", True, True),
        ("ANALYSING", "ANALYSE", True, True),
        ("ANALYSIS_DONE", "START", True, True),
        ("PROCESSING", "START", True, True),
        ("QUEUEING", "START", True, True),
        ("DONE", "START", True, False),
        ("PARTIAL", "START", True, False),
        ("STOPPED", "STOP", True, False),
        ("FAILED", "START", False, False),
        ("CANCELED", "CANCEL", False, False),
        ("PROCESSING", "STOP", False, False),
        ("CREATED", "CANCEL", False, False),
    ],
)
def test_which_jobs_are_gone_on_with(status, user_action, remembered, forgotten):
    assert adoptable(job(status, user_action), remembered=True) is remembered
    assert adoptable(job(status, user_action), remembered=False) is forgotten


@pytest.mark.parametrize(
    ("status", "user_action", "nothing"),
    [
        ("CREATED", "NONE", True),
        ("CREATED", "ANALYSE", False),
        ("CREATED", "START", False),
        ("DONE", "START", False),
    ],
)
def test_what_costs_nothing(status, user_action, nothing):
    assert is_unstarted(job(status, user_action)) is nothing


@pytest.mark.parametrize(
    ("listed", "adopt", "others", "left"),
    [
        ([], None, [], []),
        ([payload("1", "no tag"), payload("2", OTHER_TASK)], None, [], []),
        ([payload("1", OTHER_TASK), payload("2", TAG)], "2", [], []),
        ([payload("2", TAG), payload("1", TAG)], "2", [], ["1"]),
        ([payload("2", TAG), payload("1", TAG, "PROCESSING", "START")], "1", [], ["2"]),
        ([payload("2", TAG, "FAILED"), payload("1", TAG)], "1", [], ["2"]),
        ([payload("1", TAG, "FAILED")], None, [], ["1"]),
        ([payload("3", OTHER_REQUEST, "DONE"), payload("2", OTHER_REQUEST)], None, ["3", "2"], []),
        ([payload("2", OTHER_REQUEST), payload("1", TAG)], "1", ["2"], []),
        # A page that shifted shows a job twice.
        ([payload("1", TAG), payload("1", TAG), payload("2", OTHER_REQUEST), payload("2", OTHER_REQUEST)],
         "1", ["2"], []),
        ([payload("spent", TAG), payload("1", TAG)], "1", [], []),
        ([payload("spent", TAG)], None, [], []),
        ([{"id": None, "description": str(TAG)}, {"id": 7, "description": str(TAG)}], None, [], []),
    ],
)  # fmt: skip
def test_the_choice(listed, adopt, others, left):
    found = select_job(V2, listed, TAG, remembered=True, superseded_ids={"spent"})
    assert (found.adopt.id if found.adopt else None) == adopt
    assert [job.id for job in found.others] == others
    assert [job.id for job in found.left] == left


def test_a_series_of_attempts():
    record = CreationRecord().with_request_sent("a", 100.0)
    assert (record.since, record.request_sent_at, record.may_appear_until) == (100.0, 100.0, 400.0)
    again = record.with_request_sent("a", 300.0)
    assert (again.since, again.request_sent_at) == (100.0, 300.0), "the search goes back to the first"
    created = again.created("1", "a")
    assert (created.id, created.request_sent_at, created.finished) == ("1", None, False)
    over = created.with_finish(2)
    assert over.finished
    assert not over.was_cleared(2), "Airflow lost the success"
    assert over.was_cleared(3)
    assert not created.was_cleared(3)
    anew = over.next_series()
    assert (anew.id, anew.since, anew.finished, anew.superseded_ids) == (None, None, False, ("1",))


@pytest.mark.parametrize(
    "record",
    [
        CreationRecord(),
        CreationRecord("1", True, "a", 1.5, None, 3, ("2", "3")),
        CreationRecord().with_request_sent("a", 100.0),
    ],
)
def test_it_survives_as_json(record):
    assert CreationRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize("stored", [None, [], "x", {}, {"id": "1"}])
def test_what_is_no_record(stored):
    assert CreationRecord.from_json(stored) is None


def test_a_record_of_another_version():
    stored = {
        "id": 7,
        "finished": False,
        "since": "x",
        "posted": True,
        "spent": {"a": 1},
        "max_tries": None,
        "new": 1,
    }
    assert CreationRecord.from_json(stored) == CreationRecord()
