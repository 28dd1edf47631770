"""A cursor that two watches share: what one has written, the other one takes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from airflow_sentinelhub.jobs import CompletionCursor
from airflow_sentinelhub.jobs.completion_cursor import MOST_OPEN
from airflow_sentinelhub.waits.cursor_store import InMemoryCursorStore, SharedCursor


class FailingStore(InMemoryCursorStore):
    failing = False

    async def read(self):
        if self.failing:
            raise ConnectionError("sqlite://user:secret@host")
        return await super().read()

    async def write(self, value):
        if self.failing:
            raise ConnectionError("sqlite://user:secret@host")
        await super().write(value)


class Watch:
    def __init__(self, store, writer):
        self.lines = []
        self.cursor = SharedCursor(store, lambda level, text: self.lines.append((level, text)), writer)

    def read(self):
        return asyncio.run(self.cursor.read())

    def write(self, **fields):
        return asyncio.run(self.cursor.write(CompletionCursor(since=1.0, **fields)))

    def take_over(self):
        return asyncio.run(self.cursor.take_over())


@pytest.fixture
def store():
    return FailingStore()


def test_an_empty_store_is_an_empty_cursor(store):
    watch = Watch(store, "a")
    assert watch.cursor.value is None
    assert watch.read()
    assert watch.cursor.value == CompletionCursor()


def test_what_is_written_is_read_by_the_next_watch(store):
    first, second = Watch(store, "a"), Watch(store, "b")
    written = first.write(pending={"1": ""})
    assert written.writer == "a"
    assert first.cursor.value == written
    assert first.cursor.is_written(written)
    assert second.read()
    assert second.cursor.value == written
    assert not second.cursor.is_written(written), "it goes on under its own name"


def test_a_cursor_that_is_kept_is_not_written(store):
    watch = Watch(store, "a")
    watch.write()
    kept = CompletionCursor(since=2.0)
    watch.cursor.keep(kept)
    assert watch.cursor.value == kept
    assert not watch.cursor.is_written(kept)


def test_a_watch_that_was_overtaken_goes_on_from_there(store):
    frozen, other = Watch(store, "a"), Watch(store, "b")
    frozen.write(pending={"1": ""})
    other.read()
    assert not frozen.take_over(), "the other one has only read"
    told = other.write(pending={"2": ""})
    assert frozen.take_over()
    assert frozen.cursor.value == told
    assert [text for _, text in frozen.lines if "Another triggerer" in text]
    assert not other.take_over()


def test_a_watch_that_has_written_nothing_yet_is_not_overtaken(store):
    Watch(store, "a").write()
    late = Watch(store, "b")
    late.read()
    assert not late.take_over()


def test_what_cannot_be_read_is_said_and_begun_anew(store):
    asyncio.run(store.write({"since": "yesterday"}))
    watch = Watch(store, "a")
    assert watch.read()
    assert watch.cursor.value == CompletionCursor()
    assert [level for level, _ in watch.lines] == [logging.ERROR]


def test_a_store_that_fails_is_said_once_without_its_words(store):
    watch = Watch(store, "a")
    store.failing = True
    assert not watch.read()
    assert not watch.read()
    assert watch.cursor.value is None
    store.failing = False
    watch.write()
    assert [level for level, _ in watch.lines] == [logging.WARNING, logging.INFO]
    assert "secret" not in str(watch.lines)
    assert "ConnectionError" in watch.lines[0][1]


def test_too_many_open_jobs_are_said_once(store):
    watch = Watch(store, "a")
    for _ in range(2):
        watch.write(pending={str(number): "" for number in range(MOST_OPEN + 1)})
    assert len(watch.lines) == 1
    assert "request_ids" in watch.lines[0][1]
