"""Measure what many waits cost: ``make bench``; ``make bench ARGS="--help"`` lists what can be chosen."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NoReturn

from benchmarks.figures import Figures, Row
from benchmarks.measurement import measure, measure_idle
from benchmarks.options import PLAIN, VARIANTS, Options, parse
from benchmarks.plan import MOST_PROCESSES, Case, cases, estimate, idle_sizes
from benchmarks.processes import ProcessDiedError, allow_many_files
from benchmarks.report import as_json, machine, table, wrong_ends


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 only if every wait ended as it should."""
    options = parse(arguments)
    planned = cases(options)
    if not planned:
        print("There is nothing to measure: sdk takes no part in the limited scenario.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    allow_many_files()
    facts = machine()
    usual, longest = (seconds / 60 for seconds in estimate(planned, options))
    print(f"{len(planned)} measurements, about {usual:.0f} minutes; {longest:.0f} if many ends are noticed late.")
    try:
        rows = _rows(options, *_measured(planned, options))
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return 130
    except ProcessDiedError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(f"\n{table(rows, options, facts)}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(as_json(rows, options, facts), indent=2) + "\n", encoding="utf-8")
    print(f"The same, and more, is in {options.json}.")
    wrong = wrong_ends(rows)
    for line in wrong:
        print(f"NOT AS IT SHOULD BE: {line}", file=sys.stderr)
    return 1 if wrong else 0


def _measured(planned: Sequence[Case], options: Options) -> tuple[dict[Case, Figures], dict[int, float]]:
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"  {(time.monotonic() - began) / 60:5.1f} min  {what}", flush=True)

    idle = {}
    for waits in idle_sizes(list(planned)):
        say(f"idle triggers, {waits:,}")
        idle[waits] = measure_idle(waits, options)
    figures = {}
    for case in planned:
        say(str(case))
        figures[case] = measure(case, options)
    say("done")
    return figures, idle


def _rows(options: Options, figures: Mapping[Case, Figures], idle: Mapping[int, float]) -> list[Row]:
    """Return the lines of the result, with what is extrapolated among them."""
    rows = [
        Row(
            scenario=case.scenario,
            variant=case.variant,
            waits=case.waits,
            figures=measured,
            idle_memory=None if case.variant == "sdk" else idle[case.waits],
        )
        for case, measured in figures.items()
    ]
    largest = figures.get(Case(PLAIN, "sdk", MOST_PROCESSES))
    rows += [
        Row(
            scenario=PLAIN,
            variant="sdk",
            waits=waits,
            figures=largest.extrapolated(MOST_PROCESSES, waits),
            extrapolated_from=MOST_PROCESSES,
        )
        for waits in set(options.waits)
        if largest and waits > MOST_PROCESSES
    ]
    scenarios = list(dict.fromkeys(case.scenario for case in figures))
    return sorted(rows, key=lambda row: (scenarios.index(row.scenario), row.waits, VARIANTS.index(row.variant)))


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
