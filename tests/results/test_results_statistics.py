"""Result files of Batch Statistical: many, in parallel, never many in memory."""

from __future__ import annotations

import itertools
import json
import threading

import pytest

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.delivery import Delivery, result_files
from airflow_sentinelhub.results.statistics import PAUSES, in_parallel, read_features
from airflow_sentinelhub.results.storage import Storage

ID = "0a1b2c3d-0000-4000-8000-000000000000"


def result(number, **fields):
    return json.dumps({"id": number, "identifier": f"f{number}", "response": {"data": []}, **fields}).encode()


def read(storage, url="s3://b/x", status="DONE", sleep=None):
    job = BatchJob.from_payload(BatchApi.STATISTICAL, {"id": ID, "status": status})
    return list(read_features(storage, result_files(Delivery(url), ID), job, sleep=sleep or (lambda _: None)))


class Script:
    """A storage of files, each a list of what it has in turn; the last one stays."""

    def __init__(self, **files):
        self.files = {name: list(contents) for name, contents in files.items()}

    def names(self, folder):
        yield from self.files

    def read(self, url):
        contents = self.files[url.rpartition("/")[2]]
        content = contents.pop(0) if len(contents) > 1 else contents[0]
        if isinstance(content, Exception):
            raise content
        return content


def test_features_come_in_the_order_of_their_files():
    storage = Script(**{f"{number}.json": [result(number)] for number in range(100)}, **{"notes.txt": [b"x"]})
    found = read(storage)
    assert [record["id"] for _, record in found] == list(range(100))
    assert {status for status, _ in found} == {"DONE"}


@pytest.mark.parametrize("torn", [b"", b'{"id": 1, "resp', b"\xff\xfe\xfa", b"<html>"])
def test_a_file_that_is_half_written_is_read_again(torn):
    pauses = []
    [(status, record)] = read(Script(**{"1.json": [torn, result(1)]}), sleep=pauses.append)
    assert (status, record["id"], pauses) == ("DONE", 1, [1])


def test_a_file_that_stays_broken_is_a_feature_that_nobody_can_tell_of():
    pauses = []
    found = read(Script(**{"1.json": [b"{"], "2.json": [result(2)]}), sleep=pauses.append)
    assert [(status, record["id"]) for status, record in found] == [("UNREADABLE", 1), ("DONE", 2)]
    assert found[0][1]["error"] == "it is no JSON"
    assert pauses == list(PAUSES)


def test_deeply_nested_json_is_unreadable_and_no_crash():
    [(status, _)] = read(Script(**{"1.json": [b"[" * 100_000]}))
    assert status == "UNREADABLE"


def test_what_is_no_json_for_the_database_of_airflow_does_not_get_there():
    content = b'{"id": NaN, "error": {"type": "EXECUTION_ERROR"}}'
    [(_, record)] = read(Script(**{"1.json": [content]}))
    assert record["id"] is None


def test_keys_in_errors_are_masked():
    words = "no access for AKIAIOSFODNN7EXAMPLE"
    bad = {"data": [{"interval": {}, "error": {"message": words}}, {"interval": {}, "outputs": {}}]}
    storage = Script(**{"1.json": [result(1, error=words)], "2.json": [result(2, response=bad)]})
    assert "AKIA" not in json.dumps(read(storage))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("CREATED", "The job is CREATED: nothing is processed yet"),
        ("FAILED", "one that failed in its analysis has none"),
        ("DONE", "storage_conn_id reaches another account or endpoint"),
    ],
)
def test_without_any_file_nothing_is_known(status, says):
    with pytest.raises(ResultsUnavailable, match=f"{ID}: there is no result file below s3://b/x/{ID}. .*{says}"):
        read(Script(**{"notes.txt": [b"x"]}), status=status)


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(ResultsUnavailable, match="there is no result file"):
        read(Storage(None, "job"), f"file://{tmp_path}/none")


def test_a_file_that_vanishes():
    storage = Script(**{f"{number}.json": [result(number)] for number in range(40)})
    storage.files["39.json"] = [FileNotFoundError()]
    with pytest.raises(ResultsUnavailable, match="vanished while they were read"):
        read(storage)


def test_from_a_folder_of_this_machine(tmp_path):
    for number in (1, 2):
        file = tmp_path / f"a{number}" / f"{ID}-{number}.json"
        file.parent.mkdir()
        file.write_bytes(result(number))
    found = read(Storage(None, "job"), f"file://{tmp_path}/<IDENTIFIER>/<REQUEST_ID>-<ID>.json")
    assert sorted(record["identifier"] for _, record in found) == ["f1", "f2"]


def test_only_as_much_is_taken_as_is_needed():
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield number

    results = in_parallel(lambda number: number, endless(), readers=4)
    assert list(itertools.islice(results, 10)) == list(range(10))
    assert len(taken) <= 10 + 2 * 4
    results.close()


def test_whoever_stops_early_does_not_wait_for_reads_that_hang():
    started, release = [], threading.Event()

    def hang(number):
        started.append(number)
        return number if number == 0 else release.wait(60)

    results = in_parallel(hang, range(100), readers=2)
    assert next(results) == 0
    threads = [each for each in threading.enumerate() if each.name.startswith("sentinelhub-results")]
    results.close()
    assert any(thread.is_alive() for thread in threads), "they hang, and it has not waited for them"
    release.set()
    for thread in threads:
        thread.join(60)
    assert max(started) <= 2, "what had not begun is not begun"


def test_it_really_is_parallel():
    together = threading.Barrier(4, timeout=60)
    assert list(in_parallel(lambda _: together.wait() >= 0, range(4), readers=4)) == [True] * 4


def test_an_error_ends_it_without_reading_the_rest():
    seen = []

    def read_one(number):
        seen.append(number)
        if number == 3:
            raise PermissionError
        return number

    with pytest.raises(PermissionError):
        list(in_parallel(read_one, range(1000), readers=2))
    assert len(seen) < 20
