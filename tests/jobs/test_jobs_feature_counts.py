"""Tiles by status, counted."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs import BatchApi, FeatureCounts, known_statuses
from airflow_sentinelhub.jobs.feature_counts import read_tile, status_word

KNOWN = {
    BatchApi.PROCESS: ("DONE", "FATAL", "PENDING"),
    BatchApi.STATISTICAL: ("DONE", "PARTIAL", "FAILED", "UNREADABLE"),
    BatchApi.PROCESS_V1: ("PENDING", "SCHEDULED", "QUEUED", "PROCESSING", "PROCESSED", "FAILED"),
}


def tally(*statuses, **arguments):
    made = FeatureCounts(BatchApi.PROCESS, **arguments)
    for number, status in enumerate(statuses):
        made.add(status, {"id": number})
    return made


@pytest.mark.parametrize("api", BatchApi)
def test_all_statuses_are_always_keys(api):
    assert known_statuses(api) == KNOWN[api]
    assert FeatureCounts(api).tiles == {status: [] for status in KNOWN[api]}
    assert FeatureCounts(api).counts() == dict.fromkeys(KNOWN[api], 0)


MIXED = ("DONE", "DONE", "FATAL", "DONE")


@pytest.mark.parametrize(
    ("found", "arguments", "ids", "counts"),
    [
        (MIXED, {}, ([0, 1, 3], [2]), {"DONE": 3, "FATAL": 1, "PENDING": 0}),
        (MIXED, {"limit": 2}, ([0, 1], [2]), {"DONE": 3, "FATAL": 1, "PENDING": 0, "truncated": True}),
        (MIXED, {"limit": 3}, ([0, 1, 3], [2]), {"DONE": 3, "FATAL": 1, "PENDING": 0, "truncated": False}),
        (MIXED, {"statuses": ["FATAL"]}, ([], [2]), {"FATAL": 1}),
        (MIXED, {"statuses": ["FATAL"], "limit": 1}, ([], [2]), {"FATAL": 1, "truncated": False}),
        (MIXED, {"keep": False}, ([], []), {"DONE": 3, "FATAL": 1, "PENDING": 0}),
    ],
)
def test_what_is_kept_and_counted(found, arguments, ids, counts):
    made = tally(*found, **arguments)
    kept = tuple([tile["id"] for tile in made.tiles[status]] for status in ("DONE", "FATAL"))
    assert (kept, made.counts()) == (ids, counts)
    assert made.tiles["PENDING"] == []


def test_a_new_status_becomes_a_key():
    made = tally("DONE", "NEW")
    assert made.tiles["NEW"] == [{"id": 1}]
    assert made.counts()["NEW"] == 1
    assert made.as_text() == "1 DONE, 1 NEW"
    assert FeatureCounts(BatchApi.PROCESS).as_text() == "none"


@pytest.mark.parametrize(
    ("value", "word"),
    [("DONE", "DONE"), (" done ", "DONE"), (None, "UNKNOWN"), ("", "UNKNOWN"), (7, "7"), ("New word", "NEW WORD")],
)
def test_status_words(value, word):
    assert status_word(value) == word
    assert read_tile({"id": 1, "status": value, "geometry": {}, "origin": {}})[0] == word


def test_errors_are_told_commonest_first():
    made = FeatureCounts(BatchApi.STATISTICAL)
    for number in range(3):
        made.add("FAILED", {"id": number, "error": "Out of\n memory"})
    twice = [{"error": "Timeout"}, {"error": "Timeout"}]
    made.add("PARTIAL", {"id": 4, "error": None, "failed_intervals": twice})
    made.add("DONE", {"id": 5, "error": "No data"})
    made.add("DONE", {"id": 6, "error": None, "failed_intervals": []})
    assert made.errors(9) == ["3 FAILED: Out of memory", "1 PARTIAL: Timeout", "1 DONE: No data"]
    assert made.errors(1) == ["3 FAILED: Out of memory", "2 more, with 2 other errors"]


def test_errors_do_not_fill_the_memory():
    made = FeatureCounts(BatchApi.PROCESS, keep=False)
    for number in range(5000):
        made.add("FATAL", {"error": f"Feature {number} failed"})
    assert made.errors(1)[0] == "4,000 FATAL: (other errors)"
    assert len(made._errors) <= 1001
