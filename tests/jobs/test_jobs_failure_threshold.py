"""Whether a job that is over brought what it should."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.exceptions import BatchIncomplete
from airflow_sentinelhub.jobs import BatchApi, BatchJob, known_statuses
from airflow_sentinelhub.jobs.failure_threshold import FailureCheck, FailureThreshold

ID = "0a1b2c3d-0000-4000-8000-000000000000"
GOOD = {BatchApi.PROCESS: "DONE", BatchApi.STATISTICAL: "DONE", BatchApi.PROCESS_V1: "PROCESSED"}
BAD = {BatchApi.PROCESS: "FATAL", BatchApi.STATISTICAL: "FAILED", BatchApi.PROCESS_V1: "FAILED"}
WHAT = {BatchApi.PROCESS: "features", BatchApi.STATISTICAL: "features", BatchApi.PROCESS_V1: "tiles"}
NO_DATA = {"name": "a", "error": "No data"}


def completeness(api=BatchApi.PROCESS, most=0, *, status="DONE", **arguments):
    job = BatchJob.from_payload(api, {"id": ID, "status": status})
    return FailureCheck(job, FailureThreshold.of(most), **arguments)


def counted(api, found, most=0, **arguments):
    """Take in tiles, given as how many of each status."""
    taken = completeness(api, most, **arguments)
    for status, number in found.items():
        for each in range(number):
            taken.add(status, {"id": each})
    return taken


def incomplete(taken):
    with pytest.raises(BatchIncomplete) as failure:
        taken.check()
    return failure.value


# How many may fail


@pytest.mark.parametrize(
    ("most", "total", "allowed"),
    [
        (0, 100, 0),
        (1, 100, 1),
        (3, 2, 3),
        (0.0, 100, 0),
        (0.01, 99, 0),
        (0.01, 100, 1),
        (0.01, 199, 1),
        (0.5, 3, 1),
        (0.999, 1000, 999),
        # As it is written, and not 28.999999999999996 or 57.99999999999999.
        (0.29, 100, 29),
        (0.58, 100, 58),
        (0.1, 0, 0),
    ],
)
def test_how_many_may_fail(most, total, allowed):
    assert FailureThreshold.of(most).of_all(total) == allowed


@pytest.mark.parametrize(
    "most", [-1, -0.1, 1.0, 1.5, 5.0, float("nan"), float("inf"), True, False, "0", "1%", [], None]
)
def test_no_number_and_no_ratio(most):
    with pytest.raises(ValueError, match=r"max_failed_tiles must be a whole number \(0 allows none\), a ratio"):
        FailureThreshold.of(most)


def test_the_message_shows_what_was_given():
    with pytest.raises(ValueError, match=r"it is '5%'"):
        FailureThreshold.of("5%")


# What counts


@pytest.mark.parametrize("api", BatchApi)
def test_only_success_is_success(api):
    for status in (*known_statuses(api), "UNKNOWN", "A NEW WORD"):
        taken = counted(api, {status: 1})
        assert (taken.total, taken.failed) == (1, 0 if status == GOOD[api] else 1), status


@pytest.mark.parametrize("api", BatchApi)
@pytest.mark.parametrize(
    ("most", "bad", "complete"),
    [
        (0, 0, True),
        (0, 1, False),
        (2, 2, True),
        (2, 3, False),
        (0.0, 1, False),
        (0.2, 2, True),
        (0.2, 3, False),
        (10, 10, True),
        (0.999, 10, False),
    ],
)
def test_at_the_limit(api, most, bad, complete):
    taken = counted(api, {GOOD[api]: 10 - bad, BAD[api]: bad}, most)
    if complete:
        taken.check()
        return
    error = incomplete(taken)
    assert (error.failed, error.total) == (bad, 10)
    assert (error.job_id, error.api, error.status) == (ID, api.value, "DONE")


def test_what_is_pending_at_the_end_did_not_come_out():
    assert incomplete(counted(BatchApi.PROCESS, {"DONE": 5, "PENDING": 2, "FATAL": 1}, 2)).failed == 3


def test_a_statistical_feature_of_which_intervals_failed_did_not_come_out():
    taken = completeness(BatchApi.STATISTICAL)
    taken.add("DONE", {"identifier": "a", "failed_intervals": []})
    taken.add("PARTIAL", {"identifier": "b", "failed_intervals": [{"error": "EXECUTION_ERROR"}]})
    error = incomplete(taken)
    assert (error.failed, error.total) == (1, 2)
    assert "1 PARTIAL: EXECUTION_ERROR (b)" in str(error)


@pytest.mark.parametrize("most", [0, 5, 0.5])
@pytest.mark.parametrize("api", BatchApi)
def test_nothing_at_all_is_never_enough(api, most):
    error = incomplete(completeness(api, most))
    assert (error.failed, error.total) == (0, 0)
    assert f"INCOMPLETE: DONE without any {WHAT[api]}" in str(error)


@pytest.mark.parametrize(("count_no_data", "failed"), [(False, 0), (True, 1)])
def test_no_data(count_no_data, failed):
    taken = completeness(count_no_data=count_no_data)
    taken.add("DONE", NO_DATA)
    taken.add("DONE", {"name": "b", "error": None})
    taken.add("DONE", {"name": "c", "error": "Something to know"})
    assert (taken.failed, taken.total) == (failed, 3)


def test_a_feature_that_failed_counts_whatever_its_error_says():
    taken = completeness()
    taken.add("FATAL", NO_DATA)
    assert taken.failed == 1


# What is said


@pytest.mark.parametrize(
    ("tile", "name"),
    [
        ({"id": 7, "name": "33TVM_1", "identifier": "x"}, "33TVM_1"),
        ({"id": 7, "name": None, "identifier": "field 3"}, "field 3"),
        ({"id": 7}, "7"),
    ],
)
def test_how_a_tile_is_named(tile, name):
    taken = completeness()
    taken.add("FATAL", tile)
    assert f"1 FATAL: no reason given ({name})" in str(incomplete(taken))


def test_the_message():
    taken = completeness(most=0.01, status="PARTIAL")
    for number in range(1200):
        taken.add("FATAL", {"name": f"t{number}", "error": "Out of\n memory"})
    for number in range(5):
        taken.add("FATAL", {"name": f"u{number}", "error": "Timeout"})
    taken.add("PENDING", {"name": "v"})
    assert str(incomplete(taken)) == (
        f"INCOMPLETE: 1,206 of 1,206 features missing, 12 may be (Batch Process {ID})\n"
        "Raise max_failed_tiles and clear this task, which (from Airflow 3.3 on) only counts again,\n"
        "or run what is missing with a request of its own.\n"
        "The commonest reasons:"
        "\n  1,200 FATAL: Out of memory (t0, t1, t2, t3, t4, ...)"
        "\n  5 FATAL: Timeout (u0, u1, u2, u3, u4)"
        "\n  1 PENDING: no reason given (v)"
    )


def test_only_the_commonest_reasons_are_listed():
    taken = completeness()
    for kind in range(12):
        for _ in range(20 - kind):
            taken.add("FATAL", {"name": "t", "error": f"Error {kind}"})
    lines = str(incomplete(taken)).splitlines()[4:]
    assert [line.split(":")[0].strip() for line in lines[:10]] == [f"{20 - kind} FATAL" for kind in range(10)]
    assert lines[10:] == ["  19 more, with 2 other errors"]


def test_reasons_that_all_differ_do_not_fill_the_memory():
    taken = completeness()
    for number in range(3000):
        taken.add("FATAL", {"name": f"t{number}", "error": f"Feature {number} failed"})
        taken.add("PENDING", {"name": f"p{number}", "error": f"Feature {number} waits"})
    assert len(taken._reasons) == len(taken._names) == 1002
    assert sum(map(len, taken._names.values())) <= 1002 * 5
    error = incomplete(taken)
    assert (error.failed, error.total) == (6000, 6000)
    assert "2,500 FATAL: (other errors) (t500, t501, t502, t503, t504, ...)" in str(error)
    assert "2,500 PENDING: (other errors) (p500," in str(error)


def test_a_reason_that_is_known_is_still_counted_when_the_list_is_full():
    taken = completeness()
    for number in range(1000):
        taken.add("FATAL", {"error": f"Error {number}"})
    taken.add("FATAL", {"error": "Error 0"})
    assert taken._reasons["FATAL", "Error 0"] == 2


def test_a_long_reason_is_cut():
    taken = completeness()
    taken.add("FATAL", {"name": "a", "error": "x" * 1000})
    [line] = str(incomplete(taken)).splitlines()[4:]
    assert line.endswith("xxx... (a)")
    assert len(line) < 330
