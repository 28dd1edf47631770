"""
Measures one case: waits begin, a few intervals pass, some are measured, jobs end.

Requests and processor time are counted while no job ends and nothing else is looked at. After that jobs end for
the length of an interval, so that they meet the polls at every phase, and the ends may take three more to be seen,
or as long as ``--patience`` says.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.conversation import Command
from benchmarks.figures import Detection, Duration, Figures
from benchmarks.options import Options
from benchmarks.plan import SETTLING, Case
from benchmarks.processes import ANSWERED_WITHIN, WaitingProcess, environment
from benchmarks.service import Counts, Service
from benchmarks.spec import Spec

_FIRST_MINUTE = 60.0
_TICK = 0.2
_IDLE_SECONDS = 1.0


def measure(case: Case, options: Options) -> Figures:
    """
    Measure one case, with an emulator and processes of its own.

    :raises ProcessDiedError: one of them gave up.
    """
    declared = {"requests_per_minute": case.limit} if case.limit and options.declare_limit else {}
    limit = {} if case.limit is None else {"requests_per_minute": case.limit}
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        service = stack.enter_context(
            Service(answer_seconds=options.answer_seconds, page_size=options.page_size, **limit)
        )
        service.add_jobs(case.waits)
        own = environment(service.connection(**declared), home)
        processes = [
            stack.enter_context(WaitingProcess(case.variant, spec, own, home / f"errors-{spec.first}"))
            for spec in _specs(case.variant, case.waits, options)
        ]
        for process in processes:
            process.ready()
        return _Measurement(case, options, service, processes).run()


def measure_idle(waits: int, options: Options) -> float:
    """Return the bytes of memory for each of so many triggers that do nothing."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        [spec] = _specs("idle", waits, options)
        process = stack.enter_context(WaitingProcess("idle", spec, environment("", home), home / "errors"))
        process.ready()
        process.tell(Command.BEGIN)
        process.answer(Command.BEGIN, ANSWERED_WITHIN + options.arrival_of(waits))
        time.sleep(_IDLE_SECONDS)
        process.tell(Command.WINDOW_BEGINS)
        process.answer(Command.WINDOW_BEGINS)
        process.tell(Command.WINDOW_ENDS)
        return float(process.answer(Command.WINDOW_ENDS)["memory"]) / waits


def _specs(variant: str, waits: int, options: Options) -> list[Spec]:
    if variant == "sdk":
        return [Spec(number, 1, 1, options.interval) for number in range(waits)]
    return [Spec(0, waits, options.arrivals_of(waits), options.interval)]


class _Later:
    """Counts requests when a time is over, if the measurement is not."""

    def __init__(self, service: Service, seconds: float) -> None:
        self.counts: Counts | None = None
        self._service = service
        self._timer = threading.Timer(seconds, self._count)
        self._timer.start()

    def _count(self) -> None:
        self.counts = self._service.counts()

    def __enter__(self) -> _Later:
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        self._timer.join()


class _Measurement:
    """
    The phases of one measurement.

    :param case: what is measured.
    :param options: and how.
    :param service: has the jobs.
    :param processes: are ready to wait for them.
    """

    def __init__(
        self, case: Case, options: Options, service: Service, processes: Sequence[WaitingProcess]
    ) -> None:
        self._case = case
        self._options = options
        self._service = service
        self._processes = processes
        self._ends: dict[str, float] = {}

    def run(self) -> Figures:
        """Go through all phases."""
        case, interval = self._case, self._options.interval
        with _Later(self._service, _FIRST_MINUTE) as first_minute:
            began = min(answer["began"] for answer in self._ask(Command.BEGIN))
            self._sleep(SETTLING * interval)

            self._ask(Command.WINDOW_BEGINS)
            before, load, since = self._service.counts(), self._service.processor_time(), time.monotonic()
            self._sleep(interval * self._options.intervals)
            asked, seconds = self._service.counts() - before, time.monotonic() - since
            load = (self._service.processor_time() - load) / seconds
            spent = self._ask(Command.WINDOW_ENDS)

            detection, until = self._detect()
            seen = self._ask(Command.FINISH)
            early, total = first_minute.counts, self._service.counts()
        jobs_seen = sum(answer["jobs_seen"] for answer in seen)
        return Figures(
            processes=len(self._processes),
            window_seconds=seconds,
            requests_per_minute=asked.requests / seconds * 60,
            requests_per_interval=asked.requests / seconds * interval,
            tokens=total.tokens,
            refused=total.refused,
            refused_after_first_minute=None if early is None else total.refused - early.refused,
            cpu_seconds_per_wait_hour=sum(each["cpu_seconds"] for each in spent) / seconds * 3600 / case.waits,
            memory_per_wait=sum(each["memory"] for each in spent) / case.waits,
            lag_at_start=seen[0]["lag_at_start"],
            lag=seen[0]["lag"],
            detection=detection,
            first_answers=jobs_seen,
            all_seen_after=Duration(max(each["last_first_look"] for each in seen) - began)
            if jobs_seen == case.waits
            else Duration(until - began, or_more=True),
            emulator_load=load,
            wrong_ends=self._wrong_ends(),
        )

    def _detect(self) -> tuple[Detection, float]:
        """Let jobs end, and give how soon that was seen, and until when it was looked for."""
        interval, waits = self._options.interval, self._case.waits
        self._ends = self._service.end_jobs(waits, min(waits, self._options.ends), interval)
        deadline = max(self._ends.values()) + self._options.patience_of()
        while (left := deadline - time.time()) > 0 and not self._ends.keys() <= self._seen().keys():
            self._sleep(min(_TICK, left))
        return Detection.of(self._ends, self._seen(), time.time()), time.time()

    def _seen(self) -> dict[str, float]:
        return {end["job_id"]: end["at"] for process in self._processes for end in list(process.ended)}

    def _wrong_ends(self) -> list[str]:
        ends = [end for process in self._processes for end in process.ended]
        return [end["outcome"] for end in ends if end["job_id"] not in self._ends or end["outcome"] != "done"]

    def _ask(self, command: Command) -> list[dict[str, Any]]:
        for process in self._processes:
            process.tell(command)
        within = ANSWERED_WITHIN + self._options.arrival_of(self._case.waits)
        return [process.answer(command, within) for process in self._processes]

    def _sleep(self, seconds: float) -> None:
        """Let time pass, and notice at once if a process dies."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(_TICK, left))
            self._service.check()
            for process in self._processes:
                process.check()
