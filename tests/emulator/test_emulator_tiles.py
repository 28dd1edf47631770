"""Section 4.3 of the contract."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.jobs import BatchApi, TileStatus

V1 = BatchApi.PROCESS_V1


def add(
    service: Service, status: str | None = None, steps: list[dict[str, Any]] | None = None, **scenario: object
) -> str:
    return service.add(V1, Scenario.parse(scenario, steps), status=status)


def by_status(service: Service, job: str) -> dict[str, int]:
    return dict(Counter(str(tile["status"]) for tile in service.tiles(job)))


def test_there_are_no_tiles_before_the_analysis_but_their_number_is_known(service: Service) -> None:
    job = add(service)
    for seconds, expected in [(0, 0), (89, 0), (1, 12)]:
        service.clock.advance(seconds)
        assert len(service.tiles(job)) == expected
        assert service.get(V1, job)["tileCount"] == 12


@pytest.mark.parametrize(
    ("status", "scenario", "expected"),
    [
        ("ANALYSIS_DONE", {}, {"PENDING": 12}),
        ("PROCESSING", {}, {"PROCESSING": 1, "QUEUED": 1, "SCHEDULED": 1, "PENDING": 9}),
        ("DONE", {}, {"PROCESSED": 12}),
        ("DONE", {"tile_count": 250}, {"PROCESSED": 250}),
        ("DONE", {"tile_count": 0}, {}),
        ("PARTIAL", {}, {"FAILED": 1, "PROCESSED": 11}),
        ("PARTIAL", {"failed_tiles": 3}, {"FAILED": 3, "PROCESSED": 9}),
        ("FAILED", {}, {"FAILED": 12}),
        ("FAILED", {"fails_in_analysis": True}, {}),
    ],
)
def test_tiles_are_in_keeping_with_the_job(
    service: Service, status: str, scenario: dict[str, Any], expected: dict[str, int]
) -> None:
    assert by_status(service, add(service, status, **scenario)) == expected


def test_a_tile_goes_through_all_states_and_only_forward(service: Service) -> None:
    job = add(service, "ANALYSIS_DONE")
    service.act(V1, job, "start")
    seen: list[str] = []
    for _ in range(80):
        status = service.tiles(job)[6]["status"]
        seen += [status] if seen[-1:] != [status] else []
        service.clock.advance(10)
    assert seen == ["PENDING", "SCHEDULED", "QUEUED", "PROCESSING", "PROCESSED"]


def test_a_tile_that_gets_stuck_is_put_back_twice_before_it_fails(service: Service) -> None:
    job = add(service, "PROCESSING", tile_count=1, failed_tiles=1)
    seen: list[str] = []
    for _ in range(70):
        status = service.tiles(job)[0]["status"]
        seen += [status] if seen[-1:] != [status] else []
        service.clock.advance(10)
    assert seen == ["PROCESSING", "PENDING", "PROCESSING", "PENDING", "PROCESSING", "FAILED"]


def test_a_partial_restart_processes_only_what_failed(service: Service) -> None:
    job = add(service, failed_tiles=3)
    service.clock.advance(710)
    assert service.get(V1, job)["status"] == "PARTIAL"
    service.act(V1, job, "restartpartial")
    assert service.get(V1, job)["status"] == "PROCESSING"
    assert by_status(service, job)["PROCESSED"] == 9
    service.clock.advance(149)
    assert service.get(V1, job)["status"] == "PROCESSING"
    service.clock.advance(1)
    assert (service.get(V1, job)["status"], by_status(service, job)) == ("DONE", {"PROCESSED": 12})


def test_a_canceled_job_keeps_the_tiles_that_are_done(service: Service) -> None:
    job = add(service, "PROCESSING")
    service.clock.advance(300)
    service.act(V1, job, "cancel")
    assert by_status(service, job) == {"PROCESSED": 6, "PENDING": 6}


def test_a_step_can_say_what_the_tiles_are(service: Service) -> None:
    job = add(service, steps=[{"status": "PROCESSING", "tiles": {"PROCESSED": 2, "NEW_WORD": 1}}])
    assert by_status(service, job) == {"PROCESSED": 2, "NEW_WORD": 1}
    assert service.get(V1, job)["tileCount"] == 3


def test_a_tile_looks_like_the_documented_one(service: Service) -> None:
    job = add(service, "DONE")
    tile = service.tiles(job)[0]
    assert set(tile) == {"id", "requestId", "geometry", "origin", "status", "cost"}
    assert (tile["requestId"], tile["status"]) == (job, TileStatus.PROCESSED)
    assert tile["geometry"]["type"] == "Polygon"
    assert tile["origin"]["coordinates"] == tile["geometry"]["coordinates"][0][0]
