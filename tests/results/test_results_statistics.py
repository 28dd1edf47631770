"""Result files of Batch Statistical: many, in parallel, never many in memory."""

from __future__ import annotations

import itertools
import json
import os
import threading
import tracemalloc
from contextlib import contextmanager

import pytest

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.delivery import Delivery, result_files
from airflow_sentinelhub.jobs.feature_statistics import LONGEST_TEXT
from airflow_sentinelhub.results import statistics_files, statistics_json
from airflow_sentinelhub.results.byte_budget import ByteBudget
from airflow_sentinelhub.results.statistics_files import MOST_IN_FLIGHT, PAUSES, SIZES, in_parallel, read_features
from airflow_sentinelhub.results.storage import FileTooLarge, Storage

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
        self.asked = []

    def names(self, folder):
        yield from self.files

    def read(self, url, most):
        name = url.rpartition("/")[2]
        self.asked.append((name, most))
        contents = self.files[name]
        content = contents.pop(0) if len(contents) > 1 else contents[0]
        if isinstance(content, Exception):
            raise content
        if len(content) > most:
            raise FileTooLarge(most)
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
    started, release, before = [], threading.Event(), set(threading.enumerate())

    def hang(number):
        started.append(number)
        return number if number == 0 else release.wait(60)

    results = in_parallel(hang, range(100), readers=2)
    assert next(results) == 0
    threads = set(threading.enumerate()) - before
    results.close()
    assert any(thread.is_alive() for thread in threads), "they hang, and it has not waited for them"
    release.set()
    for thread in threads:
        thread.join(60)
    assert max(started) <= 2, "what had not begun is not begun"


# What a job may cost of a worker's memory

MB = 1024 * 1024


def peak(call):
    """Run a call, and tell how much memory it had at most."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def full_of_histograms(size):
    """A result as the service writes it, of about so many bytes."""
    bins = [{"lowEdge": 0.1 * number, "highEdge": 0.1 * number + 0.1, "count": number} for number in range(4000)]
    interval = {
        "interval": {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"},
        "outputs": {"data": {"bands": {"B0": {"histogram": {"bins": bins}}}}},
    }
    one = json.dumps(interval)
    data = ",".join([one] * max(1, size // len(one)))
    return f'{{"id": 1, "identifier": "a", "response": {{"data": [{data}]}}}}'.encode()


def test_large_files_are_read_with_bounded_memory():
    content = full_of_histograms(2 * MB)
    storage = Script(**{f"{number}.json": [content] for number in range(4)})
    statuses = []
    # Decoded as it is, a single one of them needs more than three times its bytes.
    assert peak(lambda: statuses.extend(status for status, _ in read(storage))) < 2 * len(content)
    assert statuses == ["DONE"] * 4


def test_long_errors_are_cut_when_they_are_read():
    content = result(1, error="x" * MB)
    storage = Script(**{f"{number}.json": [content] for number in range(300)})
    found = []
    assert peak(lambda: found.extend(read(storage))) < 100 * MB
    assert {len(record["error"]) for _, record in found} == {LONGEST_TEXT}


def test_a_small_file_is_asked_for_once_and_a_larger_one_as_far_as_it_is_needed():
    storage = Script(**{"1.json": [result(1)], "2.json": [result(2, more="x" * SIZES[0])]})
    assert [status for status, _ in read(storage)] == ["DONE", "DONE"]
    assert sorted(storage.asked) == [("1.json", SIZES[0]), ("2.json", SIZES[0]), ("2.json", SIZES[1])]


def test_a_file_that_is_too_large_is_named_and_harms_no_other(monkeypatch):
    monkeypatch.setattr(statistics_files, "SIZES", (100, 200, 1000))
    storage = Script(**{"1.json": [result(1, more="x" * 1000)], "2.json": [result(2)]})
    (status, record), other = read(storage)
    assert (status, record["id"]) == ("UNREADABLE", 1)
    assert record["error"] == (
        "its file 1.json is not read: it has more than 1,000 bytes, the most that is read of one file"
    )
    assert other[0] == "DONE"
    assert {most for name, most in storage.asked} == {100, 200, 1000}, "and it is not read again and again"


def test_a_file_with_too_many_values_is_named_and_not_decoded(monkeypatch):
    monkeypatch.setattr(statistics_json, "MOST_VALUES", 50)
    storage = Script(**{"1.json": [json.dumps({"id": 1, "response": [[]] * 50}).encode()], "2.json": [result(2)]})
    (status, record), other = read(storage)
    assert (status, other[0]) == ("UNREADABLE", "DONE")
    assert "its file 1.json is not read: it has about 102 values" in record["error"]


def test_reads_wait_for_each_other_when_they_are_large():
    budget, order = ByteBudget(100), []

    def hold(number):
        with budget.taken(number):
            order.append(number)

    with budget.taken(60), budget.taken(40):
        threads = [threading.Thread(target=hold, args=[number]) for number in (30, 50)]
        for thread in threads:
            thread.start()
        assert order == []
    for thread in threads:
        thread.join(60)
    assert sorted(order) == [30, 50]


def test_whoever_fails_gives_back_what_it_held():
    budget = ByteBudget(10)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), budget.taken(10):
            raise ZeroDivisionError


def test_no_more_is_read_at_once_than_is_allowed(monkeypatch):
    """Every byte that is asked for is taken from the budget first."""
    held = []

    class Watched(ByteBudget):
        @contextmanager
        def taken(self, number):
            with super().taken(number):
                held.append(number)
                yield

    monkeypatch.setattr(statistics_files, "ByteBudget", Watched)
    storage = Script(**{f"{number}.json": [result(number, more="x" * SIZES[1])] for number in range(5)})
    read(storage)
    assert sorted(held) == sorted(most for _, most in storage.asked)
    assert 2 * SIZES[-1] <= MOST_IN_FLIGHT


@pytest.mark.parametrize("name", ["../1.json", "a/../../1.json", "/etc/1.json"])
def test_a_name_that_leads_out_of_the_folder_is_not_read(name):
    storage = Script(**{name: [result(1)], "b.json": [result(2)]})
    found = read(storage, "s3://b/<IDENTIFIER>.json")
    assert [status for status, _ in found] == ["UNREADABLE", "DONE"]
    assert "leads out of the job's folder" in found[0][1]["error"]
    assert [name for name, _ in storage.asked] == ["b.json"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder link"])
def test_what_is_no_ordinary_file_of_this_machine_is_not_read(tmp_path, kind):
    folder, secret = tmp_path / "x" / ID, tmp_path / "secret"
    folder.mkdir(parents=True)
    secret.mkdir()
    (secret / "1.json").write_bytes(result(1))
    match kind:
        case "link":
            (folder / "1.json").symlink_to(secret / "1.json")
        case "pipe":
            os.mkfifo(folder / "1.json")
        case "folder link":
            (folder / "1.json").symlink_to(secret)
    (folder / "2.json").write_bytes(result(2))
    found = dict(read(Storage(None, "job"), f"file://{tmp_path}/x"))
    assert found["DONE"]["id"] == 2
    assert "its file 1.json is not read: it is no ordinary file" in found["UNREADABLE"]["error"]


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
