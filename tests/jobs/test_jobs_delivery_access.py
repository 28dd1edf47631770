"""What a job says of its delivery is data: which URLs and which paths are read, as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.delivery import Delivery
from airflow_sentinelhub.jobs.delivery_access import FileAccess, check_access, is_below

ID = "0a1b2c3d-0000-4000-8000-000000000000"
LOCAL, ALLOWED, REMOTE = FileAccess(is_local=True), FileAccess(is_allowed=True), FileAccess()
ANY = [LOCAL, ALLOWED, REMOTE, FileAccess(is_local=True, is_allowed=True)]


def check(url, access, job_id=ID):
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": ID, "status": "DONE"})
    return check_access(replace(job, id=job_id), Delivery(url), access)


@pytest.mark.parametrize("access", ANY)
@pytest.mark.parametrize("url", ["s3://b/x", "s3://b", "gs://b/x/<requestId>/<tileName>.tif", "s3://b/a..b/...c"])
def test_buckets_are_always_read(url, access):
    assert check(url, access) is None


@pytest.mark.parametrize("url", ["file:///data/x", "file:/data/x"])
def test_a_folder_of_this_machine_is_read_only_if_the_service_is_here_or_the_connection_says_so(url):
    assert check(url, LOCAL) is None
    warning = check(url, ALLOWED)
    assert f"{ID} says that it delivers to {url}" in warning
    assert "allow_file_delivery is set" in warning
    with pytest.raises(
        ResultsUnavailable, match='"allow_file_delivery": true in the connection\'s extra'
    ) as failure:
        check(url, REMOTE)
    assert f"Batch Process job {ID}: its results are not read" in str(failure.value)
    assert (failure.value.job_id, failure.value.status) == (ID, "DONE")


@pytest.mark.parametrize("access", ANY)
@pytest.mark.parametrize(
    ("url", "says"),
    [
        *(
            (f"{scheme}://b/x", "only s3:// and gs:// are read")
            for scheme in (
                "memory",
                "http",
                "https",
                "ftp",
                "sftp",
                "local",
                "s3a",
                "gcs",
                "abfs",
                "zip",
                "data",
                "github",
            )
        ),
        ("simplecache::file:///etc", "'::'"),
        ("s3://b/x::file:///etc/passwd", "'::'"),
        ("s3://b\\@c/x", "a backslash"),
        ("s3://b/x\x00", "a control character"),
        ("s3://b/\nx", "a control character"),
        ("s3://[b/x", "is no URL"),
        ("s3:///x", "does not name a bucket"),
        ("s3://conn_id@b/x", "does not name a bucket"),
        ("s3://b/x/../../other", "'.' or '..'"),
        ("s3://b/./x", "'.' or '..'"),
        ("file:///data/../etc", "'.' or '..'"),
        ("file://etc/x", "no absolute path"),
        ("file:x", "no absolute path"),
    ],
)
def test_what_is_never_read(url, says, access):
    with pytest.raises(ResultsUnavailable, match=says):
        check(url, access)


@pytest.mark.parametrize("job_id", ["../../etc", "..", ".", "a/b", "a\\b", "a\x00", "x" * 201, "a b", "é"])
def test_an_id_that_is_no_name_of_a_folder(job_id):
    with pytest.raises(ResultsUnavailable, match="its id is no name of a folder") as failure:
        check("s3://b/x", LOCAL, job_id)
    assert len(str(failure.value)) < 500
    assert str(failure.value).isprintable()


def test_a_message_shows_no_signature_and_no_endless_url():
    with pytest.raises(ResultsUnavailable) as failure:
        check(f"http://b/{'x' * 5000}?X-Amz-Signature=abc", LOCAL)
    assert len(str(failure.value)) < 500
    with pytest.raises(ResultsUnavailable) as failure:
        check("http://b/x?X-Amz-Signature=abc", LOCAL)
    assert "Signature" not in str(failure.value)


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("1.json", True),
        ("a/b/..c.json", True),
        (" .json", True),
        ("a@b:c.json", True),
        ("../x.json", False),
        ("a/../../x.json", False),
        ("a/./x.json", False),
        ("/etc/x.json", False),
        ("a//x.json", False),
        ("a\\..\\x.json", False),
        ("a::file:///x.json", False),
        ("a\x00.json", False),
    ],
)
def test_what_stays_below_a_folder(path, below):
    assert is_below(path) is below
