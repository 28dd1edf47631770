"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks.processes import ROOT

VARIANTS = ("ours", "loop", "sdk")
PLAIN, LIMITED = "plain", "limited"
_ARRIVALS = 50
_LONGEST_ARRIVAL = 20.0
_PATIENCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is measured, and how; the fields are the options of the command line, explained there."""

    waits: list[int]
    variants: list[str]
    scenarios: list[str]
    interval: float
    intervals: int
    answer_seconds: float
    page_size: int
    limit: int
    limited_waits: list[int]
    declare_limit: bool
    arrivals: int | None
    ends: int
    patience: float | None
    json: Path

    def arrivals_of(self, waits: int) -> int:
        """How many of so many waits begin each second."""
        return self.arrivals or max(_ARRIVALS, math.ceil(waits / _LONGEST_ARRIVAL))

    def patience_of(self) -> float:
        """Seconds after the last end of a job in which it may be noticed."""
        return self.patience or _PATIENCE * self.interval

    def arrival_of(self, waits: int) -> float:
        """Seconds until so many waits have begun."""
        return waits / self.arrivals_of(waits)


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; nonsense ends the program with a message."""
    given = _parser().parse_args(arguments)
    return Options(**{each.name: getattr(given, each.name) for each in fields(Options)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures what many waits cost, against the emulator: our triggers (ours), a poll loop per "
        "wait (loop), and monitor_batch_process_job of sentinelhub-py (sdk).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    positive, whole = _number(float, above=0), _number(int, above=0)
    add = parser.add_argument
    sizes = [1, 10, 100, 1000, 10_000]
    add("--waits", type=whole, nargs="+", metavar="N", default=sizes, help="how many waits, in the plain scenario")
    add("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="who waits")
    add(
        "--scenarios",
        nargs="+",
        choices=(PLAIN, LIMITED),
        default=[PLAIN, LIMITED],
        help="without and with a limit of the account; sdk takes no part in the latter",
    )
    add("--interval", type=positive, default=60.0, metavar="S", help="seconds between two looks of a wait")
    add("--intervals", type=whole, default=3, metavar="N", help="how many of them are measured")
    add(
        "--answer-seconds",
        type=_number(float, least=0),
        default=0.2,
        metavar="S",
        help="how long each answer of the service takes",
    )
    add("--page-size", type=whole, default=100, metavar="N", help="most jobs on a page of the service's list")
    add("--limit", type=whole, default=60, metavar="N", help="requests a minute in the limited scenario")
    add("--limited-waits", type=whole, nargs="+", metavar="N", default=[1000], help="how many waits there")
    add("--declare-limit", action="store_true", help="tell the limit to the waits, in their connection")
    add(
        "--arrivals",
        type=whole,
        metavar="N",
        help=f"waits that begin each second; without: {_ARRIVALS}, as in Airflow's triggerer, or as many as it "
        f"takes for all to have begun after {_LONGEST_ARRIVAL:g} s",
    )
    add("--ends", type=whole, default=100, metavar="N", help="how many jobs at most are let end")
    add(
        "--patience",
        type=positive,
        metavar="S",
        help=f"seconds after the last end of a job in which it may be noticed; without: {_PATIENCE} intervals",
    )
    add("--json", type=Path, default=ROOT / ".bench" / "results.json", metavar="FILE", help="where results go")
    return parser


def _number(
    kind: Callable[[str], float], *, above: float = -math.inf, least: float = -math.inf
) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and number > above and number >= least:
            return number
        bound = f"above {above:g}" if math.isfinite(above) else f"of at least {least:g}"
        raise argparse.ArgumentTypeError(f"{text!r} is no {'whole ' if kind is int else ''}number {bound}")

    return convert
