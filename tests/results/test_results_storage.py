"""Object storage: a real S3 API, a folder, and everything that can be wrong with them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_sentinelhub.exceptions import ResultsUnavailable, StorageUnavailable, StorageUnsupported
from airflow_sentinelhub.results.json_lines import json_lines
from airflow_sentinelhub.results.storage import Storage
from tests.harness.s3 import BUCKET, KEY_ID, SECRET

FOLDER = f"s3://{BUCKET}/storage"
ABOUT = "Batch Process job 1"


@pytest.fixture
def storage(s3, monkeypatch):
    return Storage(s3.connection(monkeypatch), ABOUT, job_id="1")


def places(s3, tmp_path):
    return {"s3": FOLDER, "file": f"file://{tmp_path}/storage"}


def put(s3, url, content):
    if url.startswith("s3"):
        s3.write(url, content)
    else:
        path = url.removeprefix("file://")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_files_are_read_downloaded_and_listed(s3, storage, tmp_path, kind):
    folder = places(s3, tmp_path)[kind] + "/a"
    for name in ("1.json", "deep/er/2.json", "with a blank+plus.json"):
        put(s3, f"{folder}/{name}", name.encode())
    put(s3, f"{folder}bc/3.json", b"not below the folder")
    assert sorted(storage.names(folder)) == ["1.json", "deep/er/2.json", "with a blank+plus.json"]
    assert storage.read(f"{folder}/with a blank+plus.json") == b"with a blank+plus.json"
    storage.download(f"{folder}/deep/er/2.json", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"deep/er/2.json"


@pytest.mark.parametrize("kind", ["s3", "file"])
@pytest.mark.parametrize(
    "name",
    [
        "a#b.json",
        "a?b.json",
        "a%20b.json",
        "Überlingen.json",
        "a*[b].json",
        "a@b:c.json",
        "a;b&c=d.json",
        " .json",
    ],
)
def test_names_that_an_identifier_may_lead_to(s3, storage, tmp_path, kind, name):
    folder = places(s3, tmp_path)[kind] + "/odd"
    put(s3, f"{folder}/{name}", b"content")
    [found] = [each for each in storage.names(folder) if each == name]
    assert storage.read(f"{folder}/{found}") == b"content"


def test_a_long_list_comes_page_by_page(s3, storage, monkeypatch):
    monkeypatch.setattr("airflow_sentinelhub.results.storage._PAGE", 3)
    for number in range(8):
        s3.write(f"{FOLDER}/long/{number}.json", b"")
    names = storage.names(f"{FOLDER}/long")
    assert next(names) == "0.json"
    s3.write(f"{FOLDER}/long/9.json", b"")
    assert [*names] == [f"{number}.json" for number in (1, 2, 3, 4, 5, 6, 7, 9)], (
        "the pages come when they are needed"
    )


def test_a_whole_bucket_can_be_listed(s3, storage):
    s3.write(f"s3://{BUCKET}/at-the-top.json", b"")
    assert "at-the-top.json" in list(storage.names(f"s3://{BUCKET}"))


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_a_file_that_is_rewritten_is_seen_as_it_is_now(s3, storage, tmp_path, kind):
    url = places(s3, tmp_path)[kind] + "/rewritten"
    for content in (b"short", b"and now much longer"):
        put(s3, url, content)
        storage.download(url, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_there_is_no_such_file(s3, storage, tmp_path, kind):
    url = places(s3, tmp_path)[kind] + "/none"
    with pytest.raises(FileNotFoundError):
        storage.read(url)
    with pytest.raises(FileNotFoundError):
        storage.download(url, tmp_path / "copy")


def test_there_is_no_such_bucket(storage, tmp_path):
    with pytest.raises(FileNotFoundError):
        storage.download("s3://another-bucket/x", tmp_path / "copy")
    with pytest.raises(FileNotFoundError):
        list(storage.names("s3://another-bucket/x"))


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_json_lines_appear_only_when_they_are_whole(s3, storage, tmp_path, kind):
    url = places(s3, tmp_path)[kind] + "/out/tiles.jsonl"

    def write(error=None):
        with json_lines(storage, url) as lines:
            lines.write("DONE", {"id": 1, "name": "Überlingen"})
            if error:
                raise error
            lines.write("FATAL", {"id": 2, "status": "DONE as the service spells it"})

    with pytest.raises(ZeroDivisionError):
        write(ZeroDivisionError())
    with pytest.raises(FileNotFoundError):
        storage.read(url)
    write()
    assert [json.loads(line) for line in storage.read(url).splitlines()] == [
        {"status": "DONE", "id": 1, "name": "Überlingen"},
        {"status": "DONE as the service spells it", "id": 2},
    ]
    write()
    assert len(storage.read(url).splitlines()) == 2


def test_json_lines_to_a_bucket_that_does_not_exist(storage):
    with (
        pytest.raises(ResultsUnavailable, match=r"cannot be written to s3://another-bucket/x \(output_path\)"),
        json_lines(storage, "s3://another-bucket/x"),
    ):
        pass


def test_keys_that_the_bucket_refuses(s3, storage, tmp_path):
    url = f"{FOLDER}/secret"
    s3.write(url, b"")
    with s3.checking_keys():
        for action, ask in {
            "read": lambda: storage.download(url, tmp_path / "copy"),
            "list": lambda: list(storage.names(FOLDER)),
            "write": lambda: storage.upload(tmp_path / "copy", url),
        }.items():
            (tmp_path / "copy").write_bytes(b"x")
            with pytest.raises(
                ResultsUnavailable, match=f"{ABOUT}: connection 's3_.*' may not {action} "
            ) as failure:
                ask()
            assert not isinstance(failure.value, StorageUnavailable)
            assert (failure.value.job_id, failure.value.__cause__) == ("1", None)
            assert KEY_ID not in str(failure.value)
            assert SECRET not in str(failure.value)


def test_a_storage_that_is_away(s3, monkeypatch, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    retries = {"retries": {"max_attempts": 0}, "connect_timeout": 60}
    conn_id = s3.connection(monkeypatch, endpoint_url=f"http://127.0.0.1:{port}", config_kwargs=retries)
    storage = Storage(conn_id, ABOUT)
    with pytest.raises(
        StorageUnavailable, match=rf"'{conn_id}' could not read s3://.*\(EndpointConnectionError\)"
    ):
        storage.download(f"{FOLDER}/x", tmp_path / "copy")


def test_a_connection_that_does_not_exist(tmp_path):
    with pytest.raises(ResultsUnavailable, match=r"there is no Airflow connection 'nobody'.*storage_conn_id"):
        Storage("nobody", ABOUT).download(f"{FOLDER}/x", tmp_path / "copy")


def test_a_url_may_name_another_connection(s3, storage, monkeypatch):
    s3.write(f"{FOLDER}/shared", b"x")
    other = s3.connection(monkeypatch)
    assert Storage("nobody", ABOUT).read(f"s3://{other}@{BUCKET}/storage/shared") == b"x"
    with pytest.raises(ResultsUnavailable, match="no Airflow connection 'nobody'"):
        storage.read(f"s3://nobody@{BUCKET}/storage/shared")


@pytest.mark.parametrize(
    ("url", "needed"),
    [("gs://b/x", "apache-airflow-providers-google"), ("oss://b/x", "the Airflow provider that")],
)
def test_a_storage_that_nothing_serves(url, needed):
    with pytest.raises(
        StorageUnsupported, match=f"cannot read {url}, as .* is not installed: pip install '{needed}"
    ):
        Storage(None, ABOUT).read(url)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    # These tests may run as root, who may read everything.
    from fsspec.implementations.local import LocalFileSystem

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalFileSystem, "cat_file", refuse)
    with pytest.raises(ResultsUnavailable, match=r"the worker's own credentials .* may not read file://"):
        Storage(None, ABOUT).read(f"file://{tmp_path}/x")


@pytest.mark.parametrize("missing", [["s3fs"], ["airflow.providers.amazon", "s3fs", "boto3", "botocore"]])
def test_without_the_extra_everything_else_works(missing, tmp_path):
    """In a process of its own, in which these modules cannot be imported."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.results.wait_without_extra", str(tmp_path), *missing],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path / "home")},
        cwd=Path(__file__).parent.parent.parent,
    )
    assert result.returncode == 0, result.stderr
    told = dict(
        line.split(": ", 1) for line in result.stdout.splitlines() if re.match(r"(wait|\w+ (s3|file)):", line)
    )
    assert told["wait"] == "success"
    assert "there is no file://" in told["process file"], "it looked"
    assert told["statistical file"].startswith("success {'DONE': 1,")
    for api in ("process", "statistical"):
        assert re.search(r"failed .* cannot (read|list) s3://my-bucket.* is not installed: ", told[f"{api} s3"])
        assert told[f"{api} s3"].endswith("pip install 'airflow-provider-sentinelhub[storage]'.")
