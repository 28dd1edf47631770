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
from airflow_sentinelhub.results import storage as storage_module
from airflow_sentinelhub.results.json_lines import json_lines
from airflow_sentinelhub.results.storage import FileRefused, FileTooLarge, Storage
from tests.harness.s3 import BUCKET, KEY_ID, SECRET

FOLDER = f"s3://{BUCKET}/storage"
ABOUT = "Batch Process job 1"
MOST = 1000


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
    assert storage.read(f"{folder}/with a blank+plus.json", MOST) == b"with a blank+plus.json"
    storage.download(f"{folder}/deep/er/2.json", tmp_path / "copy", MOST)
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
    assert storage.read(f"{folder}/{found}", MOST) == b"content"


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
        storage.download(url, tmp_path / "copy", MOST)
        assert (tmp_path / "copy").read_bytes() == content


@pytest.mark.parametrize("kind", ["s3", "file"])
@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 5000])
def test_no_more_is_read_than_is_asked_for(s3, storage, tmp_path, kind, size):
    url = places(s3, tmp_path)[kind] + "/sized"
    put(s3, url, b"x" * size)
    if size <= 10:
        assert storage.read(url, 10) == b"x" * size
        storage.download(url, tmp_path / "copy", 10)
        assert (tmp_path / "copy").read_bytes() == b"x" * size
    else:
        for read in (lambda: storage.read(url, 10), lambda: storage.download(url, tmp_path / "copy", 10)):
            with pytest.raises(FileTooLarge, match="more than 10 bytes, the most that is read of one file"):
                read()


def test_only_as_many_bytes_are_fetched_as_may_be_read(s3, storage, monkeypatch):
    s3.write(f"{FOLDER}/huge", b"x" * 1_000_000)
    fetched = []
    from s3fs import S3FileSystem

    call = S3FileSystem._call_s3

    async def watched(self, method, *args, **kwargs):
        fetched.append((method, kwargs.get("Range")))
        return await call(self, method, *args, **kwargs)

    monkeypatch.setattr(S3FileSystem, "_call_s3", watched)
    with pytest.raises(FileTooLarge):
        storage.read(f"{FOLDER}/huge", 10)
    assert fetched == [("get_object", "bytes=0-10")]


@pytest.mark.parametrize("target", ["/dev/zero", "secret"])
def test_what_is_no_ordinary_file_of_this_machine_is_not_read(tmp_path, target):
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / target)
    for read in (
        lambda: Storage(None, ABOUT).read(f"file://{tmp_path}/link", MOST),
        lambda: Storage(None, ABOUT).download(f"file://{tmp_path}/link", tmp_path / "copy", MOST),
    ):
        with pytest.raises(FileRefused, match="no ordinary file"):
            read()


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_a_list_has_a_bound(s3, storage, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(storage_module, "MOST_FILES", 3)
    folder = places(s3, tmp_path)[kind] + "/many"
    for number in range(4):
        put(s3, f"{folder}/{number}.json", b"")
    with pytest.raises(ResultsUnavailable, match=f"there are more than 3 files below {folder}, the most"):
        list(storage.names(folder))


def test_a_list_that_never_ends(s3, storage, monkeypatch):
    from s3fs import S3FileSystem

    page = {"IsTruncated": True, "NextContinuationToken": "again"}
    monkeypatch.setattr(S3FileSystem, "call_s3", lambda *_, **__: page)
    with pytest.raises(StorageUnavailable, match="could not list"):
        list(storage.names(FOLDER))


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_there_is_no_such_file(s3, storage, tmp_path, kind):
    url = places(s3, tmp_path)[kind] + "/none"
    with pytest.raises(FileNotFoundError):
        storage.read(url, MOST)
    with pytest.raises(FileNotFoundError):
        storage.download(url, tmp_path / "copy", MOST)


def test_there_is_no_such_bucket(storage, tmp_path):
    with pytest.raises(FileNotFoundError):
        storage.download("s3://another-bucket/x", tmp_path / "copy", MOST)
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
        storage.read(url, MOST)
    write()
    assert [json.loads(line) for line in storage.read(url, MOST).splitlines()] == [
        {"status": "DONE", "id": 1, "name": "Überlingen"},
        {"status": "DONE as the service spells it", "id": 2},
    ]
    write()
    assert len(storage.read(url, MOST).splitlines()) == 2


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
            "read": lambda: storage.download(url, tmp_path / "copy", MOST),
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
        storage.download(f"{FOLDER}/x", tmp_path / "copy", MOST)


def test_a_connection_that_does_not_exist(tmp_path):
    with pytest.raises(ResultsUnavailable, match=r"there is no Airflow connection 'nobody'.*storage_conn_id"):
        Storage("nobody", ABOUT).download(f"{FOLDER}/x", tmp_path / "copy", MOST)


def test_a_url_may_name_another_connection(s3, storage, monkeypatch):
    s3.write(f"{FOLDER}/shared", b"x")
    other = s3.connection(monkeypatch)
    assert Storage("nobody", ABOUT).read(f"s3://{other}@{BUCKET}/storage/shared", MOST) == b"x"
    with pytest.raises(ResultsUnavailable, match="no Airflow connection 'nobody'"):
        storage.read(f"s3://nobody@{BUCKET}/storage/shared", MOST)


@pytest.mark.parametrize(
    ("url", "needed"),
    [("gs://b/x", "apache-airflow-providers-google"), ("oss://b/x", "the Airflow provider that")],
)
def test_a_storage_that_nothing_serves(url, needed):
    with pytest.raises(
        StorageUnsupported, match=f"cannot read {url}, as .* is not installed: pip install '{needed}"
    ):
        Storage(None, ABOUT).read(url, MOST)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    # These tests may run as root, who may read everything.
    from fsspec.implementations.local import LocalFileSystem

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x").write_bytes(b"x")
    monkeypatch.setattr(LocalFileSystem, "cat_file", refuse)
    with pytest.raises(ResultsUnavailable, match=r"the worker's own credentials .* may not read file://"):
        Storage(None, ABOUT).read(f"file://{tmp_path}/x", MOST)


@pytest.mark.parametrize("missing", [["s3fs"], ["airflow.providers.amazon", "s3fs", "boto3", "botocore"]])
def test_without_the_extra_everything_else_works(missing, tmp_path):
    """In a process of its own, in which these modules cannot be imported."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.results.wait_without_extra", str(tmp_path), *missing],
        check=False,
        capture_output=True,
        encoding="utf-8",
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
