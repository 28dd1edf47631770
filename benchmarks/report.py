"""The result as a table for people, and as JSON for programs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from benchmarks.figures import Duration, Row
from benchmarks.options import PLAIN, Options
from benchmarks.plan import MOST_PROCESSES, SETTLING
from benchmarks.probes import Lag

_NOTHING, _GAP = "-", "  "
_WIDTH = 140
_SDK_SHORTEST_INTERVAL = 60.0

_COLUMNS: tuple[tuple[str, str, Callable[[Row], str]], ...] = (
    ("", "waits", lambda row: f"{row.waits:,}"),
    ("", "variant", lambda row: row.variant),
    ("requests", "/min", lambda row: _count(row.figures.requests_per_minute)),
    ("requests", "/interval", lambda row: _count(row.figures.requests_per_interval)),
    ("requests", "tokens", lambda row: f"{row.figures.tokens:,.0f}"),
    ("429s", "all", lambda row: f"{row.figures.refused:,}"),
    ("429s", ">1 min", lambda row: _maybe(row.figures.refused_after_first_minute, "{:,}".format)),
    ("for each wait", "CPU s/h", lambda row: f"{row.figures.cpu_seconds_per_wait_hour:.3f}"),
    ("for each wait", "KiB", lambda row: _kib(row.figures.memory_per_wait)),
    ("for each wait", "over idle", lambda row: _kib(_over_idle(row))),
    ("loop lag, ms", "p50", lambda row: _lag(row.figures.lag, "p50")),
    ("loop lag, ms", "p99", lambda row: _lag(row.figures.lag, "p99")),
    ("loop lag, ms", "max", lambda row: _lag(row.figures.lag, "max")),
    ("loop lag, ms", "at start", lambda row: _lag(row.figures.lag_at_start, "max")),
    ("DONE seen after, s", "p50", lambda row: _duration(row.figures.detection.p50)),
    ("DONE seen after, s", "p99", lambda row: _duration(row.figures.detection.p99)),
    ("DONE seen after, s", "seen", lambda row: _seen(row)),
    ("", "all known, s", lambda row: _maybe(row.figures.all_seen_after, _duration)),
    ("", "emulator", lambda row: _maybe(row.figures.emulator_load, "{:.0%}".format)),
)


def table(rows: Sequence[Row], options: Options, facts: Mapping[str, Any]) -> str:
    """
    Give the result as text: a table for each scenario, and what its columns mean.

    :param facts: where it was measured, see :func:`machine`.
    """
    parts = []
    for scenario in dict.fromkeys(row.scenario for row in rows):
        title = "No limit of requests" if scenario == PLAIN else f"{options.limit} requests a minute"
        if scenario != PLAIN:
            title += ", which the waits were told" if options.declare_limit else ", which the waits were not told"
        parts += [title, "", *_aligned([row for row in rows if row.scenario == scenario]), ""]
    return "\n".join([*parts, *_notes(rows, options, facts)])


def as_json(rows: Sequence[Row], options: Options, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result with everything that it depends on. Seconds and bytes, where nothing else is said."""
    parameters = {name: value for name, value in asdict(options).items() if name != "json"}
    return {"machine": facts, "parameters": parameters, "results": [asdict(row) for row in rows]}


