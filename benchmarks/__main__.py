"""Measure what many waits cost: ``make bench``; ``make bench ARGS="--help"`` lists what can be chosen."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import sys
import time
from collections.abc import Sequence

from benchmarks.measurement import measure, measure_idle
from benchmarks.options import Case, Options, cases, estimate, parse
from benchmarks.processes import ProcessDiedError
from benchmarks.report import Row, in_order, machine, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 only if every wait ended as it should."""
    options = parse(arguments)
    planned = cases(options)
    if not planned:
        print("There is nothing to measure: sdk takes no part in the limited scenario.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # each wait may have a connection
    with contextlib.suppress(ValueError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    facts = machine()
    usual, longest = (estimate(planned, options, detection) / 60 for detection in (2, 4))
    print(f"{len(planned)} measurements, about {usual:.0f} minutes; {longest:.0f} if many ends are noticed late.")
    try:
        measured = _measured(planned, options)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return 130
    except ProcessDiedError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    rows = in_order(measured, options)
    print(f"\n{table(rows, options, facts)}")
    written = {"machine": facts, "parameters": vars(options), "results": rows}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(written, indent=2, default=str) + "\n", encoding="utf-8")
    print(f"The same, and more, is in {options.json}.")
    wrong = [row for row in measured if row["wrong_ends"]]
    for row in wrong:
        which = f"{len(row['wrong_ends']):,} of {row['waits']:,} waits of {row['variant']!r} ({row['scenario']})"
        first = row["wrong_ends"][0]
        print(f"NOT AS IT SHOULD BE: {which} ended wrongly, the first with: {first}", file=sys.stderr)
    return 1 if wrong else 0


def _measured(planned: Sequence[Case], options: Options) -> list[Row]:
    began = time.monotonic()
    rows = []
    idle: dict[int, float] = {}
    for case in planned:
        minutes = (time.monotonic() - began) / 60
        print(f"  {minutes:5.1f} min  {case.scenario}: {case.variant}, {case.waits:,}", flush=True)
        row = measure(case, options)
        if case.variant != "sdk" and case.waits not in idle:
            idle[case.waits] = measure_idle(case.waits, options)
        row["memory_over_idle"] = None if case.variant == "sdk" else row["memory_per_wait"] - idle[case.waits]
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
