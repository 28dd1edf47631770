"""What is measured one after the other, and how long that will take."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.options import LIMITED, PLAIN, Options

MOST_PROCESSES = 8
"""Of ``sdk``: more waits are extrapolated from so many."""

_START = {"ours": 4.0, "loop": 4.0, "sdk": 15.0}
_START_IDLE = 6.0
_ADD_A_JOB = 0.001
_USUAL_DETECTION = 2.0
_LONGEST_DETECTION = 4.0


@dataclass(frozen=True, slots=True)
class Case:
    """
    One measurement.

    :param scenario: ``plain`` or ``limited``.
    :param variant: who waits.
    :param waits: how many.
    :param limit: requests a minute that the account allows; ``None``: any number.
    """

    scenario: str
    variant: str
    waits: int
    limit: int | None = None

    def __str__(self) -> str:
        limit = "" if self.limit is None else f", {self.limit} requests a minute"
        return f"{self.variant}, {self.waits:,} wait{'s' if self.waits > 1 else ''}{limit}"


def cases(options: Options) -> list[Case]:
    """Return the measurements in order: the variants of each size side by side."""
    found = []
    if PLAIN in options.scenarios:
        for waits in sorted(set(options.waits)):
            found += [Case(PLAIN, variant, waits) for variant in options.variants if variant != "sdk"]
            if "sdk" in options.variants:
                found.append(Case(PLAIN, "sdk", min(waits, MOST_PROCESSES)))
    if LIMITED in options.scenarios:
        for waits in sorted(set(options.limited_waits)):
            # What processes that know of no other do to each other at a limit cannot be extrapolated.
            found += [
                Case(LIMITED, variant, waits, options.limit) for variant in options.variants if variant != "sdk"
            ]
    return list(dict.fromkeys(found))


SETTLING = 3
"""Intervals before anything is counted: waits that share requests meet after three turns at the latest."""


def idle_sizes(planned: list[Case]) -> list[int]:
    """How many idle triggers there are to compare with."""
    return sorted({case.waits for case in planned if case.variant != "sdk"})


def estimate(planned: list[Case], options: Options) -> tuple[float, float]:
    """Return the seconds that all this is likely to take, and those that it takes if ends are noticed late."""
    usual = longest = 0.0
    for case in planned:
        arrival = options.arrival_of(case.waits) if case.variant != "sdk" else 0.0
        fixed = _START[case.variant] + case.waits * _ADD_A_JOB + arrival
        steady = options.interval * (SETTLING + options.intervals)
        usual += fixed + steady + _USUAL_DETECTION * options.interval
        longest += fixed + steady + _LONGEST_DETECTION * options.interval
    for waits in idle_sizes(planned):
        idle = _START_IDLE + options.arrival_of(waits)
        usual, longest = usual + idle, longest + idle
    return usual, longest
