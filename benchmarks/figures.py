"""What comes out of measuring one variant with so many waits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from benchmarks.probes import Lag, percentile


@dataclass(frozen=True, slots=True)
class Duration:
    """
    How long something took.

    :param seconds: so long.
    :param or_more: it had not happened when the measurement ended, that much later.
    """

    seconds: float
    or_more: bool = False


@dataclass(frozen=True, slots=True)
class Detection:
    """
    How long after a job became DONE its wait knew.

    :param ends: how many jobs were let end.
    :param seen: how many of these ends were noticed before the measurement ended.
    :param p50: half of them took no longer.
    :param p99: nearly all took no longer.
    """

    ends: int
    seen: int
    p50: Duration
    p99: Duration

    @classmethod
    def of(cls, ends: Mapping[str, float], seen: Mapping[str, float], until: float) -> Self:
        """
        Compare when jobs ended with when that was seen.

        :param ends: moment of the end by job.
        :param seen: moment of the trigger's event by job; those that are missing were not seen.
        :param until: when the measurement ended.
        """
        took = [seen[job] - end if job in seen else math.inf for job, end in ends.items()]
        unseen_for = min((until - end for job, end in ends.items() if job not in seen), default=math.inf)

        def at(percent: float) -> Duration:
            seconds = percentile(sorted(took), percent)
            return Duration(seconds) if math.isfinite(seconds) else Duration(unseen_for, or_more=True)

        return cls(len(ends), sum(map(math.isfinite, took)), at(50), at(99))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """
    The figures of one measurement.

    :param processes: how many processes the waits needed.
    :param window_seconds: length of the steady state in which requests and processor time were counted.
    :param requests_per_minute: that reached the API in the steady state.
    :param requests_per_interval: the same for one poll interval.
    :param tokens: requests for tokens, from beginning to end.
    :param refused: requests that were answered with 429, from beginning to end.
    :param refused_after_first_minute: those of them that came later than a minute after the first wait had begun;
        ``None`` if it was all over by then.
    :param cpu_seconds_per_wait_hour: processor time of the waits' processes, without the benchmark's lag probe.
    :param memory_per_wait: bytes.
    :param lag_at_start: of the event loop while waits begin, and an interval longer; ``None`` without one.
    :param lag: of the event loop in the steady state, with jobs that end.
    :param detection: of jobs that became DONE.
    :param first_answers: how many waits had seen their job before the measurement ended.
    :param all_seen_after: from the first wait's beginning until each wait had seen its job.
    :param emulator_load: processor time of the emulator in the steady state, as a share of one core.
    :param wrong_ends: how waits ended that should not have, or not so.
    """

    processes: int
    window_seconds: float
    requests_per_minute: float
    requests_per_interval: float
    tokens: float
    refused: int
    refused_after_first_minute: int | None
    cpu_seconds_per_wait_hour: float
    memory_per_wait: float
    lag_at_start: Lag | None
    lag: Lag | None
    detection: Detection
    first_answers: int | None
    all_seen_after: Duration | None
    emulator_load: float | None
    wrong_ends: Sequence[str]

    def extrapolated(self, measured: int, wanted: int) -> Figures:
        """
        Guess what more waits would cost, each in a process of its own that knows of no other.

        :param measured: waits that were measured.
        :param wanted: waits to guess for.
        """
        times = wanted / measured
        return replace(
            self,
            processes=wanted,
            requests_per_minute=self.requests_per_minute * times,
            requests_per_interval=self.requests_per_interval * times,
            tokens=self.tokens * times,
            # How soon a machine could start so many processes, and a service answer them, nobody has tried.
            first_answers=None,
            all_seen_after=None,
            emulator_load=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    A line of the result.

    :param scenario: ``plain`` or ``limited``.
    :param variant: who waits.
    :param waits: how many.
    :param figures: what that costs.
    :param extrapolated_from: how many waits were measured, if not so many.
    :param idle_memory: bytes that a trigger that does nothing needs, with as many of them.
    """

    scenario: str
    variant: str
    waits: int
    figures: Figures
    extrapolated_from: int | None = None
    idle_memory: float | None = None
