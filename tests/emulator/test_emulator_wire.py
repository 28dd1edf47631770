"""What goes over the wire: sections 1.2, 3.4, 4 to 6 and 9 of the contract."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import requests

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi, UrlLayout

PLACES = [
    (BatchApi.PROCESS, "/api/v2/batch/process"),
    (BatchApi.PROCESS, "/batch/v2/process"),
    (BatchApi.STATISTICAL, "/api/v1/statistics/batch"),
    (BatchApi.STATISTICAL, "/statistics/batch/v1"),
    (BatchApi.PROCESS_V1, "/api/v1/batch/process"),
]


@pytest.mark.parametrize(("api", "path"), PLACES)
def test_a_job_from_its_creation_to_its_stop(
    emulator: Emulator, user: requests.Session, api: BatchApi, path: str
) -> None:
    url = emulator.url + path
    answer = user.post(url, json=sample_request(api), timeout=60)
    assert answer.status_code == 201
    created = answer.json()
    assert (created["status"], created["userAction"]) == ("CREATED", "NONE")
    assert None not in created.values()
    job = f"{url}/{created['id']}"
    assert user.get(job, timeout=60).json() == created
    for action in ("start", api.spec.stop_action):
        answer = user.post(f"{job}/{action}", timeout=60)
        assert (answer.status_code, answer.content) == (204, b"")
        emulator.advance(120)
    assert user.get(job, timeout=60).json()["status"] == ("CANCELED" if api is BatchApi.PROCESS_V1 else "STOPPED")


def test_v1_was_not_carried_over_to_the_new_layout(emulator: Emulator, user: requests.Session) -> None:
    assert user.get(f"{emulator.url}/batch/v1/process", timeout=60).status_code == 404


@pytest.mark.parametrize("path", [path for api, path in PLACES if api is BatchApi.STATISTICAL])
def test_the_light_status_lacks_the_request_and_the_action(
    emulator: Emulator, user: requests.Session, path: str
) -> None:
    job = emulator.add_job("statistical", status="PROCESSING")
    emulator.advance(60)
    light = user.get(f"{emulator.url}{path}/{job}/status", timeout=60).json()
    assert set(light) == {"id", "status", "completionPercentage", "lastUpdated", "costPu", "created"}


@pytest.mark.parametrize(
    ("settings", "process", "statistical"),
    [
        ({}, "costPU", "costPu"),
        ({"statistical_cost_key": "costPU"}, "costPU", "costPU"),
        ({"process_cost_key": "costPu", "hidden_fields": ["domainAccountId"]}, "costPu", "costPu"),
    ],
)
def test_the_name_of_the_cost_can_be_switched(
    emulator: Emulator, settings: dict[str, Any], process: str, statistical: str
) -> None:
    emulator.configure(**settings)
    for api, key in (("process", process), ("statistical", statistical)):
        shown = emulator.job(emulator.add_job(api, status="DONE"))
        assert shown[key] == 250.0
        assert ("domainAccountId" in shown) is ("hidden_fields" not in settings)


@pytest.mark.parametrize("api", list(BatchApi))
def test_credentials_come_back_masked(emulator: Emulator, user: requests.Session, api: BatchApi) -> None:
    body = sample_request(api)
    storage = {"url": "s3://b/x", "accessKey": "AKIA", "secretAccessKey": "hush"}
    if api is BatchApi.PROCESS:
        body["output"] = {"type": "raster", "delivery": {"s3": storage}}
    else:
        body["output"] = {"s3": storage, "responses": [{"gs": {"credentials": "hush"}}]}
    answer = user.post(emulator.url + api.path(), json=body, timeout=60)
    assert answer.status_code == 201
    assert "hush" not in answer.text
    assert "AKIA" not in answer.text
    assert answer.text.count("*****") >= 2


def _without(body: dict[str, Any], path: str) -> dict[str, Any]:
    body = deepcopy(body)
    *parents, last = path.split(".")
    inner = body
    for name in parents:
        inner = inner[name]
    del inner[last]
    return body


@pytest.mark.parametrize(
    ("api", "missing"),
    [
        (BatchApi.PROCESS, "processRequest"),
        (BatchApi.PROCESS, "processRequest.evalscript"),
        (BatchApi.PROCESS, "processRequest.input.bounds"),
        (BatchApi.PROCESS, "input"),
        (BatchApi.PROCESS, "input.resolution"),
        (BatchApi.PROCESS, "output.delivery"),
        (BatchApi.PROCESS, "output.delivery.s3.url"),
        (BatchApi.STATISTICAL, "aggregation"),
        (BatchApi.STATISTICAL, "aggregation.evalscript"),
        (BatchApi.STATISTICAL, "input.features"),
        (BatchApi.STATISTICAL, "output"),
        (BatchApi.PROCESS_V1, "processRequest"),
        (BatchApi.PROCESS_V1, "tilingGrid.id"),
        (BatchApi.PROCESS_V1, "bucketName"),
    ],
)
def test_what_is_missing_is_named(emulator: Emulator, user: requests.Session, api: BatchApi, missing: str) -> None:
    answer = user.post(emulator.url + api.path(), json=_without(sample_request(api), missing), timeout=60)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"], error["code"]) == (400, 400, "COMMON_BAD_PAYLOAD")
    assert missing in error["message"]
    assert emulator.jobs() == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"input": {"type": "tiling-grid", "id": 4, "resolution": 10}}, "no tiling grid 4"),
        ({"input": {"type": "tiling-grid", "id": 0, "resolution": 15}}, "no resolution 15"),
        ({"input": {"type": "shapefile"}}, "input.type must be"),
        ({"output": {"type": "raster", "delivery": {"s3": {"url": "https://b"}}}}, "must begin with s3://"),
        (
            {"output": {"type": "raster", "delivery": {"s3": {"url": "s3://b", "accessKey": "A"}}}},
            "secretAccessKey",
        ),
        ({"output": {"type": "raster", "delivery": {"gs": {"url": "gs://b"}}}}, "output.delivery.gs.credentials"),
        ({"output": {"type": "zarr", "delivery": {"s3": {"url": "s3://b"}}}}, "output.group"),
    ],
)
def test_what_is_wrong_is_explained(
    emulator: Emulator, user: requests.Session, change: dict[str, Any], complaint: str
) -> None:
    body = sample_request(BatchApi.PROCESS) | change
    answer = user.post(emulator.url + BatchApi.PROCESS.path(), json=body, timeout=60)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"x", "multipart/form-data", 415),
    ],
)
def test_a_body_must_be_a_json_object(
    emulator: Emulator, user: requests.Session, body: bytes, content_type: str, status: int
) -> None:
    url = emulator.url + BatchApi.PROCESS.path()
    answer = user.post(url, data=body, headers={"Content-Type": content_type}, timeout=60)
    assert (answer.status_code, answer.json()["error"]["status"]) == (status, status)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v2/batch/process/none", 404, "COMMON_NOT_FOUND"),
        ("POST", "/api/v2/batch/process/none/start", 404, "COMMON_NOT_FOUND"),
        ("GET", "/api/v2/batch/process/none/status", 404, "COMMON_NOT_FOUND"),
        ("POST", "/api/v2/batch/process/none/restartpartial", 404, "COMMON_NOT_FOUND"),
        ("GET", "/api/v2/nothing", 404, "COMMON_NOT_FOUND"),
        ("DELETE", "/api/v2/batch/process", 405, "COMMON_METHOD_NOT_ALLOWED"),
        ("GET", "/batch/v2/process?count=0", 400, "COMMON_BAD_PAYLOAD"),
        ("GET", "/batch/v2/process?count=x", 400, "COMMON_BAD_PAYLOAD"),
        ("GET", "/batch/v2/process?viewtoken=x", 400, "COMMON_BAD_PAYLOAD"),
        ("GET", "/batch/v2/process?sort=name", 400, "COMMON_BAD_PAYLOAD"),
    ],
)
def test_errors_come_wrapped(
    emulator: Emulator, user: requests.Session, method: str, path: str, status: int, code: str
) -> None:
    answer = user.request(method, emulator.url + path, timeout=60)
    assert set(answer.json()) == {"error"}
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_job_of_one_api_is_unknown_to_the_others(emulator: Emulator, user: requests.Session) -> None:
    job = emulator.add_job("process")
    assert user.get(f"{emulator.url}/api/v1/batch/process/{job}", timeout=60).status_code == 404


def test_an_illegal_action_is_a_bad_payload(emulator: Emulator, user: requests.Session) -> None:
    job = emulator.add_job("process", status="DONE")
    answer = user.post(f"{emulator.url}/batch/v2/process/{job}/start", timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "COMMON_BAD_PAYLOAD")


def test_a_job_after_its_retention_is_gone_from_everywhere(emulator: Emulator, user: requests.Session) -> None:
    job = emulator.add_job("process", steps=[{"status": "DONE", "seconds": 60}, {"gone": True}])
    url = f"{emulator.url}/batch/v2/process"
    assert user.get(f"{url}/{job}", timeout=60).status_code == 200
    emulator.advance(60)
    assert user.get(f"{url}/{job}", timeout=60).status_code == 404
    assert user.get(url, timeout=60).json()["data"] == []


@pytest.mark.parametrize(("api", "path"), PLACES)
def test_a_list_is_read_page_by_page(emulator: Emulator, user: requests.Session, api: BatchApi, path: str) -> None:
    emulator.configure(page_size=2)
    jobs = [emulator.add_job(api, age=100 - number) for number in range(5)]
    seen: list[str] = []
    url, pages = f"{emulator.url}{path}?count=1000&sort=created:desc", 0
    while url:
        page = user.get(url, timeout=60).json()
        seen += [job["id"] for job in page["data"]]
        pages += 1
        url = page["links"].get("next", "")
        if url:
            assert url.startswith(emulator.url + api.path(UrlLayout.NEW) + "?")
            assert page["links"]["nextToken"] == str(len(seen))
    assert (pages, seen) == (3, jobs[::-1])
    assert page["links"] == {}


def test_a_single_page_has_no_links(emulator: Emulator, user: requests.Session) -> None:
    job = emulator.add_job("process")
    page = user.get(f"{emulator.url}/api/v2/batch/process", timeout=60).json()
    assert page == {"data": [emulator.job(job)], "links": {}}


def test_a_list_that_fills_its_pages_ends_with_the_last_one(emulator: Emulator, user: requests.Session) -> None:
    for _ in range(4):
        emulator.add_job("process")
    url = f"{emulator.url}/api/v2/batch/process"
    last = user.get(url, params={"count": 2, "viewtoken": 2}, timeout=60).json()
    assert (len(last["data"]), last["links"]) == (2, {})


def test_pages_drift_when_jobs_appear(emulator: Emulator, user: requests.Session) -> None:
    emulator.configure(page_size=1, links_layout="legacy")
    old, new = emulator.add_job("process", age=10), emulator.add_job("process", age=5)
    page = user.get(f"{emulator.url}/api/v2/batch/process?sort=created:desc", timeout=60).json()
    assert page["data"][0]["id"] == new
    assert page["links"]["next"].startswith(f"{emulator.url}/api/v2/batch/process?")
    emulator.add_job("process")
    assert user.get(page["links"]["next"], timeout=60).json()["data"][0]["id"] == new
    assert old


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created", ["DONE", "CREATED", "FAILED"]),
        ("created:desc", ["FAILED", "CREATED", "DONE"]),
        ("status", ["CREATED", "DONE", "FAILED"]),
        ("status:desc", ["FAILED", "DONE", "CREATED"]),
    ],
)
def test_a_list_can_be_sorted(emulator: Emulator, user: requests.Session, sort: str, expected: list[str]) -> None:
    for age, status in enumerate(("FAILED", "CREATED", "DONE")):
        emulator.add_job("process", status=status, age=age)
    page = user.get(f"{emulator.url}/batch/v2/process", params={"sort": sort}, timeout=60).json()
    assert [job["status"] for job in page["data"]] == expected


def test_tiles_are_paged_and_filtered(emulator: Emulator, user: requests.Session) -> None:
    job = emulator.add_job("process_v1", status="PARTIAL", scenario={"tile_count": 120, "failed_tiles": 3})
    url = f"{emulator.url}/api/v1/batch/process/{job}/tiles"
    first = user.get(url, timeout=60).json()
    second = user.get(first["links"]["next"], timeout=60).json()
    assert (len(first["data"]), len(second["data"]), second["links"]) == (100, 20, {})
    failed = user.get(url, params={"status": "FAILED"}, timeout=60).json()["data"]
    assert [tile["status"] for tile in failed] == ["FAILED"] * 3
    assert user.get(f"{url}/{failed[0]['id']}", timeout=60).json() == failed[0]
    assert user.get(f"{url}/999", timeout=60).status_code == 404


@pytest.mark.parametrize(
    "path", ["/api/v2/batch/tilinggrids", "/batch/v2/tilinggrids", "/api/v1/batch/tilinggrids"]
)
def test_tiling_grids(emulator: Emulator, user: requests.Session, path: str) -> None:
    grids = user.get(emulator.url + path, timeout=60).json()
    assert ([grid["id"] for grid in grids["data"]], grids["links"]) == ([0, 1, 2, 3, 6, 7], {})
    assert user.get(f"{emulator.url}{path}/3", timeout=60).json() == grids["data"][3]
    assert user.get(f"{emulator.url}{path}/4", timeout=60).status_code == 400


@pytest.mark.parametrize("path", ["/batch/v2/process", "/batch/v2/process/x/start", "/batch/v2/tilinggrids"])
def test_nothing_works_without_a_token(emulator: Emulator, path: str) -> None:
    method = "POST" if path.endswith("start") else "GET"
    for headers in ({}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic x"}):
        assert requests.request(method, emulator.url + path, headers=headers, timeout=60).status_code == 401


def test_an_update_answers_with_the_request(emulator: Emulator, user: requests.Session) -> None:
    job = emulator.add_job("process", status="CREATED")
    answer = user.put(f"{emulator.url}/batch/v2/process/{job}", json={"description": "new"}, timeout=60)
    assert answer.status_code == 200
    assert answer.json() == emulator.job(job)["request"]
    assert answer.json()["description"] == "new"
