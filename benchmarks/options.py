"""The command line of the benchmark, and what is measured one after the other."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

VARIANTS = ("ours", "loop", "sdk")
SCENARIOS = PLAIN, LIMITED = ("plain", "limited")

MOST_PROCESSES = 8
"""Of ``sdk``: more waits are extrapolated from so many."""
SETTLING = 3
"""Intervals before anything is counted: waits that share requests meet after three turns at the latest."""
PATIENCE = 3
_ARRIVALS = 50
_LONGEST_ARRIVAL = 20.0


class Options(argparse.Namespace):
    """What is measured, and how: the options of the command line, explained there."""

    def arrivals_of(self, waits: int) -> int:
        """Return how many of so many waits begin each second."""
        return self.arrivals or max(_ARRIVALS, math.ceil(waits / _LONGEST_ARRIVAL))


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; nonsense ends the program with a message."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures what many waits cost, against the emulator: our triggers (ours), a poll loop per "
        "wait (loop), and monitor_batch_process_job of sentinelhub-py (sdk).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )

    def add(name: str, default: object, text: str, **more: Any) -> None:
        parser.add_argument(name, default=default, help=text, **more)

    whole: dict[str, Any] = {"type": _number(int), "metavar": "N"}
    seconds: dict[str, Any] = {"type": _number(float), "metavar": "S"}
    results = Path(__file__).resolve().parents[1] / ".bench" / "results.json"
    at_start = f"{_ARRIVALS}, as in Airflow's triggerer, or as many as it takes for all to have begun after"
    noticed = f"seconds after the last end of a job in which it may be noticed; without: {PATIENCE} intervals"
    limited = "without and with a limit of the account; sdk takes no part in the latter"
    add("--waits", [1, 10, 100, 1000, 10_000], "how many waits, in the plain scenario", nargs="+", **whole)
    add("--variants", list(VARIANTS), "who waits", nargs="+", choices=VARIANTS)
    add("--scenarios", list(SCENARIOS), limited, nargs="+", choices=SCENARIOS)
    add("--interval", 60.0, "seconds between two looks of a wait", **seconds)
    add("--intervals", 3, "how many of them are measured", **whole)
    add("--answer-seconds", 0.2, "how long each answer of the service takes", type=_number(float, 0), metavar="S")
    add("--page-size", 100, "most jobs on a page of the service's list", **whole)
    add("--limit", 60, "requests a minute in the limited scenario", **whole)
    add("--limited-waits", [1000], "how many waits there", nargs="+", **whole)
    add("--declare-limit", False, "tell the limit to the waits, in their connection", action="store_true")
    add("--arrivals", None, f"waits that begin each second; without: {at_start} {_LONGEST_ARRIVAL:g} s", **whole)
    add("--ends", 100, "how many jobs at most are let end", **whole)
    add("--patience", None, noticed, **seconds)
    add("--json", results, "where results go", type=Path, metavar="FILE")
    return parser.parse_args(arguments, Options())


def _number(kind: Callable[[str], float], least: float | None = None) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and (number > 0 or number == least):
            return number
        bound = "above 0" if least is None else f"of at least {least}"
        raise argparse.ArgumentTypeError(f"{text!r} is no {'whole ' if kind is int else ''}number {bound}")

    return convert


class Case(NamedTuple):
    """One measurement: who waits, and for how many jobs."""

    scenario: str
    variant: str
    waits: int


def cases(options: Options) -> list[Case]:
    """Return the measurements in order: the variants of each size side by side."""
    found = []
    for waits in sorted(set(options.waits)) if PLAIN in options.scenarios else []:
        for variant in options.variants:
            found.append(Case(PLAIN, variant, min(waits, MOST_PROCESSES) if variant == "sdk" else waits))
    for waits in sorted(set(options.limited_waits)) if LIMITED in options.scenarios else []:
        # What processes that know of no other do to each other at a limit cannot be extrapolated.
        found += [Case(LIMITED, variant, waits) for variant in options.variants if variant != "sdk"]
    return list(dict.fromkeys(found))


def estimate(planned: Sequence[Case], options: Options, detection: float) -> float:
    """Return the seconds that all this takes, if ends of jobs are noticed in so many intervals."""
    each = 10 + options.interval * (SETTLING + options.intervals + detection)
    arrivals = [case.waits / options.arrivals_of(case.waits) for case in planned if case.variant != "sdk"]
    return len(planned) * each + 2 * sum(arrivals)
