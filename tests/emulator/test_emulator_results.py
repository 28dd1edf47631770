"""Sections 5.5, 5.6 and 6.4 of the contract: what jobs leave in buckets."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_sentinelhub.emulator import Emulator, Folder
from airflow_sentinelhub.emulator.refusals import HttpRefusal
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.emulator.service_clock import ServiceClock
from airflow_sentinelhub.jobs import BatchApi

ID = "0a1b2c3d-0000-4000-8000-000000000000"


class Bucket(dict[str, bytes]):
    """Keeps what is written, and how often."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.service = Service(ServiceClock(time=lambda: 0.0), write=self.write)

    def write(self, url: str, content: bytes) -> None:
        self[url] = content
        self.writes += 1

    def add(self, api: BatchApi, url: str = "s3://b/x", status: str | None = "DONE", **scenario: Any) -> str:
        where = {"s3": {"url": url}}
        output = {"delivery": where} if api is BatchApi.PROCESS else where
        job = self.service.add(api, Scenario.parse(scenario), status=status, job_id=ID, request={"output": output})
        self.look(api)
        return job

    def look(self, api: BatchApi) -> str:
        return str(self.service.get(api, ID)["status"])

    def features(self) -> list[tuple[Any, ...]]:
        [content] = self.values()
        database = sqlite3.connect(":memory:")
        database.deserialize(content)
        rows = database.execute("SELECT id, name, status, error, delivered FROM features ORDER BY id").fetchall()
        database.close()
        return rows

    def by_status(self) -> dict[str, int]:
        return dict(Counter(row[2] for row in self.features()))


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://b/x", f"s3://b/x/{ID}"),
        ("s3://b/x/", f"s3://b/x/{ID}"),
        ("s3://b", f"s3://b/{ID}"),
        ("s3://b/x/s1/<tileName>/<outputId>.<format>", "s3://b/x/s1"),
        ("s3://b/<requestId>/a/<tileName>_<outputId>.tif", f"s3://b/{ID}/a"),
        ("s3://b/a/t-<tileName>.<format>", "s3://b/a"),
        ("gs://b/x", f"gs://b/x/{ID}"),
    ],
)
def test_the_execution_database_is_in_the_root_folder(bucket: Bucket, url: str, expected: str) -> None:
    bucket.add(BatchApi.PROCESS, url)
    assert list(bucket) == [f"{expected}/execution-{ID}.sqlite"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://b/x", f"s3://b/x/{ID}/1.json"),
        ("s3://b/x/<ID>.json", "s3://b/x/1.json"),
        ("s3://b/<REQUEST_ID>/<IDENTIFIER>/<ID>-<IDENTIFIER>.json", f"s3://b/{ID}/33TVM_1/1-33TVM_1.json"),
    ],
)
def test_each_feature_has_a_result_file(bucket: Bucket, url: str, expected: str) -> None:
    bucket.add(BatchApi.STATISTICAL, url, tile_count=1)
    assert list(bucket) == [expected]


@pytest.mark.parametrize(
    ("status", "scenario", "expected"),
    [
        ("DONE", {}, {"DONE": 12}),
        ("DONE", {"failed_tiles": 3}, {"FATAL": 3, "DONE": 9}),
        ("DONE", {"no_data_tiles": 2}, {"DONE": 12}),
        ("DONE", {"completion_percentage": 50}, {"DONE": 6, "PENDING": 6}),
        ("STOPPED", {"completion_percentage": 25}, {"DONE": 3, "PENDING": 9}),
        ("FAILED", {}, {"FATAL": 6, "PENDING": 6}),
        ("PROCESSING", {}, {"PENDING": 12}),
    ],
)
def test_features_are_in_keeping_with_the_job(
    bucket: Bucket, status: str, scenario: dict[str, Any], expected: dict[str, int]
) -> None:
    bucket.add(BatchApi.PROCESS, status=status, **scenario)
    assert bucket.by_status() == expected


@pytest.mark.parametrize("api", [BatchApi.PROCESS, BatchApi.STATISTICAL])
@pytest.mark.parametrize(
    ("status", "scenario"), [("CREATED", {}), ("ANALYSIS_DONE", {}), ("FAILED", {"fails_in_analysis": True})]
)
def test_nothing_is_written_before_anything_is_processed(
    bucket: Bucket, api: BatchApi, status: str, scenario: dict[str, Any]
) -> None:
    bucket.add(api, status=status, **scenario)
    assert bucket == {}


def test_what_the_database_says_of_a_feature(bucket: Bucket) -> None:
    bucket.add(BatchApi.PROCESS, tile_count=5, failed_tiles=3, no_data_tiles=1, tile_errors=["Timeout", "Memory"])
    assert bucket.features() == [
        (1, "33TVM_1", "FATAL", "Timeout", 0),
        (2, "33TVM_2", "FATAL", "Memory", 0),
        (3, "33TVM_3", "FATAL", "Timeout", 0),
        (4, "33TVM_4", "DONE", "No data", 0),
        (5, "33TVM_5", "DONE", None, 1),
    ]


