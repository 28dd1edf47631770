"""Cursor of completions, in a store that outlives this process and that other watches write to as well."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, Protocol

from airflow_sentinelhub.jobs import CompletionCursor
from airflow_sentinelhub.jobs.completion_cursor import MOST_OPEN
from airflow_sentinelhub.waits.progress_log import LogLine


class CursorStore(Protocol):
    """Keeps one value of plain JSON, also when this process ends."""

    async def read(self) -> object:
        """Return the value; ``None`` if there is none."""

    async def write(self, value: dict[str, Any]) -> None:
        """Replace the value."""


class InMemoryCursorStore:
    """Cursor store that is lost with the process."""

    def __init__(self) -> None:
        self._value: object = None

    async def read(self) -> object:
        """Return the value."""
        return self._value

    async def write(self, value: dict[str, Any]) -> None:
        """Replace the value."""
        self._value = value


class SharedCursor:
    """
    The cursor of one watch, as it was last read from the store or written to it.

    :param store: where it is kept.
    :param say: writes a line into the log.
    :param writer: tells this watch from others with the same store: one that was frozen and goes on, while another
        one has taken its place.
    """

    def __init__(self, store: CursorStore, say: LogLine, writer: str) -> None:
        self._store, self._say, self._writer = store, say, writer
        self._value: CompletionCursor | None = None
        self._written: CompletionCursor | None = None
        self._store_failed = False
        self._too_many = False

    @property
    def value(self) -> CompletionCursor | None:
        """The cursor; ``None`` before it is read."""
        return self._value

    def is_written(self, cursor: CompletionCursor) -> bool:
        """Return whether the store has this cursor already."""
        return cursor == self._written

    async def read(self) -> bool:
        """Read the cursor; return whether the store could be read."""
        try:
            stored = await self._store.read()
        except Exception as error:
            self.record_failure(error)
            return False
        self._adopt(stored)
        return True

    async def take_over(self) -> bool:
        """
        Take what another watch has written that has taken the place of this one.

        :return: whether there is one; what it noted holds.
        """
        stored = await self._store.read()
        writer = stored.get("writer") if isinstance(stored, dict) else None
        if stored is None or writer == self._writer or self._written is None:
            return False
        self._say(
            logging.INFO,
            "Another triggerer has told ends of the same jobs meanwhile; this one goes on from there.",
        )
        self._adopt(stored)
        return True

    def keep(self, cursor: CompletionCursor) -> None:
        """Keep a cursor in this process; it is written later."""
        self._value = cursor

    async def write(self, cursor: CompletionCursor) -> CompletionCursor:
        """
        Write a cursor.

        :return: the cursor as it was written.
        """
        cursor = replace(cursor, writer=self._writer)
        await self._store.write(cursor.to_json())
        self._value = self._written = cursor
        if self._store_failed:
            self._store_failed = False
            self._say(logging.INFO, "Airflow notes again what is told.")
        too_many = len(cursor.pending) > MOST_OPEN
        if too_many and not self._too_many:
            self._say(
                logging.WARNING,
                f"{len(cursor.pending)} jobs may still end; only {MOST_OPEN} of them are remembered when this "
                "triggerer is restarted. Name the jobs with request_ids.",
            )
        self._too_many = too_many
        return cursor

    def record_failure(self, error: Exception) -> None:
        """Record that the store, or what is told, failed; it is said once."""
        if not self._store_failed:
            self._store_failed = True
            self._say(
                logging.WARNING,
                # Only its type: the text may come from any backend of the state store and hold anything.
                f"Airflow cannot note or take what is to be told ({type(error).__name__}). Ends are told when it "
                "can; it is tried again and again.",
            )

    def _adopt(self, stored: object) -> None:
        try:
            cursor = CompletionCursor.from_json(stored)
        except ValueError as error:
            self._say(
                logging.ERROR, f"What was noted of earlier ends cannot be read ({error}), so this begins anew."
            )
            cursor = CompletionCursor()
        self._value, self._written = cursor, None
