"""What a result file of Batch Statistical comes to, as a table."""

from __future__ import annotations

import json

import pytest

from airflow_sentinelhub.jobs.feature_statistics import read_statistics, unreadable

INTERVALS = [
    {"from": f"2020-0{month}-01T00:00:00Z", "to": f"2020-0{month + 1}-01T00:00:00Z"} for month in (1, 2, 3)
]
GOOD = [{"interval": interval, "outputs": {"ndvi": {}}} for interval in INTERVALS]
BAD = [{"interval": interval, "error": {"type": "EXECUTION_ERROR"}} for interval in INTERVALS]
MIXED = [GOOD[0], BAD[1], GOOD[2]]


def file(data=None, status=None, **fields):
    response = {"data": data} | ({} if status is None else {"status": status})
    return {"id": 1, "identifier": "a", "response": response, **fields}


@pytest.mark.parametrize(
    ("content", "status", "failed"),
    [
        (file(GOOD), "DONE", 0),
        (file(GOOD, "OK"), "DONE", 0),
        (file([], "OK"), "DONE", 0),
        (file([]), "DONE", 0),
        (file(MIXED), "PARTIAL", 1),
        (file(MIXED, "PARTIAL"), "PARTIAL", 1),
        (file(MIXED, "OK"), "PARTIAL", 1),  # failures count, whatever the summary says
        (file(GOOD, "PARTIAL"), "PARTIAL", 0),
        (file(BAD), "FAILED", 3),
        (file(BAD, "OK"), "FAILED", 3),
        (file(MIXED, "FAILED"), "FAILED", 1),
        (file(None, "FAILED"), "FAILED", 0),  # sentinelhub-py's tests/TestInputs/batch_stat_failed_results.json
        (file(None), "FAILED", 0),
        (file(GOOD, "failed"), "FAILED", 0),
        (file(GOOD, "SKIPPED"), "SKIPPED", 0),  # a word that the service may invent
        (file(GOOD, error={"type": "EXECUTION_ERROR"}), "FAILED", 0),
        ({"id": 4, "identifier": "d", "error": {"type": "EXECUTION_ERROR"}}, "FAILED", 0),
        ({"id": 4}, "UNREADABLE", 0),
        ({"id": 4, "response": "what"}, "UNREADABLE", 0),
        ([], "UNREADABLE", 0),
        (None, "UNREADABLE", 0),
        (file(["what", None]), "DONE", 0),
    ],
)
def test_status(content, status, failed):
    found, record = read_statistics(content)
    assert (found, len(record["failed_intervals"])) == (status, failed)
    assert set(record) == {"id", "identifier", "error", "intervals", "failed_intervals"}
    assert json.loads(json.dumps([found, record])) == [found, record]


def test_what_is_told_of_a_failed_interval():
    _, record = read_statistics(file(MIXED))
    assert record == {
        "id": 1,
        "identifier": "a",
        "error": None,
        "intervals": 3,
        "failed_intervals": [{**INTERVALS[1], "error": "EXECUTION_ERROR"}],
    }


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"type": "EXECUTION_ERROR"}, "EXECUTION_ERROR"),
        ({"type": "EXECUTION_ERROR", "message": "Boom"}, "EXECUTION_ERROR: Boom"),
        ({"message": "Boom"}, "Boom"),
        ({}, "an error without a word"),
        ("Boom", "Boom"),
    ],
)
def test_errors_as_words(error, words):
    assert read_statistics({"id": 1, "error": error})[1]["error"] == words


def test_a_failed_feature_has_the_error_that_all_its_intervals_have():
    assert read_statistics(file(BAD, "FAILED"))[1]["error"] == "EXECUTION_ERROR"


def test_the_name_of_the_file_tells_what_its_content_does_not():
    assert read_statistics({"error": "Boom"}, feature_id=7, identifier="g")[1]["id"] == 7
    assert read_statistics({"id": 1, "identifier": "a", "error": "Boom"}, feature_id=7)[1]["id"] == 1
    status, record = unreadable("it is no JSON", feature_id=7, identifier="g")
    assert (status, record["id"], record["identifier"], record["error"]) == ("UNREADABLE", 7, "g", "it is no JSON")
