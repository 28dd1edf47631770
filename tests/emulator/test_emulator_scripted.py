"""A job's life in one line, on a clock that goes on with every look."""

from __future__ import annotations

import sqlite3

import pytest

from airflow_sentinelhub.jobs import BatchApi


@pytest.fixture
def look(sentinelhub_emulator, user_of):
    """Ask for a job over HTTP, and give what the service says."""
    user = user_of(sentinelhub_emulator)

    def look(job):
        answer = user.get(f"{sentinelhub_emulator.url}{BatchApi(job.api).path()}/{job.id}")
        answer.raise_for_status()
        return answer.json()

    return look


@pytest.mark.parametrize(
    ("status", "seen"),
    [
        (["PROCESSING", "DONE"], ["PROCESSING", "DONE", "DONE"]),
        ("DONE", ["DONE", "DONE"]),
        (["CREATED", ("PROCESSING", 180), "FAILED"], ["CREATED", *3 * ["PROCESSING"], "FAILED", "FAILED"]),
        (["PARTIAL", "DONE"], ["PARTIAL", "DONE"]),
        (["PROCESSING"], 4 * ["PROCESSING"]),
        (None, ["PROCESSING", "DONE"]),
    ],
)
@pytest.mark.parametrize("api", BatchApi)
def test_a_status_for_each_look(sentinelhub_emulator, look, api, status, seen):
    job = sentinelhub_emulator.job(status=status, api=api)
    assert [look(job)["status"] for _ in seen] == seen


def test_time_passes_only_with_looks(sentinelhub_emulator, look):
    job = sentinelhub_emulator.job()
    assert [job.status for _ in range(3)] == 3 * ["PROCESSING"]
    assert sentinelhub_emulator.job(job.id) == job.payload
    look(job)
    assert job.status == "DONE"
    sentinelhub_emulator.configure(seconds_per_answer=0)
    another = sentinelhub_emulator.job()
    assert [look(another)["status"] for _ in range(3)] == 3 * ["PROCESSING"]


def test_it_passes_with_refusals_too(sentinelhub_emulator, user_of):
    job = sentinelhub_emulator.job()
    unknown = f"{sentinelhub_emulator.url}{BatchApi.PROCESS.path()}/00000000-0000-4000-8000-000000000000"
    assert user_of(sentinelhub_emulator).get(unknown).status_code == 404
    assert job.status == "DONE"


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (["CREATED"], "NONE"),
        (["CREATED", "ANALYSING"], "ANALYSE"),
        (["ANALYSIS_DONE"], "ANALYSE"),
        (["CREATED", "PROCESSING"], "START"),
        (["DONE"], "START"),
    ],
)
def test_what_its_user_asked_for(sentinelhub_emulator, status, action):
    assert sentinelhub_emulator.job(status=status).payload["userAction"] == action


def test_how_it_is_processed(sentinelhub_emulator, look):
    job = sentinelhub_emulator.job(status=["PROCESSING", ("PROCESSING", 180), "DONE"], cost=1000)
    assert [(each["completionPercentage"], each["costPU"]) for each in (look(job) for _ in range(5))] == [
        (0, 0.0),
        (25, 250.0),
        (50, 500.0),
        (75, 750.0),
        (100, 1000.0),
    ]


@pytest.mark.parametrize(
    ("reason", "action"), [("USER_ACTION", "STOP"), ("OUT_OF_PU", "START"), ("UNHEALTHY", "START")]
)
def test_a_stopped_job(sentinelhub_emulator, reason, action):
    shown = sentinelhub_emulator.job(status="STOPPED", stopped_reason=reason).payload
    assert (shown["stoppedStatusReason"], shown["userAction"]) == (reason, action)


def test_the_words_of_a_failed_job(sentinelhub_emulator):
    assert sentinelhub_emulator.job(status="FAILED", error="boom").payload["error"] == "boom"
    assert sentinelhub_emulator.job(status="FAILED").payload["error"]


def test_its_description(sentinelhub_emulator):
    assert sentinelhub_emulator.job(description="mine").payload["request"]["description"] == "mine"


@pytest.mark.parametrize(("failed", "end"), [(0, "DONE"), (3, "PARTIAL"), (12, "FAILED")])
def test_failed_tiles_of_v1(sentinelhub_emulator, look, failed, end):
    job = sentinelhub_emulator.job(api="process_v1", failed_tiles=failed)
    assert [look(job)["status"] for _ in range(2)] == ["PROCESSING", end]


def test_failed_tiles_are_in_the_results(sentinelhub_emulator, look):
    job = sentinelhub_emulator.job(status="DONE", tile_count=5, failed_tiles=2, tile_errors=["Timeout"])
    look(job)
    [database] = sentinelhub_emulator.results_folder.rglob("execution-*.sqlite")
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT status, error FROM features WHERE status = 'FATAL'").fetchall()
    connection.close()
    assert rows == 2 * [("FATAL", "Timeout")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"status": "PROCESING"}, "has no status 'PROCESING'; there are CREATED, .* add_job"),
        ({"status": "CANCELED"}, "A Batch Process job has no status 'CANCELED'"),
        ({"status": "STOPPED", "api": "process_v1"}, "A Batch Process v1 job has no status 'STOPPED'"),
        ({"status": [("PROCESSING", 0), "DONE"]}, "a number above 0"),
        ({"status": [("PROCESSING", "60"), "DONE"]}, "a number above 0"),
        ({"failed_tiles": 13}, "13 of 12 tiles cannot fail"),
        ({"api": "proces"}, "api must be one of 'process', .*'proces'"),
        ({"request": {"output": {"delivery": {"s3": {"url": "file:///elsewhere"}}}}}, "is outside of"),
    ],
)
def test_what_makes_no_sense(sentinelhub_emulator, arguments, says):
    with pytest.raises(ValueError, match=says):
        sentinelhub_emulator.job(**arguments)
    assert sentinelhub_emulator.jobs() == []
