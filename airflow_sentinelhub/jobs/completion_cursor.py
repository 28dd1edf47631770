"""
Cursor over job completions: which of them are new.

The service shows the present state of jobs only, so the cursor keeps which completions were emitted. It has to be
small and survive restarts. So it keeps the jobs that may still end, and not those that have ended. A job that is
not among them has ended before, unless it is too new to have been seen.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from airflow_sentinelhub.jobs.completion import Completion, is_stale_status
from airflow_sentinelhub.jobs.listed_job import ListedJob

LATE = 600.0
"""Seconds by which a job may come onto the list later than one that was created after it."""

MOST_OPEN = 1200
"""Jobs that may still end, that are remembered at most. They take 46 KB then; Airflow warns above 64 KB."""

MOST_CLOSED = 500
"""Jobs that were created a moment ago and have ended, that are remembered at most."""


@dataclass(frozen=True, slots=True)
class JobReading:
    """
    A job as one poll shows it.

    :param listed: the job.
    :param end: the end that it has come to; ``None``: none yet.
    """

    listed: ListedJob
    end: Completion | None


class NewCompletion(NamedTuple):
    """
    An end that was not told yet.

    :param listed: the job.
    :param end: its end.
    """

    listed: ListedJob
    end: Completion

    @property
    def key(self) -> str:
        """The name of the completion among those of all jobs, by which a repeated event is recognised."""
        return f"{self.listed.key} {self.end.name}"


@dataclass(frozen=True, slots=True)
class CompletionCursor:
    """
    State of a completion watch between two polls.

    :param since: jobs created from then on are new unless ``recent`` has them; ``None``: nothing was seen yet.
        Seconds since 1970, by the service's clock.
    :param pending: the jobs that may end (again), by id, with the end that was told last, in short; empty: none.
    :param recent: jobs created after ``since`` of which nothing is expected any more, in short, with the time of
        their creation.
    :param in_flight: fingerprints of completions whose events are being emitted; whether they were is not known.
    :param writer: who wrote it.
    """

    since: float | None = None
    pending: Mapping[str, str] = field(default_factory=dict)
    recent: Mapping[str, int] = field(default_factory=dict)
    in_flight: frozenset[str] = frozenset()
    writer: str = ""

    def review(
        self, readings: Iterable[JobReading], now: float, told_from: float | None = None
    ) -> tuple[CompletionCursor, list[NewCompletion]]:
        """
        Find what is new.

        :param readings: all jobs of the list that were created from ``since`` on, and those of ``pending`` that
            were looked at. When nothing was seen yet, all jobs.
        :param now: seconds since 1970.
        :param told_from: when nothing was seen yet, ended jobs created from then on are news, too; ``None``: none.
        :return: the cursor before the new completions are emitted, and these, oldest job first.
        """
        readings = list({reading.listed.key: reading for reading in reversed(list(readings))}.values())
        begun = now if self.since is None else self.since + LATE
        newest = max((each.listed.created for each in readings if each.listed.created is not None), default=begun)
        since = newest - LATE if self.since is None else max(self.since, newest - LATE)
        open_, closed = dict(self.pending), dict(self.recent)
        news: list[NewCompletion] = []
        for reading in readings:
            listed, end = reading.listed, reading.end
            key = listed.key
            if key not in open_ and self._is_settled(listed):
                continue  # also when it seems to be under way: a list may lag behind
            if end is None:
                open_.setdefault(key, "")
            elif self._is_new(listed, end, now, told_from):
                open_.setdefault(key, "")
                news.append(NewCompletion(listed, end))
            elif end.final:
                open_.pop(key, None)
                _close(closed, listed)
            else:
                open_.setdefault(key, fingerprint(end.name))
        news.sort(key=lambda each: each.listed.created or 0.0)
        return replace(self, since=since, pending=open_, recent=closed)._trimmed(), news

    def emitted(self, news: Iterable[NewCompletion]) -> CompletionCursor:
        """Record that completions were emitted, or are not to be emitted."""
        open_, closed, telling = dict(self.pending), dict(self.recent), set(self.in_flight)
        for each in news:
            telling.discard(fingerprint(each.key))
            if each.end.final:
                open_.pop(each.listed.key, None)
                _close(closed, each.listed)
            else:
                open_[each.listed.key] = fingerprint(each.end.name)
        return replace(self, pending=open_, recent=closed, in_flight=frozenset(telling))._trimmed()

    def mark_in_flight(self, news: Iterable[NewCompletion]) -> CompletionCursor:
        """Record that ends are about to be told."""
        return replace(self, in_flight=self.in_flight | {fingerprint(each.key) for each in news})

    def without(self, ids: Collection[str]) -> CompletionCursor:
        """Forget jobs that the service does not know any more."""
        return replace(self, pending={key: told for key, told in self.pending.items() if key not in ids})

    def to_json(self) -> dict[str, Any]:
        """Return the cursor as plain JSON; of too many jobs, those seen last are left out."""
        kept = list(self.pending.items())[:MOST_OPEN]
        return {
            "version": 1,
            "writer": self.writer,
            "since": self.since,
            "pending": [_packed(key) for key, told in kept if not told],
            "emitted": {_packed(key): told for key, told in kept if told},
            "recent": dict(self.recent),
            "in_flight": sorted(self.in_flight),
        }

    @classmethod
    def from_json(cls, stored: object) -> CompletionCursor:
        """
        Read what :meth:`to_json` wrote; ``None`` gives that of the beginning.

        :raises ValueError: it is nothing of the kind.
        """
        if stored is None:
            return cls()
        try:
            if stored["version"] != 1:  # type: ignore[index]
                raise ValueError(f"it is of version {stored['version']!r}")  # type: ignore[index]
            fields: Mapping[str, Any] = stored  # type: ignore[assignment]
            return cls(
                since=None if fields["since"] is None else float(fields["since"]),
                pending={_unpacked(key): "" for key in fields["pending"]}
                | {_unpacked(key): str(told) for key, told in fields["emitted"].items()},
                recent={str(key): int(created) for key, created in fields["recent"].items()},
                in_flight=frozenset(map(str, fields["in_flight"])),
                writer=str(fields["writer"]),
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None

    def is_new(self, key: str, created: float) -> bool:
        """
        Return whether a job may still end that no poll could read yet.

        :param key: its id, in lower case.
        :param created: when it was created, in seconds since 1970.
        """
        return self.since is not None and created >= self.since and fingerprint(key) not in self.recent

    def _is_settled(self, listed: ListedJob) -> bool:
        """Return whether a job that is not pending was seen before, so that it must have ended."""
        if self.since is None or listed.created is None:
            return False
        return listed.created < self.since or fingerprint(listed.key) in self.recent

    def _is_new(self, listed: ListedJob, end: Completion, now: float, told_from: float | None) -> bool:
        """Return whether the completion of a job that is pending, or was never seen, was not emitted yet."""
        told = self.pending.get(listed.key)
        if told is not None:
            return fingerprint(end.name) != told and not (
                told and not end.final and is_stale_status(listed.job, now)
            )
        if listed.created is None:
            return False  # whether it had ended before the first poll cannot be known
        return self.since is not None or (told_from is not None and listed.created >= told_from)

    def _trimmed(self) -> CompletionCursor:
        since = self.since or 0.0
        newest = sorted(self.recent.items(), key=lambda item: -item[1])
        if len(newest) > MOST_CLOSED:
            # What is created at the same second as the first that is left out has to be left out, too.
            since = max(since, newest[MOST_CLOSED][1] + 1.0)
        closed = {key: created for key, created in newest if created + 1.0 > since}
        return replace(self, since=None if self.since is None else since, recent=closed)


def fingerprint(text: str) -> str:
    """Return a text in twelve characters that hardly any other text has."""
    return hashlib.blake2s(text.encode(), digest_size=6).hexdigest()


def _close(closed: dict[str, int], listed: ListedJob) -> None:
    if listed.created is not None:
        closed[fingerprint(listed.key)] = int(listed.created)


def _packed(key: str) -> str:
    """Write an id in 22 characters instead of 36."""
    try:
        packed = base64.urlsafe_b64encode(uuid.UUID(key).bytes).rstrip(b"=").decode()
    except ValueError:
        return f"={key}"
    return packed if str(uuid.UUID(key)) == key else f"={key}"


def _unpacked(packed: str) -> str:
    if packed.startswith("="):
        return packed[1:]
    try:
        return str(uuid.UUID(bytes=base64.urlsafe_b64decode(packed + "==")))
    except ValueError as error:
        raise ValueError(f"{packed!r} is no id: {error}") from None
