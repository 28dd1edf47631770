"""What the verdicts on many jobs come to together."""

from __future__ import annotations

import json
import uuid
from collections import UserList
from types import SimpleNamespace

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    Deadlines,
    GroupCounts,
    GroupVerdict,
    Outcome,
    Quorum,
    Verdict,
    evaluate_group,
    extract_ids,
    parse_request_ids,
)

API = BatchApi.PROCESS
DEADLINES = Deadlines(0.0, 7200.0)
STATUSES = {"done": "DONE", "failed": "FAILED", "stopped": "STOPPED", "canceled": "CANCELED"}
# A job by what became of the wait for it; "." was not looked at yet.
LETTERS = {
    "D": Outcome.DONE,
    "F": Outcome.FAILED,
    "S": Outcome.STOPPED,
    "N": Outcome.NOT_FOUND,
    "U": Outcome.UNAVAILABLE,
    "C": Outcome.INVALID_CREDENTIALS,
    "T": Outcome.TIMEOUT,
    "E": Outcome.EXECUTION_TIMEOUT,
    "W": Outcome.WAITING,
    ".": None,
}


def verdict(job_id, outcome, status=None, **payload):
    if outcome is None:
        return None
    status = status or STATUSES.get(outcome.value, "PROCESSING")
    job = BatchJob.from_payload(API, {"id": job_id, "status": status, **payload})
    return Verdict(outcome, API, job_id, f"{job_id} is {status}.", job=job)


def members(letters):
    return {
        f"{number}{letter}": verdict(f"{number}{letter}", LETTERS[letter]) for number, letter in enumerate(letters)
    }


WAITING, DONE, FAILED, GROUP = Outcome.WAITING, Outcome.DONE, Outcome.FAILED, Outcome.GROUP_FAILED
ALL, SLOW, ANY, TWO = ("all", True), ("all", False), ("any", True), (2, True)


@pytest.mark.parametrize(
    ("quorum", "jobs", "outcome"),
    [
        # All.
        (ALL, "DDD", DONE),
        (ALL, "DDW", WAITING),
        (ALL, "...", WAITING),
        (ALL, "DFW", FAILED),
        (ALL, "F..", FAILED),
        (ALL, "SWW", Outcome.STOPPED),
        (ALL, "FSW", GROUP),
        (ALL, "FFW", FAILED),
        (ALL, "UWW", Outcome.UNAVAILABLE),
        (ALL, "CCC", Outcome.INVALID_CREDENTIALS),
        (ALL, "UFW", GROUP),
        (ALL, "", DONE),
        # All, and the failure waits for the others.
        (SLOW, "DFW", WAITING),
        (SLOW, "DFD", FAILED),
        (SLOW, "FSD", GROUP),
        (SLOW, "FTD", FAILED),  # a failure that is known is no mere timeout: soft_fail must not skip it
        (SLOW, "UWW", WAITING),
        (SLOW, "", DONE),
        # Any.
        (ANY, "WWW", WAITING),
        (ANY, "FFW", WAITING),
        (ANY, "FDW", DONE),
        (ANY, "FFF", FAILED),
        (ANY, "FSN", GROUP),
        (ANY, "", GROUP),
        (("any", False), "FDW", DONE),
        # At least two.
        (TWO, "DWWW", WAITING),
        (TWO, "DDWW", DONE),
        (TWO, "DFFW", WAITING),
        (TWO, "DFFF", FAILED),
        (TWO, "FFFW", FAILED),
        ((2, False), "FFFW", FAILED),
        (TWO, "D", GROUP),
        ((1, True), "FFD", DONE),
        # Time is up for all at once, and each has its last look.
        (ALL, "DTT", Outcome.TIMEOUT),
        (ALL, "DTW", WAITING),
        (ALL, "DEE", Outcome.EXECUTION_TIMEOUT),
        (ALL, "DFT", FAILED),
        (ANY, "FTT", Outcome.TIMEOUT),
        (ANY, "TTD", DONE),
        (TWO, "DTF", Outcome.TIMEOUT),
        (TWO, "DTFF", Outcome.TIMEOUT),
        (TWO, "TFFF", FAILED),
    ],
)
def test_the_rule(quorum, jobs, outcome):
    found = evaluate_group(members(jobs), Quorum(*quorum), API, DEADLINES)
    assert found.outcome is outcome
    assert found.is_final == (outcome is not WAITING)
    assert found.is_timeout == (outcome in (Outcome.TIMEOUT, Outcome.EXECUTION_TIMEOUT))


@pytest.mark.parametrize("until", ["some", "", 0, -1, True, 1.5, None, "3"])
def test_a_quorum_that_makes_no_sense(until):
    with pytest.raises(ValueError, match="until must be"):
        Quorum(until)


def test_the_standing():
    standing = GroupCounts.of(members("DDFNUTW."))
    assert standing.as_text() == "2 of 8 done, 2 failed, 1 out of sight, 3 pending"
    assert standing.pending == ["4U", "5T", "6W", "7."]
    assert GroupCounts.of({}).as_text() == "0 of 0 done"


