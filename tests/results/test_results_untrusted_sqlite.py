"""SQLite files that are programs rather than data: none runs, none takes the worker's time or memory."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing

import pytest

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.feature_statistics import LONGEST_TEXT
from airflow_sentinelhub.results import execution_database, untrusted_sqlite
from airflow_sentinelhub.results.execution_database import read_features
from airflow_sentinelhub.results.untrusted_sqlite import Endless, Unreadable, opened

ID = "0a1b2c3d-0000-4000-8000-000000000000"
URL = f"s3://b/x/{ID}/execution-{ID}.sqlite"
TABLE = "CREATE TABLE features (id INTEGER, name TEXT, status TEXT, error TEXT, delivered BOOLEAN)"
ROW = "INSERT INTO features VALUES (1, 'a', 'FATAL', 'Boom', 0)"
READ = [("FATAL", {"id": 1, "name": "a", "error": "Boom", "delivered": False})]
ENDLESS = (
    "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
    "SELECT id, 'a' AS name, 'DONE' AS status, NULL AS error, 1 AS delivered FROM n"
)


@pytest.fixture
def made(tmp_path):
    """Make a SQLite file."""

    def made(*statements, tamper=()):
        file = tmp_path / "made.sqlite"
        file.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()
            if tamper:
                database.execute("PRAGMA writable_schema = ON")
                for statement in tamper:
                    database.execute(statement)
                database.commit()
        return file

    return made


class Stored:
    """A storage that has one file."""

    def __init__(self, file):
        self.file, self.asked = file, 0

    def download(self, url, target, most):
        self.asked += 1
        target.write_bytes(self.file.read_bytes())


def read(file, clock=time.monotonic, pauses=None):
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": ID, "status": "DONE"})
    pauses = [] if pauses is None else pauses
    return list(read_features(Stored(file), (URL,), job, sleep=pauses.append, clock=clock))


HOSTILE = {
    "a recursive view": ([f"CREATE VIEW features AS {ENDLESS}"], "no ordinary table, but a view"),
    "a view of zeros": (
        ["CREATE VIEW features AS SELECT 1 id, zeroblob(1000000000) name, 'DONE' status, NULL error, 1 delivered"],
        "no ordinary table, but a view",
    ),
    "a view of a table": (
        ["CREATE TABLE a (id, status)", "CREATE VIEW Features AS SELECT * FROM a"],
        "no ordinary table, but a view",
    ),
    "a virtual table": (
        ["CREATE VIRTUAL TABLE features USING fts5(id, name, status, error, delivered)"],
        "no ordinary table, but a virtual table",
    ),
    "a computed column": (
        [
            "CREATE TABLE features (id INTEGER, status TEXT, error TEXT AS (hex(zeroblob(id))))",
            "INSERT INTO features (id, status) VALUES (5000000, 'FATAL')",
        ],
        "columns that are computed",
    ),
    "a stored computed column": (
        ["CREATE TABLE features (id INTEGER, status TEXT, error TEXT AS (hex(id)) STORED)"],
        "columns that are computed",
    ),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_only_an_ordinary_table_is_read(made, how):
    statements, says = HOSTILE[how]
    pauses = []
    with pytest.raises(ResultsUnavailable, match=f"{ID} .*{URL} is no execution database that is read: .*{says}"):
        read(made(*statements), pauses=pauses)
    assert pauses == [], "to read it again does not help"


QUOTED = f"CREATE VIEW features AS {ENDLESS}".replace("'", "''")


@pytest.mark.parametrize(
    "lie",
    [
        # What its list of tables calls a table is a view.
        f"UPDATE sqlite_master SET type = 'table', rootpage = 2, sql = '{QUOTED}'",
        "UPDATE sqlite_master SET sql = 'CREATE VIRTUAL TABLE features USING fts5(id, status)'",
        f"INSERT INTO sqlite_master VALUES ('view', 'FEATURES', 'FEATURES', 0, '{QUOTED}')",
        "UPDATE sqlite_master SET sql = 'this is no SQL'",
        "UPDATE sqlite_master SET rootpage = 0",
        "UPDATE sqlite_master SET rootpage = 999999",
        "UPDATE sqlite_master SET rootpage = 1",
    ],
)
def test_a_list_of_tables_that_lies(made, lie):
    with pytest.raises(ResultsUnavailable):
        read(made(TABLE, ROW, tamper=[lie]))


HARMLESS = {
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON features BEGIN DELETE FROM features; END",
    "an index of an expression": "CREATE INDEX i ON features (hex(name), id)",
    "an index": "CREATE INDEX i ON features (id)",
    "a view beside it": f"CREATE VIEW other AS {ENDLESS}",
    "a virtual table beside it": "CREATE VIRTUAL TABLE other USING fts5(a)",
}


@pytest.mark.parametrize("how", HARMLESS)
def test_what_is_beside_it_is_never_run(made, how):
    assert read(made(TABLE, ROW, HARMLESS[how])) == READ


def test_texts_are_cut_before_python_sees_them(made):
    file = made(
        TABLE, "INSERT INTO features VALUES (1, printf('%.5000c', 'n'), 'FATAL', printf('%.1000000c', 'x'), 0)"
    )
    with opened(file, "features", clock=time.monotonic) as table:
        [row] = table.rows(["name", "error", "id"], longest=10, order="id")
    assert row == ("n" * 10, "x" * 10, 1)
    [(_, feature)] = read(file)
    assert (len(feature["name"]), len(feature["error"])) == (LONGEST_TEXT, LONGEST_TEXT)


def test_a_value_that_is_too_long_for_memory(made):
    file = made(
        TABLE, f"INSERT INTO features VALUES (1, 'n', 'FATAL', zeroblob({untrusted_sqlite.LONGEST_VALUE + 1}), 0)"
    )
    with pytest.raises(ResultsUnavailable, match=f"{URL} is no execution database.*a value of more than"):
        read(file)


def test_a_table_that_is_too_long(made, monkeypatch):
    monkeypatch.setattr(untrusted_sqlite, "MOST_ROWS", 10)
    file = made(TABLE, *[ROW] * 11)
    with pytest.raises(ResultsUnavailable, match=f"{URL} .*more than 10 rows"):
        read(file)


def test_a_file_that_is_too_large(monkeypatch, tmp_path):
    from airflow_sentinelhub.results.storage import Storage

    monkeypatch.setattr(execution_database, "LARGEST", 1000)
    (tmp_path / "a.sqlite").write_bytes(b"x" * 1001)
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": ID, "status": "DONE"})
    pauses = []
    with pytest.raises(
        ResultsUnavailable, match=r"a\.sqlite is no execution database that is read: it has more than 1,000"
    ):
        list(read_features(Storage(None, "job"), (f"file://{tmp_path}/a.sqlite",), job, sleep=pauses.append))
    assert pauses == []


@pytest.mark.parametrize("number", [20_000, 400])
def test_a_list_of_tables_that_would_fill_the_memory(made, monkeypatch, number):
    monkeypatch.setattr(untrusted_sqlite, "MOST_SCHEMA_PAGES", 4)
    many = (
        "INSERT INTO sqlite_master WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        f"SELECT 'table', 't' || i, 't' || i, 2, 'CREATE TABLE t' || i || ' (a)' FROM n LIMIT {number}"
    )
    file = made(TABLE, ROW, tamper=[many])
    with pytest.raises(ResultsUnavailable, match="it has too many tables"):
        read(file)


def test_a_list_of_tables_of_a_few_pages(made):
    assert read(made(*(f"CREATE TABLE t{each}_{'x' * 100} (a)" for each in range(50)), TABLE, ROW)) == READ


class Clock:
    """Seconds that pass with each look at it."""

    def __init__(self, *, each=0.0, at=None, then=None):
        self.seconds, self.each, self.looks, self.at, self.then = 0.0, each, 0, at, then

    def __call__(self):
        self.looks += 1
        self.seconds += self.each
        if self.looks == self.at:
            self.then()
        return self.seconds


MANY = f"INSERT INTO features SELECT id, name, status, error, delivered FROM ({ENDLESS} LIMIT 50000)"


def test_what_takes_too_long_is_given_up(made):
    clock = Clock(each=untrusted_sqlite.LONGEST_READING / 4)
    with pytest.raises(
        ResultsUnavailable, match="is no execution database that is read: reading it takes longer than 600 s"
    ):
        read(made(TABLE, MANY), clock=clock)
    assert clock.looks < 20, "SQLite ended when it was told so"


class TimeIsUp(BaseException):
    """What Airflow raises at execution_timeout, in a signal handler."""


def test_airflow_can_end_it_while_sqlite_works(made):
    def raise_it(*_):
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        clock = Clock(at=4, then=lambda: signal.raise_signal(signal.SIGALRM))
        with pytest.raises(TimeIsUp):
            read(made(TABLE, MANY), clock=clock)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_nothing_can_be_written(made):
    file = made(TABLE, ROW)
    with opened(file, "features", clock=time.monotonic) as table:
        for query in (
            "DELETE FROM features",
            "ATTACH ':memory:' AS other",
            "CREATE TABLE a (b)",
            "PRAGMA journal_mode = WAL",
            "SELECT load_extension('x')",
            "SELECT hex(name) FROM features",
            "SELECT * FROM sqlite_sequence",
        ):
            with pytest.raises(Unreadable):
                table._all(query)


def test_what_the_file_says_of_itself_is_not_repeated(made):
    file = made(TABLE, ROW, tamper=["UPDATE sqlite_master SET sql = 'CREATE TABLE features (secret-of-the-file'"])
    with pytest.raises(Unreadable) as failure, opened(file, "features", clock=time.monotonic):
        pass
    assert "secret" not in str(failure.value)
    assert not isinstance(failure.value, Endless)
