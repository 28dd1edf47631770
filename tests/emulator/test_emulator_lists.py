"""Lists that do not say what one would like them to: section 9 of the contract, a to f."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.refusals import HttpRefusal
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.jobs import BatchApi

EVERY_API = list(BatchApi)


def listed(service: Service, api: BatchApi = BatchApi.PROCESS, field: str = "status") -> list[Any]:
    return [service.listed(job)[field] for job in service.in_order(api, "created", False)]


def single(service: Service, job: str, api: BatchApi = BatchApi.PROCESS) -> dict[str, Any]:
    return service.get(api, job)


@pytest.fixture
def lagging(service: Service) -> Service:
    """A service whose lists are a minute behind."""
    service.configure({"list_lag_seconds": 60})
    return service


@pytest.mark.parametrize("api", EVERY_API)
def test_a_new_job_is_listed_later(lagging: Service, api: BatchApi) -> None:
    job = str(lagging.create(api, sample_request(api))["id"])
    for seconds, expected in [(0, []), (59, []), (1, [job])]:
        lagging.clock.advance(seconds)
        assert listed(lagging, api, "id") == expected
        assert single(lagging, job, api)["id"] == job


@pytest.mark.parametrize("api", EVERY_API)
def test_a_list_shows_the_states_of_a_minute_ago(lagging: Service, api: BatchApi) -> None:
    job = lagging.add(api, Scenario(), age=3600)
    seen = []
    for _ in range(5):
        seen.append((single(lagging, job, api)["status"], *listed(lagging, api)))
        lagging.clock.advance(45)
    assert seen == [
        ("CREATED", "CREATED"),
        ("ANALYSING", "CREATED"),
        ("ANALYSIS_DONE", "ANALYSING"),
        ("PROCESSING", "ANALYSING"),
        ("PROCESSING", "PROCESSING"),
    ]


DONE_TO_IT = {
    "a start": (
        {"status": "ANALYSIS_DONE"},
        lambda service, job: service.act(BatchApi.PROCESS, job, "start"),
        ("userAction", "ANALYSE", "START"),
    ),
    "a stop": (
        {"status": "PROCESSING"},
        lambda service, job: service.act(BatchApi.PROCESS, job, "stop"),
        ("status", "PROCESSING", "STOPPED"),
    ),
    "an update": (
        {"status": "DONE", "description": "old"},
        lambda service, job: service.describe(BatchApi.PROCESS, job, {"description": "new"}),
        ("request", "old", "new"),
    ),
    "another scenario": (
        {"status": "DONE"},
        lambda service, job: service.jobs[job].meet(Scenario.parse(None, [{"status": "NEW"}]), service.now()),
        ("status", "DONE", "NEW"),
    ),
}


@pytest.mark.parametrize("deed", DONE_TO_IT)
def test_what_is_done_to_a_job_is_listed_later(lagging: Service, deed: str) -> None:
    given, do, (field, before, after) = DONE_TO_IT[deed]
    job = lagging.add(BatchApi.PROCESS, Scenario(), age=100, **given)
    lagging.clock.advance(100)
    do(lagging, job)
    for seconds, expected in [(0, before), (59, before), (1, after)]:
        lagging.clock.advance(seconds)
        [shown], [alone] = listed(lagging, field=field), [single(lagging, job)[field]]
        if field == "request":
            shown, alone = shown["description"], alone["description"]
        assert (shown, alone) == (expected, after)


def test_running_out_of_units_is_listed_later(lagging: Service) -> None:
    lagging.configure({"processing_units": 1100})
    lagging.add(BatchApi.PROCESS, Scenario(), status="PROCESSING", age=1000)
    # It stops after 246 s.
    for seconds, expected in [(270, "PROCESSING"), (30, "PROCESSING"), (10, "STOPPED")]:
        lagging.clock.advance(seconds)
        assert listed(lagging) == [expected]


def test_a_job_that_is_gone_is_listed_for_a_while(lagging: Service) -> None:
    removed = lagging.add(BatchApi.PROCESS, Scenario(), status="DONE", age=100)
    expired = lagging.add(
        BatchApi.PROCESS, Scenario.parse(None, [{"status": "DONE", "seconds": 5}, {"gone": True}]), age=99
    )
    lagging.clock.advance(5)
    lagging.remove(removed)
    for job in (removed, expired):
        with pytest.raises(HttpRefusal, match="404"):
            single(lagging, job)
    for seconds, expected in [(0, [removed, expired]), (59, [removed, expired]), (1, [])]:
        lagging.clock.advance(seconds)
        assert listed(lagging, field="id") == expected


def test_without_a_lag_a_list_says_what_the_jobs_say(service: Service) -> None:
    job = service.add(BatchApi.PROCESS, Scenario(), status="PROCESSING")
    for action in ("stop", None, "start"):
        if action:
            service.act(BatchApi.PROCESS, job, action)
        assert [service.listed(each) for each in service.in_order(BatchApi.PROCESS, "created", False)] == [
            single(service, job)
        ]
        service.clock.advance(1800)


@pytest.mark.parametrize("api", EVERY_API)
def test_other_peoples_jobs_fill_the_pages(emulator: Emulator, user: requests.Session, api: BatchApi) -> None:
    mine = emulator.add_job(api, age=60)
    theirs = emulator.add_foreign_jobs(api, 250)
    url, pages = f"{emulator.url}{api.path()}?sort=created:desc", []
    while url:
        page = user.get(url, timeout=60).json()
        pages.append([job["id"] for job in page["data"]])
        url = page["links"].get("next")
    assert [len(page) for page in pages] == [100, 100, 51]
    assert pages[-1][-1] == mine
    assert [job for page in pages for job in page][:-1] == theirs[::-1]
    [one] = {job["status"] for job in emulator.jobs() if job["id"] in theirs}
    assert one == "DONE"


def test_other_peoples_jobs_can_be_older_and_can_come_one_by_one(service: Service) -> None:
    service.add_foreign(BatchApi.PROCESS, 4, status="PROCESSING", age=10, every=10)
    for seconds, expected in [(0, 2), (9, 2), (1, 3), (10, 4), (1000, 4)]:
        service.clock.advance(seconds)
        assert len(listed(service)) == expected
    newest = service.jobs.all()[-1]
    assert (service.clock.now() - newest.created).total_seconds() == 1000
    assert newest.at(newest.created).percentage == 0, "its life began with it"


def test_a_job_that_appears_later_is_unknown_until_then(emulator: Emulator, user: requests.Session) -> None:
    job = emulator.add_job("process", age=-30)
    url = f"{emulator.url}/batch/v2/process/{job}"
    assert user.get(url, timeout=60).status_code == 404
    emulator.advance(30)
    assert user.get(url, timeout=60).json()["userAction"] == "START"


def test_jobs_that_appear_while_a_list_is_read_shift_its_pages(emulator: Emulator, user: requests.Session) -> None:
    emulator.configure(page_size=3, foreign_jobs_per_page=2)
    mine = [emulator.add_job("process", age=100 - number) for number in range(6)][::-1]
    seen: list[list[str]] = []
    url = f"{emulator.url}/batch/v2/process?sort=created:desc"
    while url and len(seen) < 10:
        page = user.get(url, timeout=60).json()
        seen.append([job["id"] for job in page["data"]])
        url = page["links"].get("next")
    assert seen[:2] == [mine[:3], mine[1:4]], "two are seen twice"
    assert [job for page in seen for job in page if job in mine][-1] == mine[-1]


def test_jobs_that_appear_while_a_list_is_read_come_last_in_the_usual_order(
    emulator: Emulator, user: requests.Session
) -> None:
    emulator.configure(foreign_jobs_per_page=1)
    url = f"{emulator.url}/batch/v2/process"
    assert [len(user.get(url, timeout=60).json()["data"]) for _ in range(3)] == [0, 1, 2]
    assert user.get(f"{emulator.url}/statistics/batch/v1", timeout=60).json()["data"] == [], "of the same API only"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"api": "proces"}, "proces"),
        ({"api": "process", "count": -1}, "from 0 to 100000, but was -1"),
        ({"api": "process", "number": 3}, "have no number; they have api, count, status, age, every"),
    ],
)
def test_foreign_jobs_that_make_no_sense(emulator: Emulator, wrong: dict[str, Any], complaint: str) -> None:
    answer = requests.post(f"{emulator.url}/_emulator/foreign-jobs", json=wrong, timeout=60)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]
    assert emulator.jobs() == []
