"""
Measures one case: waits begin, a few intervals pass, some are measured, jobs end.

Requests and processor time are counted while no job ends and nothing else is looked at. After that jobs end for
the length of an interval, so that they meet the polls at every phase, and the ends may take three more to be seen,
or as long as ``--patience`` says.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from airflow_sentinelhub.emulator import Emulator
from benchmarks.options import LIMITED, PATIENCE, SETTLING, Case, Options
from benchmarks.processes import Processes
from benchmarks.waits import job_id


def measure(case: Case, options: Options) -> dict[str, Any]:
    """Measure one case; return its figures, in seconds and bytes where nothing else is said."""
    interval = options.interval
    limit = {"requests_per_minute": options.limit} if case.scenario == LIMITED else {}
    settings = {"answer_seconds": options.answer_seconds, "page_size": options.page_size, **limit}
    with ExitStack() as stack:
        # In a thread of this process, which does nothing else meanwhile: its processor time is the emulator's.
        emulator = stack.enter_context(Emulator(speed=1, settings=settings))
        for number in range(case.waits):
            emulator.add_job("process", steps=_done_after(6 * 3600), job_id=job_id(number))
        connection = json.loads(emulator.airflow_connection)
        connection["extra"] |= limit if options.declare_limit else {}
        processes = Processes(stack, case.variant, case.waits, options, json.dumps(connection))
        early: list[int] = []
        first_minute = threading.Timer(60, lambda: early.append(_counts(emulator)[2]))
        first_minute.start()
        stack.callback(first_minute.cancel)

        began = min(processes.ask("begin"))
        processes.sleep(SETTLING * interval)

        late_at_start = processes.ask("pause")
        (before, *_), load, since = _counts(emulator), time.process_time(), time.monotonic()
        processes.sleep(interval * options.intervals)
        (after, *_), seconds = _counts(emulator), time.monotonic() - since
        load = (time.process_time() - load) / seconds
        spent = processes.ask("resume")

        ends = _end_jobs(emulator, case.waits, min(case.waits, options.ends), interval)
        deadline = max(ends.values()) + (options.patience or PATIENCE * interval)
        while (left := deadline - time.time()) > 0 and not ends.keys() <= _ended(processes.ask("look")).keys():
            processes.sleep(min(0.2, left))
        looks, until, late = processes.ask("look"), time.time(), processes.ask("pause")
        refused_early = early[:]  # before the end, or it may be later than that
        _, tokens, refused = _counts(emulator)
    requests, ended = after - before, _ended(looks)
    first_answers = sum(jobs for _, jobs, _ in looks)
    known_after = max(last for *_, last in looks) - began if first_answers == case.waits else math.inf
    return {
        **case._asdict(),
        "processes": len(spent),
        "window_seconds": seconds,
        "requests_per_minute": requests / seconds * 60,
        "requests_per_interval": requests / seconds * interval,
        "tokens": tokens,
        "refused": refused,
        "refused_after_first_minute": refused - refused_early[0] if refused_early else None,
        "cpu_seconds_per_wait_hour": sum(cpu for cpu, _ in spent) / seconds * 3600 / case.waits,
        "memory_per_wait": sum(memory for _, memory in spent) / case.waits,
        "lag_at_start": lag(late_at_start[0]),
        "lag": lag(late[0]),
        "detection": detection(ends, {job: at for job, (_, at) in ended.items()}, until),
        "first_answers": first_answers,
        "all_seen_after": duration(known_after, until - began),
        "emulator_load": load,
        "wrong_ends": [how for job, (how, _) in ended.items() if job not in ends or how != "done"],
        "extrapolated_from": None,
    }


def measure_idle(waits: int, options: Options) -> float:
    """Return the bytes of memory for each of so many triggers that do nothing."""
    with ExitStack() as stack:
        processes = Processes(stack, "idle", waits, options, "")
        processes.ask("begin")
        processes.sleep(1)
        processes.ask("pause")
        [(_, memory)] = processes.ask("resume")
        return float(memory) / waits


def _counts(emulator: Emulator) -> tuple[int, int, int]:
    """Return how many requests there were of the API, for tokens, and answered with 429."""
    counted = emulator.requests()
    tokens = counted["by_api"].get("token", 0)
    return counted["total"] - tokens, tokens, counted["by_status"].get("429", 0)


def _end_jobs(emulator: Emulator, of: int, count: int, within: float) -> dict[str, float]:
    """Let some jobs become DONE, evenly over a time, each at random in its part of it; return when each ends."""
    chance = random.Random(1)
    begin, ends = time.time(), {}
    for turn, number in enumerate(chance.sample(range(of), count)):
        now = time.time()
        left = max(0.0, begin + within * (turn + chance.random()) / count - now)
        emulator.set_scenario(job_id(number), steps=_done_after(left))
        ends[job_id(number)] = now + left
    return ends


def _done_after(seconds: float) -> list[dict[str, Any]]:
    return [{"status": "PROCESSING", "seconds": seconds}, {"status": "DONE"}]


def _ended(looks: Sequence[Any]) -> dict[str, tuple[str, float]]:
    """Return how and when each wait ended that has."""
    return {job: end for ended, *_ in looks for job, end in ended.items()}


def detection(ends: Mapping[str, float], seen: Mapping[str, float], until: float) -> dict[str, Any]:
    """Return how long after jobs became DONE their waits knew, by when each ended and, if it was, was seen."""
    took = sorted(seen.get(job, math.inf) - end for job, end in ends.items())
    unseen_for = min((until - end for job, end in ends.items() if job not in seen), default=0.0)
    p50, p99 = (duration(percentile(took, percent), unseen_for) for percent in (50, 99))
    return {"ends": len(ends), "seen": sum(map(math.isfinite, took)), "p50": p50, "p99": p99}


def duration(seconds: float, waited: float) -> dict[str, Any]:
    """Return how long something took; if for ever, that it was waited for so long or more."""
    known = math.isfinite(seconds)
    return {"seconds": seconds if known else waited, "or_more": not known}


def lag(late: Sequence[float]) -> dict[str, float] | None:
    """Return how late an event loop was, and how often that was looked at; ``None`` if there is none."""
    if not late:
        return None
    late = sorted(late)
    return {"p50": percentile(late, 50), "p99": percentile(late, 99), "max": late[-1], "samples": len(late)}


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent do not exceed, of at least one, the smallest first."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