def test_the_database_grows_with_the_job_and_survives_its_restart(bucket: Bucket) -> None:
    bucket.add(BatchApi.PROCESS, status=None, failed_tiles=1)
    service = bucket.service
    assert bucket == {}
    service.clock.advance(110 + 300)
    bucket.look(BatchApi.PROCESS)
    half = {"FATAL": 1, "DONE": 5, "PENDING": 6}
    assert bucket.by_status() == half
    service.act(BatchApi.PROCESS, ID, "stop")
    service.clock.advance(1800)
    service.act(BatchApi.PROCESS, ID, "start")
    assert (bucket.look(BatchApi.PROCESS), bucket.by_status()) == ("ANALYSIS_DONE", half)
    service.clock.advance(400)
    assert (bucket.look(BatchApi.PROCESS), bucket.by_status()) == ("DONE", {"FATAL": 1, "DONE": 11})


def test_what_has_not_changed_is_not_written_again(bucket: Bucket) -> None:
    bucket.add(BatchApi.STATISTICAL, tile_count=4)
    bucket.look(BatchApi.STATISTICAL)
    assert bucket.writes == 4


def test_what_the_result_files_say(bucket: Bucket) -> None:
    bucket.add(BatchApi.STATISTICAL, tile_count=4, failed_tiles=1, no_data_tiles=1, partial_tiles=1)
    failed, empty, partial, done = (json.loads(content) for content in bucket.values())
    assert failed == {"id": 1, "identifier": "33TVM_1", "error": {"type": "EXECUTION_ERROR"}}
    assert empty["response"] == {"data": [], "status": "OK"}
    assert partial["response"]["status"] == "PARTIAL"
    assert ["error" in each for each in partial["response"]["data"]] == [True, False, False]
    assert {key for each in done["response"]["data"] for key in each} == {"interval", "outputs"}


def test_only_what_is_settled_has_a_result_file(bucket: Bucket) -> None:
    bucket.add(BatchApi.STATISTICAL, status="STOPPED", completion_percentage=25)
    assert len(bucket) == 3


def test_a_folder_takes_files_and_buckets(tmp_path: Path) -> None:
    write = Folder(tmp_path)
    write(f"file://{tmp_path}/a/<b>.json", b"1")
    write("s3://bucket/c/d.json", b"2")
    assert (tmp_path / "a" / "<b>.json").read_bytes() == b"1"
    assert (tmp_path / "bucket" / "c" / "d.json").read_bytes() == b"2"


@pytest.mark.parametrize("url", ["file:///etc/results", "s3://b/../../x", "s3://../x", "file://{}/../x"])
@pytest.mark.parametrize("api", [BatchApi.PROCESS, BatchApi.STATISTICAL])
def test_a_folder_is_never_left(tmp_path: Path, api: BatchApi, url: str) -> None:
    service = Service(write=Folder(tmp_path))
    request, where = sample_request(api), {"s3": {"url": url.format(tmp_path)}}
    request["output"] = {"type": "raster", "delivery": where} if api is BatchApi.PROCESS else where
    with pytest.raises(HttpRefusal, match="is outside of"):
        service.create(api, request)
    with pytest.raises(ValueError, match="is outside of"):
        service.add(api, Scenario(), request=request)


def test_a_file_url_is_refused_unless_results_are_written(tmp_path: Path) -> None:
    request = sample_request(BatchApi.STATISTICAL) | {"output": {"s3": {"url": f"file://{tmp_path}/x"}}}
    with pytest.raises(HttpRefusal, match="must begin with s3://"):
        Service().create(BatchApi.STATISTICAL, request)
    assert Service(write=Folder(tmp_path)).create(BatchApi.STATISTICAL, request)["id"]


def test_by_default_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Emulator(speed=0) as hub:
        for api in BatchApi:
            hub.job(hub.add_job(api, status="DONE"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "scenario",
    [
        {"failed_tiles": 10, "no_data_tiles": 3},
        {"partial_tiles": 13},
        {"no_data_tiles": -1},
        {"tile_errors": "Timeout"},
        {"tile_errors": [1]},
    ],
)
def test_a_scenario_that_makes_no_sense(scenario: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"tiles|texts"):
        Scenario.parse(scenario)


@pytest.mark.parametrize("api", BatchApi)
def test_a_sample_can_be_changed_without_changing_the_next_one(api):
    before = json.dumps(sample_request(api))
    stack = [sample_request(api)]
    while stack:
        item = stack.pop()
        inner = item.values() if isinstance(item, dict) else item
        stack += [each for each in inner if isinstance(each, dict | list)]
        item.clear()
    assert json.dumps(sample_request(api)) == before
