"""Sections 4.4, 4.5, 5.4 and 6.3 of the contract."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.emulator.refusals import HttpRefusal
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.jobs import BatchApi

EVERY_API = list(BatchApi)
NEWER_APIS = [BatchApi.PROCESS, BatchApi.STATISTICAL]
V1 = BatchApi.PROCESS_V1


def created(service: Service, api: BatchApi, **scenario: object) -> str:
    service.next_scenario(Scenario.parse(scenario), api)
    return str(service.create(api, sample_request(api))["id"])


def in_state(service: Service, api: BatchApi, status: str, **scenario: object) -> str:
    return service.add(api, Scenario.parse(scenario), status=status)


def status(service: Service, api: BatchApi, job_id: str) -> str:
    return str(service.get(api, job_id)["status"])


@pytest.mark.parametrize("api", EVERY_API)
@pytest.mark.parametrize(
    ("action", "course"),
    [
        (None, [(0, "CREATED"), (100_000, "CREATED")]),
        (
            "analyse",
            [(0, "CREATED"), (29, "CREATED"), (1, "ANALYSING"), (60, "ANALYSIS_DONE"), (9e4, "ANALYSIS_DONE")],
        ),
        (
            "start",
            [
                (0, "CREATED"),
                (29, "CREATED"),
                (1, "ANALYSING"),
                (60, "ANALYSIS_DONE"),
                (20, "PROCESSING"),
                (599, "PROCESSING"),
                (1, "DONE"),
            ],
        ),
    ],
)
def test_a_job_goes_its_way(
    service: Service, api: BatchApi, action: str | None, course: list[tuple[float, str]]
) -> None:
    job = created(service, api)
    if action:
        service.act(api, job, action)
    for seconds, expected in course:
        service.clock.advance(seconds)
        assert status(service, api, job) == expected
        assert service.get(api, job)["userAction"] == (action or "none").upper()


@pytest.mark.parametrize("api", EVERY_API)
def test_an_analysed_job_goes_on_when_it_is_started(service: Service, api: BatchApi) -> None:
    job = created(service, api)
    service.act(api, job, "analyse")
    service.clock.advance(90)
    service.act(api, job, "start")
    assert status(service, api, job) == "ANALYSIS_DONE"
    service.clock.advance(20)
    assert status(service, api, job) == "PROCESSING"


@pytest.mark.parametrize(
    ("api", "state", "action", "allowed"),
    [
        (api, state, action, state in allowed)
        for api, table in {
            BatchApi.PROCESS: {
                "analyse": ["CREATED"],
                "start": ["CREATED", "ANALYSIS_DONE"],
                "stop": ["ANALYSING", "ANALYSIS_DONE", "PROCESSING"],
            },
            BatchApi.STATISTICAL: {
                "analyse": ["CREATED"],
                "start": ["CREATED", "ANALYSIS_DONE"],
                "stop": ["ANALYSING", "ANALYSIS_DONE", "PROCESSING"],
            },
            BatchApi.PROCESS_V1: {
                "analyse": ["CREATED"],
                "start": ["CREATED", "ANALYSIS_DONE"],
                "cancel": ["CREATED", "ANALYSING", "ANALYSIS_DONE", "PROCESSING"],
                "restartpartial": ["PARTIAL"],
            },
        }.items()
        for action, allowed in table.items()
        for state in [
            *("CREATED", "ANALYSING", "ANALYSIS_DONE", "PROCESSING", "DONE", "FAILED"),
            *(["PARTIAL", "CANCELED"] if api is V1 else ["STOPPED"]),
        ]
    ],
)
def test_which_action_is_legal_in_which_state(
    service: Service, api: BatchApi, state: str, action: str, allowed: bool
) -> None:
    job = in_state(service, api, state)
    before = service.get(api, job)
    if allowed:
        service.act(api, job, action)
    else:
        with pytest.raises(HttpRefusal) as refusal:
            service.act(api, job, action)
        assert refusal.value.status == 400
        assert service.get(api, job) == before


@pytest.mark.parametrize("api", EVERY_API)
def test_starting_or_analysing_twice_is_refused(service: Service, api: BatchApi) -> None:
    job = created(service, api)
    service.act(api, job, "start")
    for action in ("start", "analyse"):
        with pytest.raises(HttpRefusal, match="400"):
            service.act(api, job, action)


def test_the_text_of_a_refused_restart_is_the_one_that_was_seen(service: Service) -> None:
    job = in_state(service, V1, "DONE")
    with pytest.raises(HttpRefusal, match="Only requests with status PARTIAL can be restarted"):
        service.act(V1, job, "restartpartial")


@pytest.mark.parametrize("api", NEWER_APIS)
def test_a_stopped_job_keeps_what_it_has_and_resumes_there(service: Service, api: BatchApi) -> None:
    job = in_state(service, api, "PROCESSING")
    service.clock.advance(300)
    service.act(api, job, "stop")
    stopped = service.get(api, job)
    assert (stopped["status"], stopped["stoppedStatusReason"], stopped["userAction"]) == (
        "STOPPED",
        "USER_ACTION",
        "STOP",
    )
    service.clock.advance(1800)
    assert service.get(api, job)["completionPercentage"] == 50
    service.act(api, job, "start")
    assert status(service, api, job) == "ANALYSIS_DONE"
    service.clock.advance(20)
    assert service.get(api, job)["completionPercentage"] == 50
    assert "stoppedStatusReason" not in service.get(api, job)
    service.clock.advance(300)
    assert status(service, api, job) == "DONE"


@pytest.mark.parametrize("api", NEWER_APIS)
@pytest.mark.parametrize(("reason", "wait"), [("USER_ACTION", 1800), ("OUT_OF_PU", 3600), ("UNHEALTHY", 1800)])
def test_a_restart_is_refused_for_a_while(service: Service, api: BatchApi, reason: str, wait: int) -> None:
    job = in_state(service, api, "STOPPED", stopped_reason=reason)
    service.clock.advance(wait - 1)
    with pytest.raises(HttpRefusal, match="minutes ago"):
        service.act(api, job, "start")
    service.clock.advance(1)
    service.act(api, job, "start")
    service.clock.advance(20 + 600)
    assert status(service, api, job) == "DONE"


@pytest.mark.parametrize("api", EVERY_API)
def test_an_analysis_is_finished_before_a_stop_takes_effect(service: Service, api: BatchApi) -> None:
    job = created(service, api)
    service.act(api, job, "start")
    service.clock.advance(31)
    service.act(api, job, "cancel" if api is V1 else "stop")
    assert status(service, api, job) == "ANALYSING"
    service.clock.advance(58)
    assert status(service, api, job) == "ANALYSING"
    service.clock.advance(1)
    assert status(service, api, job) == ("CANCELED" if api is V1 else "STOPPED")


@pytest.mark.parametrize("api", EVERY_API)
def test_an_invalid_request_fails_in_its_analysis_and_not_before(service: Service, api: BatchApi) -> None:
    job = created(service, api, fails_in_analysis=True, error="Bad evalscript")
    service.act(api, job, "start")
    service.clock.advance(89)
    assert status(service, api, job) == "ANALYSING"
    service.clock.advance(1)
    failed = service.get(api, job)
    assert (failed["status"], failed["error"]) == ("FAILED", "Bad evalscript")
    assert "valueEstimate" not in failed


@pytest.mark.parametrize("api", NEWER_APIS)
def test_progress_and_cost_only_grow(service: Service, api: BatchApi) -> None:
    job = created(service, api)
    service.act(api, job, "start")
    key = service.settings.cost_key(api)
    seen = []
    for _ in range(200):
        service.clock.advance(4)
        shown = service.get(api, job)
        seen.append((shown["completionPercentage"], shown[key], shown.get("lastUpdated", "")))
    assert seen == sorted(seen)
    assert (seen[0][:2], seen[-1][:2]) == ((0, 0.0), (100, 250.0))
    assert len({percentage for percentage, *_ in seen}) > 90


@pytest.mark.parametrize("api", NEWER_APIS)
def test_last_updated_is_absent_at_first_and_still_while_nothing_changes(service: Service, api: BatchApi) -> None:
    job = created(service, api)
    assert "lastUpdated" not in service.get(api, job)
    service.act(api, job, "start")
    assert "lastUpdated" not in service.get(api, job)
    service.clock.advance(31)
    first = service.get(api, job)["lastUpdated"]
    service.clock.advance(10)
    assert service.get(api, job)["lastUpdated"] == first
    service.clock.advance(50)
    assert service.get(api, job)["lastUpdated"] > first


def test_asking_changes_nothing(service: Service) -> None:
    api = BatchApi.PROCESS
    asked, unasked = (in_state(service, api, "PROCESSING") for _ in range(2))
    for _ in range(100):
        service.clock.advance(3)
        service.get(api, asked)
    one, other = service.get(api, asked), service.get(api, unasked)
    assert {**one, "id": ""} == {**other, "id": ""}


@pytest.mark.parametrize(
    ("state", "days"), [("CREATED", 7), ("FAILED", 15), ("DONE", 30), ("STOPPED", 30), ("ANALYSIS_DONE", 30)]
)
def test_idle_statistical_jobs_vanish(service: Service, state: str, days: int) -> None:
    api = BatchApi.STATISTICAL
    job = in_state(service, api, state)
    service.clock.advance(days * 86_400 - 1)
    assert status(service, api, job) == state
    service.clock.advance(1)
    with pytest.raises(HttpRefusal, match="404"):
        service.get(api, job)
    assert service.in_order(api, "created", False) == []


@pytest.mark.parametrize("api", EVERY_API)
def test_a_new_job_can_be_unknown_for_a_moment(service: Service, api: BatchApi) -> None:
    service.settings.update({"not_found_seconds": 5})
    job = created(service, api)
    with pytest.raises(HttpRefusal, match="404"):
        service.act(api, job, "start")
    service.clock.advance(5)
    service.act(api, job, "start")


@pytest.mark.parametrize("api", [BatchApi.PROCESS, V1])
@pytest.mark.parametrize(
    ("state", "editable"), [("CREATED", True), ("ANALYSIS_DONE", True), ("PROCESSING", False), ("DONE", True)]
)
def test_a_description_can_be_changed_unless_the_job_is_busy(
    service: Service, api: BatchApi, state: str, editable: bool
) -> None:
    job = in_state(service, api, state)
    if editable:
        assert service.describe(api, job, {"description": "new"})["description"] == "new"
    else:
        with pytest.raises(HttpRefusal, match="409"):
            service.describe(api, job, {"description": "new"})


@pytest.mark.parametrize(
    ("state", "deletable"),
    [("CREATED", True), ("ANALYSING", False), ("ANALYSIS_DONE", True), ("PROCESSING", False), ("DONE", False)],
)
def test_v1_jobs_can_be_deleted_as_long_as_nothing_is_processed(
    service: Service, state: str, deletable: bool
) -> None:
    job = in_state(service, V1, state)
    if deletable:
        service.delete(V1, job)
        with pytest.raises(HttpRefusal, match="404"):
            service.get(V1, job)
    else:
        with pytest.raises(HttpRefusal, match="409"):
            service.delete(V1, job)
