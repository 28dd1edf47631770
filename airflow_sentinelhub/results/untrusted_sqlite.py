"""
A SQLite file from outside, of which one ordinary table is read.

Such a file is a program as much as data: a view may be recursive, a column may be computed, a virtual table runs
the code of its module, and a value may be of 1 GB. So only what is stored in an ordinary table is read, and SQLite
itself is bounded. See "Defense Against The Dark Arts", https://www.sqlite.org/security.html
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

LONGEST_VALUE = 16 * 1024 * 1024
"""Bytes of one value or row; SQLite reads none that is longer."""

LONGEST_READING = 600.0
"""Seconds after which a file is given up. 700,000 features, the most that a job has, take 11 s."""

MOST_ROWS = 5_000_000
"""Rows of a table at most, seven times the most that a job has."""

MOST_SCHEMA_PAGES = 64
"""Pages of the list of tables at most: SQLite keeps all of it in memory, at many times its size in the file."""

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: LONGEST_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_STEPS_BETWEEN_LOOKS = 10_000
_HEADER = b"SQLite format 3\0"
_LEAF, _INTERIOR = 13, 5


class Unreadable(Exception):
    """The file is no whole database, or none that is read, and why."""


class Endless(Unreadable):
    """It is more than is read of one file; to read it again does not help."""


class Table:
    """
    An ordinary table of a SQLite file.

    :param database: the open file.
    :param name: of the table.
    :param deadline: ends what takes too long.
    """

    def __init__(self, database: sqlite3.Connection, name: str, deadline: _Deadline) -> None:
        self._database = database
        self._name = name
        self._deadline = deadline
        self.columns = self._checked()
        """Names of its columns, in lower case."""

    def rows(self, columns: Sequence[str], *, longest: int, order: str) -> Iterator[tuple[Any, ...]]:
        """
        Return its rows one by one.

        :param columns: which columns, of :attr:`columns`.
        :param longest: characters at which texts are cut, before Python sees them.
        :param order: the column by which they are sorted.
        :raises Unreadable: the file is damaged.
        :raises Endless: there are more than :data:`MOST_ROWS`.
        """
        values = ", ".join(
            f"CASE WHEN typeof({name}) IN ('text', 'blob') THEN substr({name}, 1, {int(longest)}) ELSE {name} END"
            for name in columns
        )
        # An alias, so that the order is that of the stored values.
        query = f"SELECT {values} FROM {self._name} AS t ORDER BY t.{order}"  # noqa: S608 - our names
        found = self._deadline.guards(lambda: self._database.execute(query))
        count = 0
        while rows := self._deadline.guards(lambda: found.fetchmany(1000)):
            count += len(rows)
            if count > MOST_ROWS:
                raise Endless(f"its table {self._name!r} has more than {MOST_ROWS:,} rows")
            yield from rows

    def has(self, column: str, value: str) -> bool:
        """Return whether a row has a value in a column."""
        query = f"SELECT 1 FROM {self._name} WHERE {column} = ? LIMIT 1"  # noqa: S608 - our names
        return bool(self._all(query, [value]))

    def check(self) -> None:
        """
        Make sure that the file is whole, as far as this table goes.

        :raises Unreadable: it is not.
        """
        # Finds pages that are used twice, too, which would make a few pages an endless table.
        [(verdict,), *_] = self._all(f"PRAGMA quick_check({self._name})")
        if verdict != "ok":
            raise Unreadable("its pages are damaged")

    def _checked(self) -> list[str]:
        query = "SELECT type, name, sql, rootpage FROM sqlite_master WHERE lower(name) = ? AND type <> 'index'"
        found = self._all(query, [self._name])
        if not found:
            raise Unreadable(f"it has no table {self._name!r}")
        kinds = {_kind(row) for row in found}
        if kinds != {"table"}:
            raise Endless(f"its {self._name!r} is no ordinary table, but {', '.join(sorted(kinds - {'table'}))}")
        columns = self._all(f"PRAGMA table_xinfo({self._name})")
        if any(row[6] for row in columns):
            raise Endless(f"its table {self._name!r} has columns that are computed")
        return [str(row[1]).lower() for row in columns]

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._deadline.guards(
            lambda: self._database.execute(query, values).fetchall()
        )
        return rows


def _kind(row: tuple[Any, ...]) -> str:
    kind, _, sql, root = row
    words = str(sql).upper().split(maxsplit=2)[:2]
    # What SQLite makes of it is decided by the words of its statement, whatever stands in the column "type".
    if kind == "table" and words == ["CREATE", "TABLE"] and isinstance(root, int) and root > 0:
        return "table"
    return {"VIEW": "a view", "VIRTUAL": "a virtual table"}.get(words[-1] if words else "", "something else")


class _Deadline:
    """
    Ends a statement of SQLite that takes too long, and lets Airflow end it.

    While SQLite works, Python's signal handlers run only in the progress handler, and what they raise there
    (Airflow's ``execution_timeout`` does) is lost in it; so it is kept, and raised afterwards.
    """

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._until = clock() + seconds
        self._raised: BaseException | None = None
        checks = self._checks()
        next(checks)
        # Not a function: a signal handler would run before the first line of it, where nothing can be caught.
        self.check = checks.__next__

    def guards(self, step: Callable[[], Any]) -> Any:
        """
        Take a step.

        :raises Endless: the time is up.
        :raises Unreadable: SQLite cannot read the file.
        """
        try:
            return step()
        except sqlite3.Error as error:
            self._explain(error)

    def _checks(self) -> Iterator[bool]:
        is_over = False
        while True:
            try:
                yield is_over
                is_over = self._clock() > self._until
            except GeneratorExit:
                raise
            except BaseException as error:
                self._raised, is_over = error, True

    def _explain(self, error: sqlite3.Error) -> NoReturn:
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised
        if self._clock() > self._until:
            raise Endless(f"reading it takes longer than {LONGEST_READING:,.0f} s") from None
        if getattr(error, "sqlite_errorname", "") == "SQLITE_TOOBIG":
            raise Endless(f"it has a value of more than {LONGEST_VALUE:,} bytes") from None
        # The text of the error may be of the file's own making.
        word = "not a database" if "not a database" in str(error) else "malformed"
        raise Unreadable(f"SQLite cannot read it ({type(error).__name__}: {word})") from None


@contextmanager
def opened(file: Path, table: str, *, clock: Callable[[], float]) -> Iterator[Table]:
    """
    Open a table of a SQLite file, which is only read.

    :param file: the file; nothing is written beside it.
    :param table: name of the table, in lower case; part of the program, not of anything from outside.
    :param clock: tells seconds, from any start.
    :raises Unreadable: the file is no database, or a part of one, or has no such table.
    :raises Endless: it is one, and none that is read.
    """
    _check_schema_size(file)
    deadline = _Deadline(clock, LONGEST_READING)
    # Immutable: for a database in WAL mode SQLite would otherwise make files beside it.
    uri = f"file:{quote(str(file))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        database.text_factory = functools.partial(str, encoding="utf-8", errors="replace")
        for limit, value in _LIMITS.items():
            database.setlimit(limit, value)
        database.set_progress_handler(deadline.check, _STEPS_BETWEEN_LOOKS)
        for pragma in (
            "trusted_schema = OFF",  # functions with side effects, and virtual tables, not from the schema
            "cell_size_check = ON",
            "mmap_size = 0",  # a file that is damaged is an error, and no signal
            "query_only = ON",
            "ignore_check_constraints = ON",  # quick_check would compute them
        ):
            database.execute(f"PRAGMA {pragma}")
        database.set_authorizer(functools.partial(_authorize, table))
        yield Table(database, table, deadline)


def _authorize(
    table: str, action: int, first: str | None, second: str | None, _database: str | None, inner: str | None
) -> int:
    """Allow what this module asks for, and nothing that a view, a trigger or the schema may add."""
    if inner is not None:  # asked for by a view or a trigger
        return sqlite3.SQLITE_DENY
    allowed = (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and str(first).lower() in (table, "sqlite_master", "sqlite_schema"))
        or (action == sqlite3.SQLITE_FUNCTION and second in ("substr", "typeof", "lower"))
        or (action == sqlite3.SQLITE_PRAGMA and first in ("table_xinfo", "quick_check") and second == table)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _check_schema_size(file: Path) -> None:
    """
    Make sure that the list of tables is short, before SQLite reads it.

    It is a tree whose root is the first page (https://www.sqlite.org/fileformat.html, 1.6): here of one page, or
    of one page above :data:`MOST_SCHEMA_PAGES` at most.
    """
    with file.open("rb") as content:
        first = content.read(512)
        if not first:
            raise Unreadable("it is empty")
        if len(first) < 112 or not first.startswith(_HEADER):
            raise Unreadable("SQLite cannot read it (not a database)")
        size = int.from_bytes(first[16:18], "big")
        size = 65_536 if size == 1 else size
        kind, cells = first[100], int.from_bytes(first[103:105], "big")
        if kind == _LEAF:
            return
        if kind != _INTERIOR or size < 512:
            raise Unreadable("SQLite cannot read it (malformed)")
        content.seek(0)
        page = content.read(size)
        places = [int.from_bytes(page[112 + 2 * each : 114 + 2 * each], "big") for each in range(cells)]
        below = [int.from_bytes(page[place : place + 4], "big") for place in places] + [
            int.from_bytes(page[108:112], "big")
        ]
        if len(below) > MOST_SCHEMA_PAGES:
            raise Endless("it has too many tables")
        for number in below:
            content.seek(max(0, number - 1) * size)
            if content.read(1) != bytes([_LEAF]):
                raise Endless("it has too many tables")
