"""A job's life as a list of steps, and where on it a job is at a given time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_sentinelhub.emulator import limits
from airflow_sentinelhub.jobs import JobStatus

_OWN_KEYS = frozenset({"status", "seconds", "completionPercentage", "cost", "tiles", "remove", "gone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineStep:
    """
    A stretch of a job's life during which the service says the same of it.

    :param status: what the service says; any word.
    :param seconds: how long, in service seconds; ``None`` for ever.
    :param percentage: completion at the beginning and at the end. Default: PROCESSING grows to 100, DONE is
        100, everything else stays where it was.
    :param cost: processing units, instead of those that the completion suggests.
    :param tiles: tiles by status (V1), instead of those that the completion suggests.
    :param fields: payload fields that are sent as they are, ``None`` as null.
    :param remove: payload fields that are not sent.
    :param gone: the job is answered with 404.
    :param scripted: payload fields whose content a test chose, so that it may be anything.
    """

    status: str = JobStatus.CREATED
    seconds: float | None = None
    percentage: tuple[float, float] | None = None
    cost: float | None = None
    tiles: Mapping[str, int] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    remove: frozenset[str] = frozenset()
    gone: bool = False
    scripted: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> TimelineStep:
        """
        Read a step as the control interface takes it.

        :raises ValueError: if it is neither a status nor gone, or a value makes no sense.
        """
        gone = limits.flag('"gone" of a step', given.get("gone", False))
        status = given.get("status", "" if gone else None)
        if not isinstance(status, str):
            raise ValueError(f'A step needs a "status" (any word) or "gone": true, but was {limits.brief(given)}')
        limits.check_depth(given, limits.DEEPEST_SCRIPTED)
        fields = {name: value for name, value in given.items() if name not in _OWN_KEYS}
        percentage = given.get("completionPercentage")
        if percentage is None and "completionPercentage" in given:
            fields["completionPercentage"] = None
        return cls(
            status=status,
            seconds=_optional(limits.seconds, given, "seconds"),
            percentage=_range(percentage),
            cost=_optional(limits.number, given, "cost"),
            tiles=_tiles(given.get("tiles")),
            fields=fields,
            remove=_names(given.get("remove", ())),
            gone=gone,
            scripted=frozenset({"status", *fields}),
        )

    def span(self, before: float) -> tuple[float, float]:
        """
        Completion at the beginning and at the end.

        :param before: completion when the step before ended.
        """
        if self.percentage is not None:
            return self.percentage
        if self.status == JobStatus.DONE:
            return 100.0, 100.0
        if self.status == JobStatus.PROCESSING and self.seconds is not None:
            return before, max(before, 100.0)
        return before, before


@dataclass(frozen=True, slots=True)
class TimelinePoint:
    """
    State of a job at one time.

    :param step: the step that it is in.
    :param since: when that step began.
    :param percentage: completion; a whole number while it grows.
    :param updated: when the service last changed anything about it.
    :param passed: statuses that it has had, this one included.
    """

    step: TimelineStep
    since: datetime
    percentage: float
    updated: datetime
    passed: frozenset[str]

    @property
    def status(self) -> str:
        """The status that the service shows."""
        return self.step.status

    def rest(self, now: datetime, default: float) -> float:
        """Service seconds that are left of the step; ``default`` if it has no end."""
        if self.step.seconds is None:
            return default
        return max(0.0, self.step.seconds - (now - self.since).total_seconds())


@dataclass(frozen=True, slots=True)
class Timeline:
    """
    Steps that a job lives through.

    :param steps: at least one. The last one stays for ever, whatever its length.
    :param started: when the first one began.
    :param percentage: completion at that time.
    """

    steps: Sequence[TimelineStep]
    started: datetime
    percentage: float = 0.0

    def at(self, now: datetime) -> TimelinePoint:
        """Return where a job is: computed from the time alone, so that asking changes nothing."""
        begin, before = self.started, self.percentage
        passed = set()
        for position, step in enumerate(self.steps):
            passed.add(step.status)
            last = position == len(self.steps) - 1
            if last or step.seconds is None or (now - begin).total_seconds() < step.seconds:
                return _within(step, begin, now, before, frozenset(passed))
            begin, before = begin + timedelta(seconds=step.seconds), step.span(before)[1]
        raise ValueError("A job's script needs at least one step")

    @property
    def may_be_gone(self) -> bool:
        """True if there is a step in which the job is answered with 404."""
        return any(step.gone for step in self.steps)

    def reaches(self, status: str, since: datetime) -> datetime | None:
        """Return when it next has this status; ``since`` if it has it then, ``None`` if never again."""
        begin = self.started
        for step in self.steps[:-1]:
            if step.seconds is None:
                return max(begin, since) if step.status == status else None
            end = begin + timedelta(seconds=step.seconds)
            if step.status == status and end > since:
                return max(begin, since)
            begin = end
        return max(begin, since) if self.steps[-1].status == status else None


def parse_steps(given: Sequence[Mapping[str, Any]]) -> tuple[TimelineStep, ...]:
    """
    Read a list of steps.

    :raises ValueError: if it is empty or not a list, a step before the last one has no length, or all of them take
        more than a century.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence) or not given:
        raise ValueError('"steps" must be a list with at least one step')
    if not all(isinstance(each, Mapping) for each in given):
        raise ValueError('Each step is an object, e.g. {"status": "PROCESSING", "seconds": 60}')
    steps = tuple(TimelineStep.parse(each) for each in given)
    for step in steps[:-1]:
        if step.seconds is None:
            raise ValueError(f'Step {step.status!r} needs "seconds": only the last step stays for ever')
    limits.seconds("The length of all steps together", sum(step.seconds or 0.0 for step in steps))
    return steps


