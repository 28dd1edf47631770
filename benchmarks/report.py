"""The result as a table, and what its columns mean."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from benchmarks.options import LIMITED, MOST_PROCESSES, PLAIN, SCENARIOS, SETTLING, VARIANTS, Options

Row = dict[str, Any]  # a line of the result, as it is written to the file

_COLUMNS = [
    ("", "waits", "waits", "{:,}", 1),
    ("", "variant", "variant", "{}", 1),
    ("requests", "/min", "requests_per_minute", "{:,.1f}", 1),
    ("requests", "/interval", "requests_per_interval", "{:,.1f}", 1),
    ("requests", "tokens", "tokens", "{:,.0f}", 1),
    ("429s", "all", "refused", "{:,}", 1),
    ("429s", ">1 min", "refused_after_first_minute", "{:,}", 1),
    ("for each wait", "CPU s/h", "cpu_seconds_per_wait_hour", "{:.3f}", 1),
    ("for each wait", "KiB", "memory_per_wait", "{:,.1f}", 1 / 1024),
    ("for each wait", "over idle", "memory_over_idle", "{:,.1f}", 1 / 1024),
    ("loop lag, ms", "p50", "lag p50", "{:,.1f}", 1000),
    ("loop lag, ms", "p99", "lag p99", "{:,.1f}", 1000),
    ("loop lag, ms", "max", "lag max", "{:,.1f}", 1000),
    ("loop lag, ms", "at start", "lag_at_start max", "{:,.1f}", 1000),
    ("DONE seen after, s", "p50", "detection p50", "{:,.1f}", 1),
    ("DONE seen after, s", "p99", "detection p99", "{:,.1f}", 1),
    ("DONE seen after, s", "seen", "detection seen", "{}", 1),
    ("", "all known, s", "all_seen_after", "{:,.1f}", 1),
    ("", "emulator", "emulator_load", "{:.0%}", 1),
]
"""What neighbours have in common, the name of each, where its figure is, how it is written, times how much."""

# Those that begin with a variant are shown if that was measured.
_NOTES = """\
Python {python}, Airflow {apache-airflow}, {cores} cores, load average before {load_average:.1f}.
Each wait looks every {interval:g} s; figures are of {intervals} such intervals. Each answer of the service takes \
{answer_seconds:g} s; its list has {page_size} jobs a page.
-: there is no such figure. >: it had not happened when the measurement ended, so long after.
~: not measured. Extrapolated from {most_processes} processes: requests and tokens in proportion, the rest \
unchanged, since no process knows of another.
Tokens and 429s: from beginning to end. > 1 min: later than a minute after the first wait had begun.
CPU s/h: of the processes that wait, while nobody measures the lag of their event loop.
KiB: growth of resident memory. With few waits it is mostly what the first of them needs (threads, connections). \
Over idle: what is left without the needs of a trigger that does nothing.
Loop lag: by how much sleeps of 20 ms on the event loop of the waits were too long. At start: the most while \
waits began and in the {settling} intervals after that.
DONE seen after: from the end of a job until its wait ends. Seen: of how many ends.
All known: from the beginning of the first wait until each had seen its job, as after a restart.
Emulator: its processor time, in parts of one core.
loop: all its waits share one client, its token and what it knows of a 429, and the {default_executor_threads} \
threads of asyncio's default executor. Far fewer requests an interval than waits mean that it cannot keep up; its \
processor time is then that of fewer looks.
sdk: sentinelhub-py {sentinelhub}, a process for each wait, without Airflow. Memory is what such a process has \
for itself alone. The library refuses intervals below 60 s; its constant _MIN_SLEEP_TIME was set to {shortest:g}.
"""


def in_order(measured: Sequence[Row], options: Options) -> list[Row]:
    """Return the lines of the result, with what is extrapolated among them."""
    rows = list(measured)
    for row in measured:
        if (row["scenario"], row["variant"], row["waits"]) == (PLAIN, "sdk", MOST_PROCESSES):
            rows += [_extrapolated(row, waits) for waits in set(options.waits) if waits > MOST_PROCESSES]
    places = {name: place for place, name in enumerate(SCENARIOS + VARIANTS)}
    return sorted(rows, key=lambda row: (places[row["scenario"]], row["waits"], places[row["variant"]]))


def _extrapolated(row: Row, waits: int) -> Row:
    """Guess what more waits would cost, each in a process of its own that knows of no other."""
    in_proportion = ("requests_per_minute", "requests_per_interval", "tokens")
    return {
        **row,
        **{name: row[name] * waits / row["waits"] for name in in_proportion},
        # How soon a machine could start so many processes, and a service answer them, nobody has tried.
        **dict.fromkeys(("first_answers", "all_seen_after", "emulator_load")),
        "detection": row["detection"] | {"seen": None},
        "waits": waits,
        "processes": waits,
        "extrapolated_from": row["waits"],
    }


def machine() -> dict[str, Any]:
    """Return what is known of where this runs, and how busy that was before."""
    packages = ("apache-airflow", "airflow-provider-sentinelhub", "sentinelhub")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "default_executor_threads": min(32, (os.cpu_count() or 1) + 4),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "load_average": os.getloadavg()[0],
        **{name: importlib.metadata.version(name) for name in packages},
    }


def table(rows: Sequence[Row], options: Options, facts: Mapping[str, Any]) -> str:
    """Return the result as text: a table for each scenario, and what its columns mean."""
    told = "told" if options.declare_limit else "not told"
    lines = []
    for scenario, of_scenario in groupby(rows, key=lambda row: str(row["scenario"])):
        limited = f"{options.limit} requests a minute, which the waits were {told}"
        lines += [limited if scenario == LIMITED else "No limit of requests", ""]
        lines += [*_aligned([[_cell(row, *column[1:]) for column in _COLUMNS] for row in of_scenario]), ""]
    constants = {"settling": SETTLING, "most_processes": MOST_PROCESSES, "shortest": min(60.0, options.interval)}
    absent = set(VARIANTS) - {row["variant"] for row in rows}
    for note in _NOTES.format(**vars(options), **facts, **constants).splitlines():
        if note.partition(":")[0] not in absent:
            lines.append(textwrap.fill(note, 140, subsequent_indent="  "))
    return "\n".join(lines)


def _cell(row: Row, name: str, place: str, form: str, times: float) -> str:
    value: Any = row
    for key in place.split():
        value = None if value is None else value[key]
    if value is None:
        return "-"
    mark = "~" if row["extrapolated_from"] and name not in ("waits", "variant") else ""
    if isinstance(value, dict):
        mark += ">" if value["or_more"] else ""
        value = value["seconds"]
    text = mark + form.format(value * times)
    return f"{text}/{row['detection']['ends']}" if name == "seen" else text


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    lines = [[name for _, name, *_ in _COLUMNS], *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    above = []
    for group, columns in groupby(zip(_COLUMNS, widths, strict=True), key=lambda column: column[0][0]):
        space = "  ".join(" " * width for _, width in columns)
        above.append(f" {group} ".center(len(space), "-") if group else space)
    justified = [[cell.rjust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return ["  ".join(line).rstrip() for line in (above, *justified)]