def machine() -> dict[str, Any]:
    """Return what is known of where this runs, and how busy that was before."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": cores,
        "default_executor_threads": min(32, (os.cpu_count() or 1) + 4),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "load_average": os.getloadavg()[0],
        **{
            name: importlib.metadata.version(name)
            for name in ("apache-airflow", "airflow-provider-sentinelhub", "sentinelhub")
        },
    }


def wrong_ends(rows: Sequence[Row]) -> list[str]:
    """Return a line for each measurement in which waits ended that should not have, or not so."""
    return [
        f"{len(row.figures.wrong_ends):,} of {row.waits:,} waits of {row.variant!r} ({row.scenario}) ended "
        f"wrongly, the first with: {row.figures.wrong_ends[0]}"
        for row in rows
        if row.figures.wrong_ends and row.extrapolated_from is None
    ]


def _aligned(rows: Sequence[Row]) -> list[str]:
    cells = [[_marked(row, name, show(row)) for _, name, show in _COLUMNS] for row in rows]
    names = [name for _, name, _ in _COLUMNS]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = [[cell.rjust(width) for cell, width in zip(line, widths, strict=True)] for line in (names, *cells)]
    return [_groups(widths).rstrip(), *(_GAP.join(line) for line in lines)]


def _groups(widths: Sequence[int]) -> str:
    """Return the line above the names, with what neighbours have in common."""
    spans: list[tuple[str, int]] = []
    for (group, _, _), width in zip(_COLUMNS, widths, strict=True):
        if group and spans and spans[-1][0] == group:
            spans[-1] = (group, spans[-1][1] + len(_GAP) + width)
        else:
            spans.append((group, width))
    return _GAP.join(f" {group} ".center(width, "-") if group else " " * width for group, width in spans)


def _marked(row: Row, name: str, cell: str) -> str:
    known = row.extrapolated_from is None or name in ("waits", "variant") or cell == _NOTHING
    return cell if known else f"~{cell}"


def _notes(rows: Sequence[Row], options: Options, facts: Mapping[str, Any]) -> list[str]:
    variants = {row.variant for row in rows}
    notes = [
        f"Python {facts['python']}, Airflow {facts['apache-airflow']}, {facts['cores']} cores, "
        f"load average before {facts['load_average']:.1f}.",
        f"Each wait looks every {options.interval:g} s; figures are of {options.intervals} such intervals. Each "
        f"answer of the service takes {options.answer_seconds:g} s; its list has {options.page_size} jobs a page.",
        "-: there is no such figure. >: it had not happened when the measurement ended, so long after.",
        "Tokens and 429s: from beginning to end. > 1 min: later than a minute after the first wait had begun.",
        "CPU s/h: of the processes that wait, while nobody measures the lag of their event loop.",
        "KiB: growth of resident memory. With few waits it is mostly what the first of them needs (threads, "
        "connections). Over idle: what is left without the needs of a trigger that does nothing.",
        "Loop lag: by how much sleeps of 20 ms on the event loop of the waits were too long. At start: the most "
        f"while waits began and in the {SETTLING} intervals after that.",
        "DONE seen after: from the end of a job until its wait ends. Seen: of how many ends.",
        "All known: from the beginning of the first wait until each had seen its job, as after a restart.",
        "Emulator: its processor time, in parts of one core.",
    ]
    if "loop" in variants:
        notes.append(
            "loop: all its waits share one client, its token and what it knows of a 429, and the "
            f"{facts['default_executor_threads']} threads of asyncio's default executor. Far fewer requests "
            "an interval than waits mean that it cannot keep up; its processor time is then that of fewer looks."
        )
    if "sdk" in variants:
        notes.append(
            f"sdk: sentinelhub-py {facts['sentinelhub']}, a process for each wait, without Airflow. Memory is "
            "what such a process has for itself alone."
        )
        if any(row.extrapolated_from for row in rows):
            notes.append(
                f"~: not measured. Extrapolated from {MOST_PROCESSES} processes: requests and tokens in "
                "proportion, the rest unchanged, since no process knows of another."
            )
        if options.interval < _SDK_SHORTEST_INTERVAL:
            notes.append(
                f"sdk: the library refuses intervals below {_SDK_SHORTEST_INTERVAL:g} s; its constant "
                f"_MIN_SLEEP_TIME was set to {options.interval:g} for this."
            )
    return [textwrap.fill(note, _WIDTH, subsequent_indent="  ") for note in notes]


def _count(number: float) -> str:
    return f"{number:,.1f}" if number < 100 else f"{number:,.0f}"


def _maybe(value: Any, show: Callable[[Any], str]) -> str:
    return _NOTHING if value is None else show(value)


def _over_idle(row: Row) -> float | None:
    return None if row.idle_memory is None else row.figures.memory_per_wait - row.idle_memory


def _kib(memory: float | None) -> str:
    return _maybe(
        memory, lambda value: f"{value / 1024:,.1f}" if abs(value) < 100 * 1024 else f"{value / 1024:,.0f}"
    )


def _seen(row: Row) -> str:
    detection = row.figures.detection
    return _NOTHING if row.extrapolated_from else f"{detection.seen}/{detection.ends}"


def _lag(lag: Lag | None, which: Literal["p50", "p99", "max"]) -> str:
    return _maybe(lag, lambda value: f"{value[which] * 1000:,.1f}")


def _duration(duration: Duration) -> str:
    return f"{'>' if duration.or_more else ''}{duration.seconds:,.1f}"