def _within(
    step: TimelineStep, begin: datetime, now: datetime, before: float, passed: frozenset[str]
) -> TimelinePoint:
    first, last = step.span(before)
    elapsed = max(0.0, (now - begin).total_seconds())
    if first == last:
        return TimelinePoint(step, begin, _whole(last), begin, passed)
    if not step.seconds or elapsed >= step.seconds:
        return TimelinePoint(step, begin, _whole(last), begin + timedelta(seconds=step.seconds or 0.0), passed)
    low, high = min(first, last), max(first, last)
    percentage = min(max(math.floor(first + (last - first) * elapsed / step.seconds), low), high)
    reached = step.seconds * (percentage - first) / (last - first)
    return TimelinePoint(step, begin, _whole(percentage), begin + timedelta(seconds=min(reached, elapsed)), passed)


def _whole(number: float) -> float:
    """Return the service writes 100, not 100.0."""
    return int(number) if float(number).is_integer() else number


def _optional(check: Callable[[str, object], float], given: Mapping[str, Any], name: str) -> float | None:
    value = given.get(name)
    return None if value is None else check(f"{name!r} of a step", value)


def _range(percentage: object) -> tuple[float, float] | None:
    match percentage:
        case None:
            return None
        case [first, last]:
            return _percentage(first), _percentage(last)
    return _percentage(percentage), _percentage(percentage)


def _percentage(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= limits.LARGEST:
        raise ValueError(
            f'"completionPercentage" of a step is a number or [from, to], but was {limits.brief(value)}'
        )
    return float(value)


def _tiles(given: object) -> dict[str, int] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ValueError(
            f'"tiles" of a step is a count by status, e.g. {{"PROCESSED": 3}}, not {limits.brief(given)}'
        )
    counts = {
        limits.text('A status in "tiles" of a step', status): limits.whole(f"The number of {status} tiles", count)
        for status, count in given.items()
    }
    limits.whole("The number of all tiles", sum(counts.values()))
    return counts


def _names(given: object) -> frozenset[str]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValueError(f'"remove" of a step is a list of fields, but was {limits.brief(given)}')
    return frozenset(limits.text('A field in "remove" of a step', each) for each in given)
