"""Real execution databases, and real halves of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from airflow_sentinelhub.exceptions import ResultsUnavailable, StorageUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.results import execution_database
from airflow_sentinelhub.results.execution_database import PAUSES, check, read_features
from airflow_sentinelhub.results.storage import Storage
from airflow_sentinelhub.results.untrusted_sqlite import Unreadable

ID = "0a1b2c3d-0000-4000-8000-000000000000"
URL = f"s3://b/x/{ID}/execution-{ID}.sqlite"
LAYOUT = "id INTEGER, name TEXT, status TEXT, error TEXT, delivered BOOLEAN"
ROWS = [(1, "33TVM_1", "DONE", None, True), (2, "33TVM_2", "FATAL", "Boom", False)]
PENDING = (3, "33TVM_3", "PENDING", None, None)
READ = [
    ("DONE", {"id": 1, "name": "33TVM_1", "error": None, "delivered": True}),
    ("FATAL", {"id": 2, "name": "33TVM_2", "error": "Boom", "delivered": False}),
]


@pytest.fixture
def database(tmp_path):
    def make(rows=ROWS, layout=LAYOUT, table="features", pragma=None):
        file = tmp_path / "made.sqlite"
        file.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as made:
            made.execute(pragma or "PRAGMA journal_mode=DELETE")
            made.execute(f"CREATE TABLE {table} ({layout})")
            made.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
            made.commit()
            # What lies in files beside it is not delivered.
            made.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return file.read_bytes()

    return make


class Script:
    """A storage that has another content, or trouble, each time it is read; the last one stays."""

    def __init__(self, *contents):
        self.contents, self.asked, self.pauses = list(contents), [], []

    def download(self, url, target, most):
        self.asked.append(url)
        content = self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]
        if isinstance(content, Exception):
            raise content
        target.write_bytes(content)

    def read(self, status="DONE", urls=(URL,)):
        job = BatchJob.from_payload(BatchApi.PROCESS, {"id": ID, "status": status})
        return list(read_features(self, urls, job, sleep=self.pauses.append))


def test_a_whole_database_is_read_once(database):
    storage = Script(database())
    assert storage.read() == READ
    assert (len(storage.asked), storage.pauses) == (1, [])


@pytest.mark.parametrize(
    ("layout", "row", "expected"),
    [
        ("id INTEGER, status TEXT", (1, "DONE"), {"id": 1, "name": None, "error": None, "delivered": None}),
        (f"{LAYOUT}, more TEXT", (*ROWS[0], "x"), READ[0][1]),
        (LAYOUT, (1, b"3\xff", "DONE", "", "0"), {"id": 1, "name": "3\ufffd", "error": None, "delivered": False}),
        (LAYOUT, (None, 7, "DONE", b"x", "TRUE"), {"id": None, "name": "7", "error": "x", "delivered": True}),
    ],
)  # fmt: skip
def test_columns_may_be_missing_or_new(database, layout, row, expected):
    assert Script(database([row], layout)).read() == [("DONE", expected)]


@pytest.mark.parametrize(("word", "key"), [("SKIPPED", "SKIPPED"), ("done", "DONE"), (None, "UNKNOWN")])
def test_a_new_status_is_kept(database, word, key):
    [(status, _)] = Script(database([(1, "a", word, None, None)])).read()
    assert status == key


def test_a_database_in_wal_mode_is_read_without_the_files_beside_it(database):
    assert Script(database(pragma="PRAGMA journal_mode=WAL")).read() == READ


def test_nothing_is_written_beside_it(database, tmp_path):
    file = tmp_path / "alone" / "wal.sqlite"
    file.parent.mkdir()
    file.write_bytes(database(pragma="PRAGMA journal_mode=WAL"))
    check(file)
    assert list(file.parent.iterdir()) == [file]


def test_keys_in_errors_are_masked(database):
    error = "Access denied for AKIAIOSFODNN7EXAMPLE, secretAccessKey=hush-hush"
    [(_, feature)] = Script(database([(1, "a", "FATAL", error, False)])).read()
    assert feature["error"] == "Access denied for *****, secretAccessKey=*****"


def broken(database):
    """Real ways in which a file can be no whole database, and what is said of each."""
    many = database([(number, "name" * 20, "DONE", None, True) for number in range(2000)])
    whole = database()
    damaged = bytearray(many)
    damaged[4096 * 3 : 4096 * 4] = b"\xaa" * 4096
    return {
        "empty": (b"", "it is empty"),
        "the first half": (many[: len(many) // 2], "malformed|damaged"),
        "cut at the end of a page": (many[:-4096], "malformed|damaged"),
        "cut within a page": (many[:-100], "malformed|damaged"),
        "only its header": (many[:100], "SQLite cannot read it"),
        "a page of rubbish": (bytes(damaged), "malformed|damaged"),
        "a page of HTML": (b"<html>503 Slow down</html>" * 100, "not a database"),
        "another table": (database(table="tiles"), "has no table 'features'"),
        "no status": (database([(1,)], "id INTEGER"), "has no column status"),
        "zeros at the end": (whole[:-4096] + bytes(4096), "malformed|damaged|no table"),
    }


BROKEN = list(broken(lambda *_, **__: bytes(8192)))


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_not_whole_is_noticed(database, tmp_path, how):
    content, says = broken(database)[how]
    file = tmp_path / "broken.sqlite"
    file.write_bytes(content)
    with pytest.raises(Unreadable, match=says):
        check(file)


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_not_whole_is_read_again(database, how):
    content, _ = broken(database)[how]
    storage = Script(content, content, database())
    assert storage.read() == READ
    assert storage.pauses == [1, 2]


@pytest.mark.parametrize("how", BROKEN)
def test_what_stays_broken_fails_with_a_reason(database, how):
    content, says = broken(database)[how]
    storage = Script(content)
    with pytest.raises(ResultsUnavailable, match=f"{ID} .*{URL} was read 5 times, and is no whole .*: .*({says})"):
        storage.read()
    assert storage.pauses == list(PAUSES)


def test_a_database_that_comes_late_or_from_a_busy_storage_is_waited_for(database):
    storage = Script(FileNotFoundError(), StorageUnavailable("Slow down"), database())
    assert storage.read() == READ
    assert storage.pauses == [1, 2]


def test_a_storage_that_stays_away_is_named():
    storage = Script(StorageUnavailable("The storage is away"))
    with pytest.raises(StorageUnavailable, match="is away"):
        storage.read()
    assert len(storage.asked) == 5


def test_what_may_not_be_read_is_not_asked_for_again():
    storage = Script(ResultsUnavailable("You may not"))
    with pytest.raises(ResultsUnavailable, match="You may not"):
        storage.read()
    assert len(storage.asked) == 1


@pytest.mark.parametrize(
    ("status", "attempts", "says"),
    [
        ("CREATED", 1, "The job is CREATED: the service writes it once features are processed"),
        ("ANALYSIS_DONE", 1, "Start the job and wait for it before this task"),
        (
            "PROCESSING",
            5,
            "The job is PROCESSING, so it should be there. It was deleted or moved, or storage_conn_id",
        ),
        ("DONE", 5, "The job is DONE, so it should be there"),
        ("STOPPED", 5, "The job is STOPPED, so it should be there"),
        ("FAILED", 5, "one that failed in its analysis has none"),
        ("NEW_WORD", 5, "The job is NEW_WORD, so it should be there"),
    ],
)
def test_a_missing_database(status, attempts, says):
    storage = Script(FileNotFoundError())
    with pytest.raises(
        ResultsUnavailable, match=f"Batch Process job {ID}: there is no {URL}. .*{says}"
    ) as failure:
        storage.read(status)
    assert len(storage.asked) == attempts
    assert (failure.value.job_id, failure.value.api, failure.value.status) == (ID, "process", status)


def test_the_second_place_is_looked_at_when_the_first_has_none(database):
    storage = Script(FileNotFoundError(), database())
    assert storage.read(urls=("s3://b/1", "s3://b/2")) == READ
    assert (storage.asked, storage.pauses) == (["s3://b/1", "s3://b/2"], [])
    with pytest.raises(ResultsUnavailable, match="there is no s3://b/1 and no s3://b/2"):
        Script(FileNotFoundError()).read(urls=("s3://b/1", "s3://b/2"))


def test_pending_features_of_a_done_job_are_looked_at_again(database):
    storage = Script(database([*ROWS, PENDING]), database())
    assert storage.read() == READ
    assert storage.pauses == [1]


def test_pending_features_that_stay_are_believed(database):
    storage = Script(database([*ROWS, PENDING]))
    assert [status for status, _ in storage.read()] == ["DONE", "FATAL", "PENDING"]
    assert storage.pauses == list(PAUSES)


@pytest.mark.parametrize("status", ["PROCESSING", "STOPPED", "FAILED"])
def test_pending_features_of_any_other_job_are_as_they_should_be(database, status):
    storage = Script(database([*ROWS, PENDING]))
    assert len(storage.read(status)) == 3
    assert storage.pauses == []


def test_a_real_file_with_odd_characters_in_its_path(database, tmp_path):
    file = tmp_path / "a b?c#d%20" / "e.sqlite"
    file.parent.mkdir()
    file.write_bytes(database())
    check(file)


def test_it_is_read_row_by_row(database, tmp_path):
    storage = Script(database([(number, "a", "DONE", None, True) for number in range(50_000)]))
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": ID, "status": "DONE"})
    rows = read_features(storage, (URL,), job)
    assert next(rows)[1]["id"] == 0
    rows.close()
    assert storage.asked == [URL]


def test_from_a_folder_of_this_machine(database, tmp_path):
    (tmp_path / "made.sqlite").write_bytes(database())
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": ID, "status": "DONE"})
    storage = Storage(None, job.label)
    assert list(read_features(storage, (f"file://{tmp_path}/made.sqlite",), job)) == READ


def test_the_pauses_are_short_enough_for_a_worker():
    assert sum(execution_database.PAUSES) <= 20
