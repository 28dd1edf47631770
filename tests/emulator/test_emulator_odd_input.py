"""Odd input is refused where it enters, and harms nothing that comes later."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_sentinelhub.emulator import Emulator, EmulatorControl, ServiceClock, limits
from airflow_sentinelhub.emulator.emulated_job import EmulatedJob
from airflow_sentinelhub.emulator.object_store import Folder
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.jobs import BatchApi
from tests.harness.answer_recorder import Recorder

JSON = {"Content-Type": "application/json"}


def lists_work(emulator: Emulator, user: requests.Session) -> bool:
    answers = [user.get(f"{emulator.url}{api.path()}?sort=status", timeout=60) for api in BatchApi]
    return [each.status_code for each in answers] == [200, 200, 200] and isinstance(emulator.jobs(), list)


def refused(answer: requests.Response, status: int = 400) -> bool:
    error = answer.json()["error"]
    return answer.status_code == status == error["status"] and bool(error["message"])


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


ODD_VALUES = {
    "too large a number": "1e400",
    "a large negative number": "-1e400",
    "no number": "NaN",
    "infinity": "-Infinity",
    "more than 64 bits": "18446744073709551616",
    "5,000 digits": "9" * 5000,
    "half a surrogate pair": r'"cut \ud83d"',
    "half a surrogate pair as a name": r'{"\udc00": 1}',
    "101 levels": nested(101),
    "990 levels": nested(990),
    "100,000 levels": nested(100_000),
}


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
@pytest.mark.parametrize("api", BatchApi)
def test_json_that_no_service_could_store_is_refused(
    emulator: Emulator, user: requests.Session, api: BatchApi, value: str
) -> None:
    request = json.dumps(sample_request(api) | {"odd": "@"})
    for body in (
        request.replace('"@"', value),
        request.replace("8.44", value).replace('"2019-04-01T00:00:00Z"', value),
        f'{{"description": {value}}}',
        value,
    ):
        assert refused(user.post(emulator.url + api.path(), data=body.encode(), headers=JSON, timeout=60))
    assert emulator.jobs() == []
    assert lists_work(emulator, user)


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
@pytest.mark.parametrize("api", [BatchApi.PROCESS, BatchApi.PROCESS_V1])
def test_neither_is_it_in_an_update(emulator: Emulator, user: requests.Session, api: BatchApi, value: str) -> None:
    job = emulator.add_job(api, status="CREATED")
    before = emulator.job(job)
    body = f'{{"description": {value}}}'
    assert refused(user.put(f"{emulator.url}{api.path()}/{job}", data=body.encode(), headers=JSON, timeout=60))
    assert emulator.job(job) == before
    assert lists_work(emulator, user)


@pytest.mark.parametrize("body", [b"\xff\xfe", b'"\xed\xa0\x80"', b"{", b"\x00", b'{"a": 1}}', b"", b"null"])
def test_what_is_no_json_is_refused(emulator: Emulator, user: requests.Session, body: bytes) -> None:
    for api in BatchApi:
        assert refused(user.post(emulator.url + api.path(), data=body, headers=JSON, timeout=60))


def test_one_hundred_levels_and_any_whole_number_of_64_bits_are_taken(
    emulator: Emulator, user: requests.Session
) -> None:
    fine = {"odd": json.loads(nested(99)), "large": 2**63 - 1, "small": -(2**63), "text": "\U0001f600 \x00"}
    body = sample_request(BatchApi.PROCESS) | fine
    made = user.post(emulator.url + BatchApi.PROCESS.path(), json=body, timeout=60)
    assert made.status_code == 201
    assert {name: made.json()["request"][name] for name in fine} == fine


CHANGES: dict[str, tuple[BatchApi, dict[str, Any]]] = {
    "v1 output is a list": (BatchApi.PROCESS_V1, {"output": [1]}),
    "v1 output is a text": (BatchApi.PROCESS_V1, {"output": "s3://x"}),
    "v1 bucket is a number": (BatchApi.PROCESS_V1, {"bucketName": 5}),
    "v1 zarr is a number": (BatchApi.PROCESS_V1, {"zarrOutput": 5}),
    "v1 grid is a list": (BatchApi.PROCESS_V1, {"tilingGrid": [1]}),
    "v1 grid is true": (BatchApi.PROCESS_V1, {"tilingGrid": {"id": True, "resolution": 10.0}}),
    "v1 request is a list": (BatchApi.PROCESS_V1, {"processRequest": []}),
    "v1 evalscript is a number": (BatchApi.PROCESS_V1, {"processRequest": {"input": {}, "evalscript": 1}}),
    "v1 input is a text": (BatchApi.PROCESS_V1, {"processRequest": {"input": "x", "evalscript": "x"}}),
    "input is a list": (BatchApi.PROCESS, {"input": [1]}),
    "input type is a list": (BatchApi.PROCESS, {"input": {"type": [1]}}),
    "output is a number": (BatchApi.PROCESS, {"output": 1}),
    "output type is an object": (
        BatchApi.PROCESS,
        {"output": {"type": {}, "delivery": {"s3": {"url": "s3://x"}}}},
    ),
    "delivery is a text": (BatchApi.PROCESS, {"output": {"type": "raster", "delivery": "s3://x"}}),
    "url is a number": (BatchApi.PROCESS, {"output": {"type": "raster", "delivery": {"s3": {"url": 1}}}}),
    "resolution is true": (BatchApi.PROCESS, {"input": {"type": "tiling-grid", "id": 0, "resolution": True}}),
    "description is a list": (BatchApi.PROCESS, {"description": ["x"]}),
    "aggregation is a list": (BatchApi.STATISTICAL, {"aggregation": []}),
    "features are a number": (BatchApi.STATISTICAL, {"input": {"features": 1, "data": []}}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_field_of_the_wrong_kind_is_refused(emulator: Emulator, user: requests.Session, change: str) -> None:
    api, fields = CHANGES[change]
    assert refused(user.post(emulator.url + api.path(), json=sample_request(api) | fields, timeout=60))
    assert lists_work(emulator, user)


def test_a_v1_request_cannot_say_what_the_service_says(emulator: Emulator, user: requests.Session) -> None:
    asked = sample_request(BatchApi.PROCESS_V1) | {"id": "mine", "error": "x", "status": "DONE", "created": 1}
    made = user.post(emulator.url + BatchApi.PROCESS_V1.path(), json=asked, timeout=60).json()
    assert (made["status"], "error" in made) == ("CREATED", False)
    assert emulator.job(made["id"])["id"] == made["id"]


def test_a_box_at_the_end_of_the_world_has_tiles(emulator: Emulator, user: requests.Session) -> None:
    asked = sample_request(BatchApi.PROCESS_V1)
    asked["processRequest"]["input"]["bounds"] = {"bbox": [-1.7e308, -1.7e308, 1.7e308, 1.7e308]}
    job = user.post(emulator.url + BatchApi.PROCESS_V1.path(), json=asked, timeout=60).json()["id"]
    emulator.set_scenario(job, steps=[{"status": "DONE"}])
    tiles = user.get(f"{emulator.url}{BatchApi.PROCESS_V1.path()}/{job}/tiles", timeout=60)
    assert len(json.loads(tiles.content, parse_constant=pytest.fail)["data"]) == 12


@pytest.mark.parametrize("declared", [limits.LONGEST_BODY + 1, 10**12])
@pytest.mark.parametrize("path", ["/batch/v2/process", "/auth/realms/main/protocol/openid-connect/token"])
def test_a_body_has_a_longest_length(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, user: requests.Session, path: str, declared: int
) -> None:
    monkeypatch.setattr(limits, "LONGEST_BODY", 1000)
    assert refused(user.post(emulator.url + path, data=b"x" * 1001, headers=JSON, timeout=60), 413)
    answer = requests.post(f"{emulator.url}/_emulator/jobs", data=b" " * 1001, headers=JSON, timeout=60)
    assert (answer.status_code, set(answer.json())) == (413, {"error"})
    assert lists_work(emulator, user)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/batch/v2/process?count=" + "9" * 5000,
            "/batch/v2/process?viewtoken=-1",
            "/batch/v2/process?count=1e3",
        ),
        *("/batch/v2/process?sort=%00", "/batch/v2/process?count=NaN", "/batch/v2/process?viewtoken=%ff"),
        *("/batch/v2/tilinggrids/" + "9" * 5000, "/batch/v2/tilinggrids/%C2%B2", "/api/v1/batch/tilinggrids/-1"),
    ],
)
def test_an_odd_query_is_refused(emulator: Emulator, user: requests.Session, path: str) -> None:
    assert refused(user.get(emulator.url + path, timeout=60))


@pytest.mark.parametrize(
    "path", ["/batch/v2/process/%00", "/batch/v2/process/%ff%fe", "/batch/v2/process/..%2f", "/%"]
)
def test_an_odd_address_is_not_found(emulator: Emulator, user: requests.Session, path: str) -> None:
    assert refused(user.get(f"{emulator.url}/batch/v2{path}", timeout=60), 404)


HUGE = [1e308, -1e308, math.nan, math.inf, 10**400, True, "7", [7], {}]
IDS = ["../x", "..", ".", "a/b", "a\\b", "a\0b", "a\nb", "a b", "%2e%2e", "", "x" * 129, "\ud800", "é", "?", "#"]

REFUSED: dict[str, tuple[str, str, list[Any]]] = {
    "clock speed": ("POST", "/clock", [{"speed": each} for each in [*HUGE, -1, None]]),
    "clock jump": ("POST", "/clock", [{"advance": each} for each in [*HUGE, -1, None]]),
    "an id": ("POST", "/jobs", [{"api": "process", "job_id": each} for each in [*IDS, 7, ["x"]]]),
    "an age": ("POST", "/jobs", [{"api": "process", "age": each} for each in HUGE]),
    "kinds": (
        "POST",
        "/jobs",
        [
            {"api": "process", name: value}
            for name in ("status", "request", "description", "scenario", "steps", "user_action")
            for value in (7, [7], True)
        ],
    ),
    "an api": ("POST", "/jobs", [{"api": each} for each in (None, 7, [], {}, "proces")]),
    "foreign jobs": (
        "POST",
        "/foreign-jobs",
        [
            *({"api": "process", name: each} for name in ("count", "age", "every") for each in [*HUGE, 1e10]),
            {"api": "process", "count": 100_000, "every": 1e9},
            {"api": "process", "status": 7},
        ],
    ),
    "lengths and amounts of a scenario": (
        "PUT",
        "/scenario",
        [
            {name: each}
            for name in (
                *(
                    "queued_seconds",
                    "analysis_seconds",
                    "ready_seconds",
                    "processing_seconds",
                    "cost",
                    "tile_count",
                ),
                *("failed_tiles", "no_data_tiles", "partial_tiles", "completion_percentage"),
            )
            for each in [*HUGE, -1]
        ],
    ),
    "kinds in a scenario": (
        "PUT",
        "/scenario",
        [
            *(
                {"tile_count": 2.5},
                {"tile_count": 700_001},
                {"end": {}},
                {"end": []},
                {"error": 7},
                {"error": ["x"]},
            ),
            *({"stopped_reason": None}, {"stopped_reason": {}}, {"fails_in_analysis": "no"}, {"then": 7}),
            *({"tile_errors": ["\ud800"]}, {"tile_errors": 7}, {"steps": {}}, {"steps": [7]}, {"then": None}),
        ],
    ),
    "steps": (
        "POST",
        "/next-scenario",
        [
            {"steps": [{"status": "PROCESSING"} | each]}
            for each in [
                *({"seconds": each} for each in HUGE),
                *({"cost": each} for each in HUGE),
                *({"completionPercentage": each} for each in (1e308, math.nan, 10**400, True, [1], [1, math.inf])),
                *(
                    {"tiles": each}
                    for each in ({"DONE": "x"}, {"DONE": -1}, {"DONE": 10**12}, {"DONE": 1.5}, [1], 7)
                ),
                *({"remove": each} for each in ("id", [["id"]], [1], 7)),
                *({"gone": "no"}, {"status": 7}),
            ]
        ],
    ),
    "steps of more than a century": (
        "POST",
        "/next-scenario",
        [{"steps": [*[{"status": "A", "seconds": 3e9}] * 2, {"status": "B"}]}],
    ),
    "faults": (
        "POST",
        "/faults",
        [
            *({name: each} for name in ("after", "times", "status") for each in HUGE),
            *({"seconds": each} for each in [*HUGE, -1, None]),
            *({"times": 0}, {"times": -1}, {"after": -1}, {"status": 99}, {"status": 101}, {"status": 1000}),
            *({"method": 5}, {"path": 5}, {"path": "("}, {"api": 5}, {"api": "nowhere"}, {"message": 5}),
            *({"retry_after": each} for each in ("1\r\nX: y", "\ud800", "é", [1], True)),
            *({"kind": "redirect", "location": each} for each in ("http://x\r\nX: y", 5, "é")),
            *({"carried_out": "no"}, {"shape": []}, {"kind": []}, {"kind": "cut", "status": 204}, {"hits": 1}),
        ],
    ),
    "numbers in settings": (
        "PATCH",
        "/settings",
        [
            {name: each}
            for name in (
                *("main_token_seconds", "cdse_token_seconds", "invalid_client_status", "page_size"),
                *("not_found_seconds", "restart_seconds", "out_of_pu_restart_seconds", "list_lag_seconds"),
                *("foreign_jobs_per_page", "processing_units", "insufficient_units_status"),
                *("requests_per_minute", "answer_seconds", "seconds_per_answer"),
            )
            for each in [*HUGE, -1]
        ],
    ),
    "words in settings": (
        "PATCH",
        "/settings",
        [
            *({name: each} for name in ("default_sort", "links_layout") for each in ("x", 7, None, [])),
            *({name: 7} for name in ("client_id", "client_secret", "process_cost_key", "statistical_cost_key")),
            *({"hidden_fields": [7]}, {"hidden_fields": [["id"]]}, {"hidden_fields": "id"}, {"retention": 1}),
            *({"invalid_client_status": 200}, {"insufficient_units_status": 399}, {"": 1}, {"\ud800": 1}),
        ],
    ),
    "the number of a fault": ("DELETE", "/faults/x", [{}]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_control_interface_refuses_what_makes_no_sense(
    emulator: Emulator, user: requests.Session, what: str
) -> None:
    method, path, bodies = REFUSED[what]
    obeyed = []
    before = emulator.settings(), emulator.service.clock.speed, emulator.service.default_scenario
    for body in bodies:
        sent = json.dumps(body).encode()
        answer = requests.request(method, f"{emulator.url}/_emulator{path}", data=sent, headers=JSON, timeout=60)
        if answer.status_code != 400 or set(answer.json()) != {"error"} or len(answer.content) > 2000:
            obeyed.append((body, answer.status_code, answer.text[:200]))
        with pytest.raises(ValueError, match=r"\S"):
            emulator._call(method, path, body)
    assert obeyed == []
    assert (emulator.settings(), emulator.service.clock.speed, emulator.service.default_scenario) == before
    assert (emulator.jobs(), emulator.faults()) == ([], [])
    assert lists_work(emulator, user)


@pytest.mark.parametrize("name", ["../jobs", "a/b", "a b", "\0", "é", "\ud800", "?", "%2f"])
@pytest.mark.parametrize("over_http", [True, False])
def test_a_name_that_no_job_has_is_not_found(emulator: Emulator, name: str, over_http: bool) -> None:
    control = EmulatorControl(emulator.url) if over_http else emulator
    for ask in (control.job, control.remove_job, control.set_scenario):
        with pytest.raises(ValueError, match="No such thing"):
            ask(name)


@pytest.mark.parametrize("speed", [*(each for each in HUGE if not isinstance(each, str | list | dict)), -1])
def test_a_clock_refuses_what_it_cannot_run_at(speed: Any) -> None:
    with pytest.raises(ValueError, match="speed of the service clock"):
        ServiceClock(speed)


@pytest.fixture
def in_the_future() -> Iterator[Emulator]:
    """An emulator of its own: what was advanced stays so, for all tests to come."""
    with Emulator(speed=0) as emulator:
        yield emulator


def test_the_clock_stops_before_the_end_of_the_calendar(
    in_the_future: Emulator, user_of: Callable[[Emulator], requests.Session]
) -> None:
    emulator, user = in_the_future, user_of(in_the_future)
    for api in BatchApi:
        emulator.add_job(api, scenario={"queued_seconds": limits.CENTURY, "processing_seconds": limits.CENTURY})
        emulator.add_job(api, age=-limits.CENTURY)
        emulator.add_job(api, age=limits.CENTURY)
    emulator.configure(seconds_per_answer=limits.CENTURY, list_lag_seconds=limits.CENTURY, processing_units=5000)
    for _ in range(80):
        emulator.advance(limits.CENTURY)
    emulator.set_speed(1e9)
    assert lists_work(emulator, user)
    made = user.post(emulator.url + BatchApi.PROCESS.path(), json=sample_request(BatchApi.PROCESS), timeout=60)
    assert made.status_code in (201, 403)
    assert lists_work(emulator, user)
    emulator.set_speed(0)
    assert emulator.service.clock.now().year == 9000


ODD_BUT_SENT: list[dict[str, Any]] = [
    {"error": "cut \ud83d"},
    {"costPU": math.nan},
    {"tileCount": 2**64, "stoppedStatusReason": None},
    {"description": "\0\x1b[31m\n::group::", "\udc00": 1},
    {"deep": json.loads(nested(700))},
    {"id": "x" * 100_000, "status": "PROCESSING\n"},
]


@pytest.mark.parametrize("fields", ODD_BUT_SENT, ids=lambda each: next(iter(each)))
@pytest.mark.parametrize("api", BatchApi)
def test_a_step_can_still_have_the_service_send_anything(
    emulator: Emulator, user: requests.Session, api: BatchApi, fields: dict[str, Any]
) -> None:
    job = emulator.add_job(api, steps=[{"status": "DONE"} | fields])
    shown = user.get(f"{emulator.url}{api.path()}/{job}", timeout=60).json()
    assert str({name: shown[name] for name in fields}) == str(fields)
    assert str(EmulatorControl(emulator.url).job(job)) == str(emulator.job(job))
    assert lists_work(emulator, user)


@pytest.mark.parametrize(
    "fault",
    [
        {"body": "half \ud83d"},
        {"body": {"\ud83d": math.nan}},
        {"body": json.loads(nested(700))},
        {"message": "\ud83d\0"},
        *({"status": status, "kind": kind} for status in (204, 205, 304) for kind in ("status", "html", "empty")),
    ],
)
def test_a_fault_can_send_anything(emulator: Emulator, user: requests.Session, fault: dict[str, Any]) -> None:
    emulator.fault(**fault)
    assert len(EmulatorControl(emulator.url).faults()) == 1
    assert user.get(emulator.url + "/batch/v2/process", timeout=60).status_code == fault.get("status", 500)
    assert lists_work(emulator, user)


def broken(*_: object) -> Any:
    raise RuntimeError("a mistake of the emulator")


# What of a job breaks, and in which APIs that is noticed when it is listed.
UNFORESEEN = [
    *(("analysed", api) for api in [BatchApi.PROCESS_V1]),
    *(("cost", api) for api in [BatchApi.PROCESS, BatchApi.STATISTICAL]),
    *((part, api) for part in ("at", "visible") for api in BatchApi),
]


@pytest.mark.parametrize(("part", "api"), UNFORESEEN)
def test_an_unforeseen_exception_harms_one_job_and_is_logged(
    emulator: Emulator,
    user: requests.Session,
    observed_answers: Recorder,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    api: BatchApi,
    part: str,
) -> None:
    emulator.configure(processing_units=5000)
    healthy, ill = emulator.add_job(api), emulator.add_job(api)
    sound = getattr(EmulatedJob, part)

    def look(job: EmulatedJob, *arguments: Any) -> Any:
        return broken() if job.id == ill else sound(job, *arguments)

    monkeypatch.setattr(EmulatedJob, part, look)
    listed = user.get(emulator.url + api.path(), timeout=60)
    assert [each["id"] for each in listed.json()["data"]] == [healthy]
    assert ill in caplog.text
    assert "a mistake of the emulator" in caplog.text
    assert lists_work(emulator, user)
    assert emulator.job(healthy)["id"] == healthy
    assert refused(user.get(f"{emulator.url}{api.path()}/{ill}", timeout=60), 404)
    observed_answers.take()  # a mistake of the emulator is in no document


def test_an_unforeseen_exception_anywhere_is_an_error_object(
    emulator: Emulator,
    user: requests.Session,
    observed_answers: Recorder,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr("airflow_sentinelhub.emulator.asgi.place_of", broken)
        patch.setattr("airflow_sentinelhub.emulator.asgi.control", broken)
        assert refused(user.get(emulator.url + "/batch/v2/process", timeout=60), 500)
        answer = requests.get(emulator.url + "/_emulator/jobs", timeout=60)
    assert (answer.status_code, answer.json()) == (500, {"error": "The emulator failed"})
    with monkeypatch.context() as patch:
        patch.setattr(Service, "in_order", broken)
        assert refused(user.get(emulator.url + "/batch/v2/process", timeout=60), 500)
    with monkeypatch.context() as patch:
        patch.setattr("airflow_sentinelhub.emulator.oauth._jwt", broken)
        form = {
            "grant_type": "client_credentials",
            "client_id": emulator.client_id,
            "client_secret": emulator.client_secret,
        }
        assert refused(requests.post(emulator.auth_url, data=form, timeout=60), 500)
    observed_answers.take()  # a mistake of the emulator is in no document
    until = time.monotonic() + 60
    while logged(caplog) < 4 and time.monotonic() < until:  # some are logged when the answer is out already
        time.sleep(0.01)
    assert logged(caplog) == 4
    assert lists_work(emulator, user)


def logged(caplog: pytest.LogCaptureFixture) -> int:
    return len([each for each in caplog.records if each.exc_info])


@pytest.mark.parametrize("api", [BatchApi.PROCESS, BatchApi.STATISTICAL])
def test_files_that_cannot_be_written_are_logged_and_harm_no_answer(
    tmp_path: Path, api: BatchApi, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(ServiceClock(0), write=Folder(tmp_path))
    (tmp_path / "taken").touch()
    where = {"s3": {"url": f"file://{tmp_path}/taken/" + "x" * 300}}
    request = {"output": {"delivery": where} if api is BatchApi.PROCESS else where}
    job = service.add(api, Scenario(), status="DONE", request=request)
    assert service.get(api, job)["status"] == "DONE"
    assert [shown["status"] for shown in service.raw(*service.jobs.all())] == ["DONE"]
    assert "could not be written" in caplog.text
