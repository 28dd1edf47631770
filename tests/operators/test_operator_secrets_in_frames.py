"""
Error trackers show the variables of each frame of an exception: no secret is among them, where the code is ours.

They write out texts, mappings and sequences, also nested ones, and ask everything else for its ``repr``.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import airflow_sentinelhub
from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.bucket_credentials import read_delivery
from airflow_sentinelhub.hooks.connection_fields import read_connection
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.secret import Secret
from tests.harness.task_runner import run
from tests.operators.conftest import operator

PACKAGE = str(Path(airflow_sentinelhub.__file__).parent)
SECRET, BUCKET_KEY, PASSWORD = "the-client-s3cret", "bucket-k3y-Dddd4444", "hunter2hunter2"


def shown(value: Any, depth: int = 6) -> str:
    """Write out a variable as error trackers do."""
    if depth and isinstance(value, Mapping):
        return " ".join(f"{shown(key, depth - 1)} {shown(each, depth - 1)}" for key, each in value.items())
    if depth and isinstance(value, list | tuple | set | frozenset):
        return " ".join(shown(each, depth - 1) for each in value)
    return value if isinstance(value, str) else repr(value)


def frames_of(error: BaseException | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """All our frames of an exception and of those behind it."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename.startswith(PACKAGE):
                yield frame.f_code.co_qualname, dict(frame.f_locals)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def leaks(error: BaseException, *secrets: str) -> list[str]:
    frames = list(frames_of(error))
    assert frames
    return [
        f"{where}: {name}"
        for where, variables in frames
        for name, value in variables.items()
        if name != "context"  # Airflow's, and it asks the API server when it is written out
        if any(secret in shown(value) for secret in secrets)
    ]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def connection(name: str = "SH", **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": "sentinelhub", **fields}))

    return connection


def test_the_checks_see_what_they_look_for() -> None:
    with pytest.raises(ValueError, match="s3cret") as caught:
        int(SECRET)
    error = caught.value
    assert list(frames_of(error)) == [], "only frames of ours count"
    with pytest.raises(SentinelHubError) as refused:
        read_connection(SECRET, Secret(SimpleNamespace(extra="nonsense")))  # type: ignore[arg-type]
    assert "read_connection: conn_id" in leaks(refused.value, SECRET)
    assert shown({"a": [{"b": SECRET}], "c": Secret(SECRET)}) == f"a b {SECRET} c <hidden>"


OWN = {"host": "https://sh.example", "extra": {"auth_url": "https://id.example/token"}}
EXTRA_SECRET = {"note": SECRET}


@pytest.mark.parametrize(
    "fields",
    [
        {"login": ""},
        {"extra": {"deployment": "atlantis"}},
        {"extra": {"deployment": 5}},
        {"extra": {"url_layout": "newest"}},
        {"extra": {"allow_http": "perhaps"}},
        {"extra": {"requests_per_minute": "many"}},
        {"extra": {"requests_per_minute": -1}},
        {"extra": {"dashboard_url": f"https://user:{PASSWORD}@sh.example/"}},
        {"extra": {"dashboard_url": f"javascript:{PASSWORD}"}},
        {"extra": {"auth_url": f"https://user:{PASSWORD}@id.example/token"}},
        {"host": f"https://user:{PASSWORD}@sh.example"},
        {"host": f"user:{PASSWORD}@sh.example"},
        {"host": "http://sh.example"},
        {"host": "https://sh.example\\.localhost"},
    ],
)
def test_connections_that_make_no_sense(connect: Callable[..., None], fields: dict[str, Any]) -> None:
    given = {"login": "id", "password": SECRET, **OWN, **fields}
    connect(**{**given, "extra": json.dumps({**EXTRA_SECRET, **OWN["extra"], **fields.get("extra", {})})})
    with pytest.raises(SentinelHubError) as caught:
        SentinelHubHook("sh").get_config()
    assert leaks(caught.value, SECRET, PASSWORD) == []
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"login": BUCKET_KEY},
        {"password": BUCKET_KEY},
        {"login": "a", "password": BUCKET_KEY, "extra": json.dumps({"aws_session_token": BUCKET_KEY})},
        {"conn_type": "ftp", "password": BUCKET_KEY},
        {"conn_type": "google_cloud_platform", "extra": json.dumps({"keyfile_dict": f"[{BUCKET_KEY}"})},
        {"conn_type": "google_cloud_platform", "extra": json.dumps({"keyfile_dict": [BUCKET_KEY]})},
        {"conn_type": "google_cloud_platform", "extra": json.dumps({"key_path": "/none", "x": BUCKET_KEY})},
    ],
)
def test_connections_of_buckets(connect: Callable[..., None], fields: dict[str, Any]) -> None:
    connect("BUCKET", **{"conn_type": "aws", **fields})
    with pytest.raises(SentinelHubError) as caught:
        read_delivery("bucket")
    assert leaks(caught.value, BUCKET_KEY) == []


@pytest.mark.parametrize("wrong", [{"x": object()}, {"x": float("nan")}])
def test_requests_that_cannot_be_written(wrong: dict[str, Any]) -> None:
    config = ClientConfig("http://localhost:9", "http://localhost:9/token", "id", SECRET)
    with BatchClient(config, BatchApi.PROCESS) as client, pytest.raises(SentinelHubError) as caught:
        client.create({"output": {"delivery": {"s3": {"secretAccessKey": BUCKET_KEY}}}, **wrong}, budget=0)
    assert leaks(caught.value, SECRET, BUCKET_KEY) == []


@pytest.mark.parametrize("fault", [
    {"status": 400}, {"status": 401, "times": None}, {"status": 403}, {"status": 500}, {"kind": "drop"},
    {"kind": "truncated"}, {"api": "token", "status": 401}, {"api": "token", "kind": "html"},
])  # fmt: skip
def test_requests_that_go_wrong(emulator: Any, fault: dict[str, Any]) -> None:
    emulator.fault(**fault)
    config = ClientConfig(emulator.url, emulator.auth_url, emulator.client_id, emulator.client_secret)
    request = sample_request(BatchApi.PROCESS)
    request["output"]["delivery"]["s3"] = {"url": "s3://b/x", "accessKey": "a", "secretAccessKey": BUCKET_KEY}
    with BatchClient(config, BatchApi.PROCESS) as client:
        with pytest.raises(SentinelHubError) as caught:
            client.create(request, budget=0)
        token = client._transport._tokens._slots[config.account].token
    secrets = [emulator.client_secret, BUCKET_KEY, *([token.value] if token else [])]
    assert leaks(caught.value, *secrets) == []


@pytest.mark.parametrize("delivery", [None, "bucket"])
def test_tasks_that_fail(emulator: Any, connect: Callable[..., None], delivery: str | None) -> None:
    """Keys in the request, or beside a bucket of another kind."""
    connect("BUCKET", conn_type="aws", login="a", password=BUCKET_KEY)
    request = sample_request(BatchApi.PROCESS)
    keys = {"url": "s3://b/x", "accessKey": "a", "secretAccessKey": BUCKET_KEY}
    request["output"]["delivery"] = {"s3": keys} if delivery is None else {"gs": {"url": "gs://b/x"}}
    emulator.fault(status=400, method="POST", api="process")
    task = operator(
        "Create", task_id="create", sentinelhub_conn_id="sh", request=request, delivery_conn_id=delivery
    )
    ended = run(task)
    assert isinstance(ended.error, SentinelHubError)
    assert leaks(ended.error, BUCKET_KEY, emulator.client_secret) == []
