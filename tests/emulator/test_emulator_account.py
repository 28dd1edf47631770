"""What an account may do: processing units (sections 5.7 and 6.3 of the contract) and requests (3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.rate_limit import RateLimit
from airflow_sentinelhub.emulator.refusals import HttpRefusal
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.jobs import BatchApi

PROCESS, STATISTICAL, V1 = BatchApi.PROCESS, BatchApi.STATISTICAL, BatchApi.PROCESS_V1
NEWER_APIS = [PROCESS, STATISTICAL]


def add(service: Service, api: BatchApi = PROCESS, status: str | None = "PROCESSING", **scenario: Any) -> str:
    return service.add(api, Scenario.parse(scenario), status=status)


def state(service: Service, job: str) -> tuple[str, str | None, float]:
    shown = service.raw(service.jobs[job])[0]
    return shown["status"], shown.get("stoppedStatusReason"), shown["completionPercentage"]


ASKING: dict[str, Callable[[Service, BatchApi], object]] = {
    "create": lambda service, api: service.create(api, sample_request(api)),
    "analyse": lambda service, api: service.act(api, add(service, api, "CREATED"), "analyse"),
    "start": lambda service, api: service.act(api, add(service, api, "ANALYSIS_DONE"), "start"),
    "stop": lambda service, api: service.act(api, add(service, api, "PROCESSING"), api.spec.stop_action),
}


@pytest.mark.parametrize("action", ASKING)
@pytest.mark.parametrize(
    ("api", "settings", "refused"),
    [
        *((api, {}, None) for api in BatchApi),
        *((api, {"processing_units": 1000}, None) for api in BatchApi),
        *((api, {"processing_units": 999.9}, 403) for api in NEWER_APIS),
        *((api, {"processing_units": 0, "insufficient_units_status": 400}, 400) for api in NEWER_APIS),
        (V1, {"processing_units": 0}, None),
    ],
)
def test_who_is_short_of_units_cannot_begin_anything_but_can_stop(
    service: Service, api: BatchApi, settings: dict[str, Any], refused: int | None, action: str
) -> None:
    service.configure(settings)
    if refused is None or action == "stop":
        ASKING[action](service, api)
    else:
        with pytest.raises(HttpRefusal, match="too few processing units: at least 1000") as refusal:
            ASKING[action](service, api)
        assert refusal.value.status == refused


@pytest.mark.parametrize("api", NEWER_APIS)
@pytest.mark.parametrize("looks", [1, 7, 600])
def test_a_job_stops_when_it_has_used_the_units_up(service: Service, api: BatchApi, looks: int) -> None:
    service.configure({"processing_units": 1100})
    job = add(service, api, cost=250, processing_seconds=600)
    for _ in range(looks):
        service.clock.advance(600 / looks)
        service.get(api, job)
    # 100 of its 250 units are 40 %; it goes on in steps of 1 %, and below 1,000 nothing runs.
    assert state(service, job) == ("STOPPED", "OUT_OF_PU", 41)
    assert service.raw(service.jobs[job])[0]["userAction"] == "START"
    assert service.settings.processing_units == pytest.approx(1100 - 102.5)
    service.clock.advance(1e6)
    service.now()
    assert service.settings.processing_units == pytest.approx(1100 - 102.5)


def test_the_time_of_the_stop_does_not_depend_on_when_somebody_looks(service: Service) -> None:
    service.configure({"processing_units": 1100})
    job = add(service, cost=250, processing_seconds=600)
    began = service.clock.now()
    service.clock.advance(4000)
    stopped = service.jobs[job]
    service.now()
    assert (stopped.at(service.clock.now()).since - began).total_seconds() == pytest.approx(246, abs=0.01)


def test_all_that_runs_stops_at_once_and_what_comes_later_on_arrival(service: Service) -> None:
    service.configure({"processing_units": 1100})
    running = [add(service, api, cost=100, processing_seconds=100) for api in NEWER_APIS]
    queued = add(service, status=None)
    done = add(service, status="DONE")
    service.clock.advance(109)
    service.now()
    assert [state(service, job) for job in running] == [("STOPPED", "OUT_OF_PU", 51)] * 2
    assert state(service, queued)[0] == "ANALYSIS_DONE"
    service.clock.advance(1)
    assert state(service, queued) == ("STOPPED", "OUT_OF_PU", 0)
    assert state(service, done)[0] == "DONE"


@pytest.mark.parametrize("api", NEWER_APIS)
def test_it_goes_on_with_more_units_after_an_hour(service: Service, api: BatchApi) -> None:
    service.configure({"processing_units": 1100})
    job = add(service, api, cost=250, processing_seconds=600, end="FAILED", completion_percentage=90)
    service.clock.advance(700)
    assert state(service, job)[1] == "OUT_OF_PU"
    service.clock.advance(3600)
    with pytest.raises(HttpRefusal, match="processing units"):
        service.act(api, job, "start")
    service.configure({"processing_units": 5000})
    service.act(api, job, "start")
    service.clock.advance(20 + 600)
    assert state(service, job) == ("FAILED", None, 90), "its scenario was still ahead"


def test_the_restart_is_refused_for_an_hour(service: Service) -> None:
    service.configure({"processing_units": 1100})
    job = add(service)
    service.clock.advance(600)
    service.configure({"processing_units": 5000})
    with pytest.raises(HttpRefusal, match="60 minutes ago"):
        service.act(PROCESS, job, "start")


@pytest.mark.parametrize(
    ("api", "given"),
    [
        (V1, {"status": "PROCESSING"}),
        (PROCESS, {"scenario": {"steps": [{"status": "PROCESSING", "seconds": 600}, {"status": "DONE"}]}}),
    ],
)
def test_what_does_not_depend_on_the_units(service: Service, api: BatchApi, given: dict[str, Any]) -> None:
    service.configure({"processing_units": 1001})
    service.add(api, Scenario.parse(given.pop("scenario", None)), **given)
    service.clock.advance(300)
    [shown] = service.raw(*service.jobs.all())
    assert (shown["status"], service.settings.processing_units) == ("PROCESSING", 1001)


def test_the_refusal_and_the_balance_over_http(emulator: Emulator, user: requests.Session) -> None:
    emulator.configure(processing_units=2000)
    emulator.add_job("process", status="PROCESSING", scenario={"cost": 100})
    emulator.advance(600)
    assert emulator.settings()["processing_units"] == 1900
    emulator.configure(processing_units=10)
    answer = user.post(emulator.url + PROCESS.path(), json=sample_request(PROCESS), timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "COMMON_INSUFFICIENT_PERMISSIONS")
    emulator.configure(processing_units=None)
    assert user.post(emulator.url + PROCESS.path(), json=sample_request(PROCESS), timeout=60).status_code == 201


@pytest.mark.parametrize(
    ("asked_at", "waits"),
    [
        ([0.0] * 4, [None, None, None, 20_000]),
        ([0.0] * 3 + [5.0, 19.999, 20.0, 20.0], [None] * 3 + [15_000, 1, None, 20_000]),
        ([0.0] * 3 + [3600.0] * 4, [None] * 6 + [20_000]),
        ([0.0, 20.0, 40.0, 60.0, 80.0], [None] * 5),
    ],
)
def test_three_requests_a_minute(asked_at: list[float], waits: list[int | None]) -> None:
    now = [0.0]
    limit = RateLimit(lambda: now[0])
    seen = []
    for now[0] in asked_at:
        seen.append(limit.admit(3))
    assert seen == waits


def test_a_limit_can_be_lifted_and_set_anew() -> None:
    limit = RateLimit(lambda: 0.0)
    assert [limit.admit(1) is None for _ in range(2)] == [True, False]
    assert all(limit.admit(None) is None for _ in range(100))
    assert [limit.admit(2) is None for _ in range(3)] == [True, True, False]


def test_the_limit_is_the_accounts_whatever_the_api_and_the_token(
    emulator: Emulator, user: requests.Session
) -> None:
    job = emulator.add_job("statistical")
    paths = [PROCESS.path(), f"{STATISTICAL.path()}/{job}/status", "/batch/v2/tilinggrids", V1.path()]
    emulator.service.rate_limit = RateLimit(lambda: 0.0)  # no time passes
    emulator.configure(requests_per_minute=3)
    answers = [user.get(emulator.url + path, timeout=60) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json() == {
        "status": 429,
        "reason": "Too Many Requests",
        "message": "You have exceeded your rate limit",
        "code": "RATE_LIMIT_EXCEEDED",
    }
    assert refused.headers["Retry-After"] == "20000"
    form = {"grant_type": "client_credentials", "client_id": emulator.client_id}
    token = requests.post(emulator.auth_url, data=form | {"client_secret": emulator.client_secret}, timeout=60)
    assert token.status_code == 200, "tokens do not count"
    headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
    assert requests.get(emulator.url + paths[0], headers=headers, timeout=60).status_code == 429
    assert requests.get(emulator.url + paths[0], timeout=60).status_code == 401, "nobody's account"
    assert emulator.requests()["by_status"] == {"200": 4, "429": 2, "401": 1}
