"""What the monitor functions cost, and traps that have no row in the matrix (sentinelhub-api.md, section 7)."""

from __future__ import annotations

import logging

import pytest

from airflow_sentinelhub.jobs import BatchApi, WaitGoal
from tests.real_client.library import (
    CLIENTS,
    MONITORS,
    BatchProcessClient,
    SentinelHubBatch,
    configuration,
    monitor,
    on_time_of,
    sentinelhub,
)
from tests.real_client.situations import ANALYSING, DONE, LIFE, PROCESSING, QUEUED, READY
from tests.real_client.virtual_time import LibraryTime, StillWaiting

V1_TILES = "GET /api/v1/batch/process/{id}/tiles"
V1_JOB = "GET /api/v1/batch/process/{id}"


@pytest.fixture
def run(emulator, config):
    """Run a monitor function on a time of its own; give the pauses that it made."""

    def run(api, goal, job, **arguments):
        time = LibraryTime(emulator, rests_after=3600)
        with on_time_of(time):
            run.result = monitor(api, goal, job, config, **arguments)
        return time.pauses

    return run


@pytest.mark.parametrize(
    ("api", "pause", "requests"),
    [
        (BatchApi.PROCESS, 120, {"GET /api/v2/batch/process/{id}": 8}),
        (
            BatchApi.STATISTICAL,
            30,
            # Three before the first pause of the job: status, job, status (section 7, "Calls").
            {"GET /api/v1/statistics/batch/{id}/status": 16, "GET /api/v1/statistics/batch/{id}": 1},
        ),
        (BatchApi.PROCESS_V1, 120, {V1_JOB: 8, V1_TILES: 4}),
    ],
)
def test_intervals_and_requests(emulator, run, api, pause, requests):
    pauses = run(api, WaitGoal.COMPLETION, emulator.add_job(api, steps=[*LIFE, DONE]))
    assert pauses[:4] == [10] * 4, "in the analysis"
    assert set(pauses[4:]) == {pause}
    paths = emulator.requests()["by_path"]
    assert {path: count for path, count in paths.items() if "token" not in path} == requests


def test_every_look_at_a_v1_job_reads_all_its_tiles(emulator, config):
    """Section 7.1, "ANALYSIS_DONE, never started": 1 + tile pages calls per poll."""
    job = emulator.add_job("process_v1", status="ANALYSIS_DONE")
    emulator.configure(page_size=5)
    time = LibraryTime(emulator)
    with on_time_of(time), pytest.raises(StillWaiting):
        monitor(BatchApi.PROCESS_V1, WaitGoal.COMPLETION, job, config)
    paths, polls = time.asked_in_vain, time.pauses.count(120)
    # The counts begin between two pages of the first list, and may end between two others.
    assert paths[V1_JOB] == polls
    assert 3 * polls <= paths[V1_TILES] <= 3 * polls + 2


def test_v1_gives_old_tiles(emulator, run):
    """Trap 7: while it waits for the end of PROCESSING it does not look at the tiles any more."""
    busy = {"status": "PROCESSING", "seconds": 300, "tiles": {"PROCESSED": 11, "FAILED": 1}}
    job = emulator.add_job("process_v1", steps=[busy, {"status": "DONE", "tiles": {"PROCESSED": 12}}])
    run(BatchApi.PROCESS_V1, WaitGoal.COMPLETION, job)
    assert {status.value: len(tiles) for status, tiles in run.result.items()} == {"PROCESSED": 11, "FAILED": 1}


def test_v1_tells_the_status_to_the_log_only(emulator, run, caplog):
    """Trap 2."""
    job = emulator.add_job("process_v1", steps=[*LIFE, {"status": "FAILED"}])
    with caplog.at_level(logging.INFO, "sentinelhub.api.batch.utils"):
        run(BatchApi.PROCESS_V1, WaitGoal.COMPLETION, job)
    assert "Batch job finished with status FAILED" in caplog.messages
    assert "Batch job has a status CREATED, sleeping for 10 seconds" in caplog.messages


