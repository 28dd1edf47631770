"""The comparison with the API reference must notice what it is there for, and leave alone what a test scripted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.response_recorder import RecordedResponse, observe
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi
from tests.harness.answer_recorder import Recorder, checks
from tests.harness.openapi_check import OpenApiCheck, own_check
from tests.harness.openapi_official import is_at_hand, official_check

PROCESS, STATISTICAL, V1 = "/batch/v2/process", "/statistics/batch/v1", "/api/v1/batch/process"
JSON = {"content-type": "application/json"}


# The official document only where it is at hand: without it, nothing of it is missing here.
DOCUMENTS = {"own": own_check} | ({"official": official_check} if is_at_hand() else {})


@pytest.fixture(scope="module", params=DOCUMENTS)
def check(request: pytest.FixtureRequest) -> OpenApiCheck:
    return DOCUMENTS[request.param]()


@pytest.fixture
def sent() -> Iterator[list[RecordedResponse]]:
    """What the emulator sends during a test."""
    answers: list[RecordedResponse] = []
    with observe(answers.append):
        yield answers


def answer(path: str, body: Any, status: int = 200, method: str = "GET", **more: Any) -> RecordedResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given: dict[str, Any] = {"headers": JSON if raw else {}, "scripted": False, "scripted_fields": frozenset()}
    return RecordedResponse(method=method, path=path, status=status, body=raw, **(given | more))


def error(status: int = 404, code: str = "COMMON_NOT_FOUND") -> dict[str, Any]:
    return {"error": {"status": status, "reason": "Because", "message": "So", "code": code}}


JOB = "/6aa8765a-0000-4000-8000-000000000000"
GOOD: list[RecordedResponse] = [
    answer(PROCESS + JOB, {"status": "DONE", "costPU": 1.5}),
    answer("/api/v2/batch/process" + JOB, {"status": "DONE"}),
    answer(STATISTICAL + JOB, {"status": "STOPPED", "stoppedStatusReason": "UNHEALTHY"}),
    answer("/api/v1/statistics/batch" + JOB + "/status", {"status": "PARTIAL", "costPu": 1}),
    answer(
        V1 + JOB, {"status": "CANCELED", "processRequest": sample_request(BatchApi.PROCESS_V1)["processRequest"]}
    ),
    answer(PROCESS, {"data": [{"status": "DONE"}], "links": {"next": "http://x/y", "nextToken": "1"}}),
    answer(PROCESS + JOB + "/start", b"", 204, "POST"),
    answer(PROCESS + JOB, error(), 404),
    answer(PROCESS, error(401, "COMMON_UNAUTHORIZED"), 401),
    answer(PROCESS, b"", 403),
    answer(PROCESS, error()["error"], 429),
    answer(STATISTICAL + JOB + "/stop", error(400), 400, "POST"),
    answer("/nowhere", error(), 404),
]
WRONG: list[tuple[RecordedResponse, str]] = [
    (answer(PROCESS + JOB, {"status": "PARTIAL"}), "'PARTIAL' is not one of"),
    (answer("/api/v2/batch/process" + JOB, {"status": "PARTIAL"}), "'PARTIAL' is not one of"),
    (answer(PROCESS + JOB, {"costPu": 1}), "'costPu' was unexpected"),
    (answer(STATISTICAL + JOB, {"costPU": 1}), "'costPU' was unexpected"),
    (answer(STATISTICAL + JOB + "/status", {"userAction": "START"}), "'userAction' was unexpected"),
    (answer(PROCESS + JOB, {"userAction": "CANCEL"}), "'CANCEL' is not one of"),
    (answer(PROCESS + JOB, {"id": "7"}), "is not a 'uuid'"),
    (answer(PROCESS + JOB, {"created": "2026-01-01 10:00"}), "is not a 'date-time'"),
    (answer(PROCESS + JOB, {"completionPercentage": "7"}), "is not of type 'number'"),
    (answer(PROCESS + JOB, {"error": None}), "is not of type 'string'"),
    (answer(PROCESS + JOB, {"request": {"input": {}}}), "required property"),
    (answer(PROCESS, {"data": [{"status": "DONE"}, {"status": "FINISHED"}]}), "$.data[1].status"),
    (answer(PROCESS, {"data": [], "links": {"next": "/y"}}), "is not a 'uri'"),
    (answer(PROCESS, {"data": [], "links": {"nextPage": "2"}}), "'nextPage' was unexpected"),
    (answer(PROCESS, {"data": [], "total": 3}), "'total' was unexpected"),
    (answer(PROCESS, [], 200), "is not of type 'object'"),
    (answer(V1 + JOB, {"status": "STOPPED", "processRequest": {}}), "'STOPPED' is not one of"),
    (answer(V1 + JOB, {"status": "DONE"}), "'processRequest' is a required property"),
    (answer("/batch/v2/tilinggrids/0", {"properties": {"unit": "FEET"}}), "'FEET' is not one of"),
    (answer(PROCESS + JOB + "/start", {}, 200, "POST"), "has only 204, 400, 401, 403, 404"),
    (answer(PROCESS + JOB + "/start", {}, 204, "POST"), "there should be no body"),
    (answer(PROCESS + JOB, error(code="COMMON_NEW"), 404), "'COMMON_NEW' is not one of"),
    (answer(PROCESS + JOB, error()["error"], 404), "'code', 'message', 'reason', 'status' were unexpected"),
    (answer(PROCESS, error(429), 429), "'error' was unexpected"),
    (answer(PROCESS, b"Internal Server Error", 500, headers={"content-type": "text/plain"}), "has only 200"),
    (answer(PROCESS, b"Forbidden", 403, headers={"content-type": "text/plain"}), "content type text/plain"),
    (answer(PROCESS, b"{"), "no JSON"),
    (answer(PROCESS, {}, 200, "DELETE"), "there is no DELETE /batch/v2/process"),
    (answer("/nowhere", {}), "there is no GET /nowhere"),
]


@pytest.mark.parametrize("good", GOOD, ids=lambda each: f"{each.method} {each.path} {each.status}")
def test_what_the_reference_describes_passes(check: OpenApiCheck, good: RecordedResponse) -> None:
    assert check.violations(good) == []


@pytest.mark.parametrize(("wrong", "complaint"), WRONG, ids=[complaint for _, complaint in WRONG])
def test_what_it_does_not_describe_is_noticed(
    check: OpenApiCheck, wrong: RecordedResponse, complaint: str
) -> None:
    found = check.violations(wrong)
    assert found
    assert all(each.startswith(f"{wrong.method} {wrong.path} gave {wrong.status}: ") for each in found)
    assert any(complaint in each for each in found), found


def test_what_was_found_good_once_is_not_taken_for_good_when_it_has_changed(check: OpenApiCheck) -> None:
    request = sample_request(BatchApi.PROCESS)
    assert check.violations(answer(PROCESS + JOB, {"request": request})) == []
    request["input"]["id"] = "zero"
    assert check.violations(answer(PROCESS + JOB, {"request": request}))


def test_no_observer_suffers_and_wrong_answers_are_kept_until_they_are_taken(check: OpenApiCheck) -> None:
    recorder = Recorder({"the document": check})
    for each in (GOOD[0], WRONG[0][0], answer("/auth/realms/main/protocol/openid-connect/token", {})):
        recorder(each)
    recorder(answer(PROCESS, {}, scripted=True))
    assert dict(recorder.counts) == {"checked": 2, "not described": 1, "scripted": 1}
    [wrong] = recorder.take()
    assert wrong.startswith(f"by the document: GET {PROCESS}{JOB} gave 200: ")
    assert recorder.take() == []


def test_answers_are_checked_from_the_project_alone() -> None:
    recorder = Recorder(checks())
    recorder(WRONG[0][0])
    assert "by the project's schemas" in recorder.take()[0]


SCRIPTED: dict[str, tuple[Callable[[Emulator], object], set[str]]] = {
    "nothing": (lambda hub: hub.add_job("process", status="PROCESSING", scenario={"end": "FAILED"}), set()),
    "a natural end": (lambda hub: (hub.add_job("process"), hub.advance(1000)), set()),
    "the user's stop": (
        lambda hub: hub.service.act(BatchApi.PROCESS, hub.add_job("process", status="PROCESSING"), "stop"),
        set(),
    ),
    "an end": (lambda hub: hub.add_job("process", status="PARTIAL"), {"status"}),
    "a new status": (lambda hub: hub.add_job("process", status="NEW"), {"status"}),
    "a new reason": (
        lambda hub: hub.add_job("process", status="STOPPED", scenario={"stopped_reason": "NEW"}),
        {"status", "stoppedStatusReason"},
    ),
    "a step": (lambda hub: hub.add_job("process", steps=[{"status": "NEW"}]), {"status"}),
    "a step with a null": (
        lambda hub: hub.add_job("process", steps=[{"status": "DONE", "completionPercentage": None, "error": 3}]),
        {"status", "completionPercentage", "error"},
    ),
    "a field less": (lambda hub: hub.add_job("process", steps=[{"status": "DONE", "remove": ["id"]}]), {"status"}),
    "an id": (lambda hub: hub.add_job("process", job_id="one"), {"id"}),
    "a request": (lambda hub: hub.add_job("process", request={"a": 1}), {"request"}),
    "the name of the cost": (
        lambda hub: (hub.configure(process_cost_key="costPu"), hub.add_job("process")),
        {"costPu"},
    ),
    "hidden fields": (lambda hub: (hub.configure(hidden_fields=["id"]), hub.add_job("process")), set()),
    "several jobs": (
        lambda hub: [hub.add_job("process", job_id="one"), hub.add_job("process", status="NEW")],
        {"id", "status"},
    ),
}


@pytest.mark.parametrize("what", SCRIPTED)
def test_the_emulator_says_which_fields_a_test_chose(
    emulator: Emulator, user: requests.Session, sent: list[RecordedResponse], what: str
) -> None:
    script, expected = SCRIPTED[what]
    script(emulator)
    user.get(emulator.url + PROCESS, timeout=60)
    assert (sent[-1].scripted_fields, sent[-1].scripted) == (expected, False)
    for job in emulator.jobs():
        if "id" in job:
            user.get(f"{emulator.url}{PROCESS}/{job['id']}", timeout=60)
            assert sent[-1].scripted_fields <= expected


@pytest.mark.parametrize(
    ("fault", "scripted"),
    [
        ({"status": 503}, [True]),
        ({"kind": "html"}, [True]),
        ({"kind": "truncated"}, [True]),
        ({"kind": "empty"}, [True]),
        ({"kind": "slow", "seconds": 0.001}, [False]),
        ({"kind": "drop"}, []),
        ({"kind": "cut"}, []),
    ],
)
def test_a_fault_is_scripted_unless_it_only_delays(
    emulator: Emulator,
    user: requests.Session,
    sent: list[RecordedResponse],
    fault: dict[str, Any],
    scripted: list[bool],
) -> None:
    emulator.fault(**fault)
    try:
        user.get(emulator.url + PROCESS, timeout=60)
    except requests.RequestException:
        assert scripted == []
    assert [each.scripted for each in sent] == scripted


def test_an_observer_sees_what_the_client_gets(
    emulator: Emulator, user: requests.Session, sent: list[RecordedResponse]
) -> None:
    got = user.post(emulator.url + PROCESS, json=sample_request(BatchApi.PROCESS), timeout=60)
    user.get(emulator.url + "/_emulator/jobs", timeout=60)
    [seen] = sent
    assert (seen.method, seen.path, seen.status, seen.body) == ("POST", PROCESS, 201, got.content)
    assert seen.headers["content-type"] == "application/json"


def test_an_update_of_a_scripted_request_is_scripted(
    emulator: Emulator, user: requests.Session, sent: list[RecordedResponse]
) -> None:
    job = emulator.add_job("process", status="CREATED", request={"a": 1})
    user.put(f"{emulator.url}{PROCESS}/{job}", json={"description": "new"}, timeout=60)
    assert sent[-1].scripted
    v1 = emulator.add_job("process_v1", request={"a": 1})
    user.get(f"{emulator.url}{V1}/{v1}", timeout=60)
    assert sent[-1].scripted