@pytest.mark.parametrize(
    ("quorum", "jobs", "kind", "job_id", "says"),
    [
        (
            ALL,
            "DSW",
            exceptions.BatchStopped,
            "1S",
            "jobs are done. The first job that ended badly:\n1S is STOPPED.",
        ),
        (
            ALL,
            "DSW",
            exceptions.BatchStopped,
            "1S",
            "What is pending was left alone",
        ),
        (SLOW, "DSF", exceptions.BatchGroupFailed, "1S", "The others:\nfailed 2F"),
        (ALL, "UUW", exceptions.ServiceUnavailable, "0U", "2 out of sight"),
        (
            TWO,
            "D",
            exceptions.BatchGroupFailed,
            None,
            "until=2 cannot be met: only 1 ids were given",
        ),
        (
            ALL,
            "DTT",
            exceptions.BatchTimeout,
            None,
            "TIMED OUT after 2 h (timeout): 1 of 3 done, 2 pending (Batch Process)",
        ),
        (ALL, "DEE", exceptions.BatchTimeout, None, "raise execution_timeout, or clear this task"),
    ],
)
def test_the_exception(quorum, jobs, kind, job_id, says):
    error = evaluate_group(members(jobs), Quorum(*quorum), API, DEADLINES).exception()
    assert type(error) is kind
    assert (error.job_id, error.api) == (job_id, "process")
    assert says in str(error)


def test_of_many_failures_the_message_names_ten():
    message = evaluate_group(members("F" * 50), Quorum("all", False), API, DEADLINES).message
    assert "failed 10F" in message
    assert "11F" not in message
    assert "39 more, which the log names" in message


def test_an_exception_says_why_the_job_was_stopped_after_the_event_too():
    stopped = {"a": verdict("a", Outcome.STOPPED, stoppedStatusReason="OUT_OF_PU"), "b": None}
    found = evaluate_group(stopped, Quorum(), API, DEADLINES)
    error = GroupVerdict.from_json(json.loads(json.dumps(found.to_json()))).exception()
    assert (type(error), error.reason, error.status) == (exceptions.BatchStopped, "OUT_OF_PU", "STOPPED")


def test_the_event_has_ids_and_statuses_alone():
    ids = [str(uuid.UUID(int=number)) for number in range(200)]
    large = {"completionPercentage": 100, "costPU": 1234.5, "tiles": ["x" * 100] * 100, "error": "y" * 500}
    found = evaluate_group({id_: verdict(id_, DONE, **large) for id_ in ids}, Quorum(), API, DEADLINES)
    event = json.dumps(found.to_json())
    assert len(event) < 200 * 70
    again = GroupVerdict.from_json(json.loads(event))
    assert again.standing.done == ids
    assert {each.job.raw_status for each in again.members.values()} == {"DONE"}


@pytest.mark.parametrize("jobs", ["DFW.", "DUT", "", "S"])
def test_the_event_tells_what_is_known(jobs):
    found = evaluate_group(members(jobs), Quorum(), API, DEADLINES)
    again = GroupVerdict.from_json(json.loads(json.dumps(found.to_json())))
    assert (again.outcome, again.message) == (found.outcome, found.message)
    assert again.standing == found.standing
    assert again.to_json() == found.to_json()


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        "done",
        {"outcome": "done", "api": "process", "message": ""},
        {"outcome": "odd", "api": "process", "message": "", "jobs": {}},
        {"outcome": "done", "api": "process", "message": "", "jobs": {"a": 1}},
        {"outcome": "done", "api": "process", "message": "", "jobs": {"a": ["done"]}},
    ],
)
def test_an_event_that_is_none(event):
    with pytest.raises(ValueError, match=r"verdict|Outcome"):
        GroupVerdict.from_json(event)


A, B = "6aa8765a-0000-4000-8000-00000000000a", "6aa8765a-0000-4000-8000-00000000000b"


@pytest.mark.parametrize(
    "given",
    [
        [A, B],
        (A, B),
        UserList([A, B]),  # a sequence, like the output of a mapped task
        {A, B},
        [{"id": A, "request": {"accessKey": "AKIA"}}, {"id": B}],
        [json.dumps({"id": A}), SimpleNamespace(request_id=B)],
        json.dumps([A, {"id": B, "request": {}}]),
        str([{"id": A, "request": {"overwrite": False}}, B]),
        f"  ['{A}', '{B}']\n",
        [A.upper(), uuid.UUID(B)],
        [A, B, A, A.upper()],
    ],
)
def test_ids_in_every_form(given):
    ids, repeated = parse_request_ids(given)
    assert ids == [A, B]
    assert repeated == (2 if isinstance(given, list) and len(given) == 4 else 0)
    assert "AKIA" not in str(extract_ids(given))


@pytest.mark.parametrize(("given", "ids"), [([], []), ("[]", []), (A, [A]), ({"id": A, "request": {}}, [A])])
def test_none_and_one(given, ids):
    assert parse_request_ids(given) == (ids, 0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([A, "no-uuid", B], "request_ids, number 2 of 3: request_id is 'no-uuid'"),
        ([A, None], "number 2 of 2: request_id is None (did the task that should give it return nothing?)"),
        ([[A]], "number 1 of 1"),
        (None, "no list: request_id is None"),
        (f"[{A}", "no list"),
        (5, "no list"),
    ],
)
def test_ids_that_are_none(given, says):
    with pytest.raises(exceptions.InvalidRequestId) as raised:
        parse_request_ids(given)
    assert says in str(raised.value)


def test_the_output_of_a_mapped_task_is_read_at_once():
    """Item by item, each would be a request to Airflow's API."""

    class Output(UserList):
        def __getitem__(self, key):
            assert isinstance(key, slice)
            return self.data[key]

        def __iter__(self):
            raise AssertionError("item by item")

    assert parse_request_ids(Output([A, B])) == ([A, B], 0)


def test_a_template_is_left_alone():
    for template in ("{{ params.ids }}", "[{{ params.ids }}]"):
        assert extract_ids(template) == template