def test_progress_bars_go_to_stderr(emulator, run, capfd):
    """Trap 16."""
    run(BatchApi.PROCESS, WaitGoal.COMPLETION, emulator.add_job("process", steps=[*LIFE, DONE]))
    assert "Completion percentage" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("api", "goal", "arguments", "least"),
    [
        (BatchApi.PROCESS, WaitGoal.COMPLETION, {"sleep_time": 59}, "sleep_time>=60"),
        (BatchApi.PROCESS_V1, WaitGoal.COMPLETION, {"sleep_time": 59}, "sleep_time>=60"),
        (BatchApi.STATISTICAL, WaitGoal.COMPLETION, {"sleep_time": 14}, "sleep_time>=15"),
        *((api, WaitGoal.ANALYSIS, {"sleep_time": 4}, "analysis sleep time >=5") for api in BatchApi),
        *((api, WaitGoal.COMPLETION, {"analysis_sleep_time": 4}, "analysis sleep time >=5") for api in BatchApi),
    ],
)
def test_shortest_intervals(emulator, run, api, goal, arguments, least):
    with pytest.raises(ValueError, match=least):
        run(api, goal, "a job", **arguments)
    assert emulator.requests()["total"] == 0


@pytest.mark.parametrize("goal", WaitGoal)
@pytest.mark.parametrize("api", BatchApi)
@pytest.mark.parametrize("form", ["id", "payload", "object"])
def test_forms_of_a_job(emulator, config, run, api, goal, form):
    job = emulator.add_job(api, steps=[DONE])
    match form:
        case "payload":
            job = emulator.job(job)
        case "object":
            job = CLIENTS[api](config).get_request(job)
    run(api, goal, job)


def test_batch_process_takes_a_client_and_no_configuration(config):
    """Trap 15."""
    with pytest.raises(TypeError):
        MONITORS[BatchApi.PROCESS, WaitGoal.COMPLETION]("a job", config=config)


def test_a_null_breaks_the_library(emulator, run):
    """Section 5.2 and trap 14; missing fields are in the matrix."""
    job = emulator.add_job("process", steps=[{**PROCESSING, "seconds": 60, "completionPercentage": None}, DONE])
    with pytest.warns(RuntimeWarning, match="non-optional type completion_percentage"), pytest.raises(TypeError):
        run(BatchApi.PROCESS, WaitGoal.COMPLETION, job)


def test_the_library_reads_tile_statuses_of_the_wire(emulator, config):
    """Section 4.3: DONE, as the prose calls it, is no tile status."""
    job = emulator.add_job(
        "process_v1", steps=[QUEUED, ANALYSING, READY, {**PROCESSING, "tiles": {"DONE": 1}}, DONE]
    )
    emulator.advance(100)
    assert next(iter(SentinelHubBatch(config).iter_tiles(job)))["status"] == "DONE"
    with pytest.raises(ValueError, match="'DONE' is not a valid BatchTileStatus"):
        monitor(BatchApi.PROCESS_V1, WaitGoal.COMPLETION, job, config)


def test_a_slash_at_the_end_of_the_base_url(emulator):
    """Section 1.3: the service classes strip it."""
    job = emulator.add_job("process")
    client = BatchProcessClient(configuration(emulator, sh_base_url=emulator.url + "/"))
    assert client.get_request(job).request_id == job


def test_a_configuration_without_defaults_writes_a_file(home):
    """Section 1.3, and trap 13 of section 7.2."""
    sentinelhub.SHConfig(use_defaults=True)
    assert not list(home.iterdir())
    sentinelhub.SHConfig()
    assert (home / ".config" / "sentinelhub" / "config.toml").exists()


def test_the_old_token_url(emulator):
    """Section 1.3."""
    with pytest.warns(sentinelhub.exceptions.SHDeprecationWarning):
        config = configuration(emulator, sh_auth_base_url="https://old.example.org")
    assert config.sh_token_url == "https://old.example.org/oauth/token"
