"""The side of a process of waits: what the benchmark asks of it, and how it answers."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

import psutil

CONNECTION = "benchmark"
"""Id of the Airflow connection to the emulator."""


class Spec(NamedTuple):
    """Which waits to make: for which jobs, how many begin each second, and seconds between two looks of a wait."""

    jobs: range
    arrivals: int
    interval: float


def job_id(number: int) -> str:
    """Return the id of a job; its first eight digits, which are all that most log lines show, differ."""
    return f"{number:08x}-0000-4000-8000-000000000000"


class Waits:
    """
    What all variants have in common. Each command of the benchmark is the name of a method.

    A variant has the command ``begin`` as well: as soon as all waits have begun, it answers when the first did.
    """

    memory_kind = "rss"

    def __init__(self) -> None:
        self.pipe = Connection(int(sys.argv[1]))
        self.spec: Spec = self.pipe.recv()
        self.memory_before = 0
        self._processor_time = 0.0
        self._seen: set[str | bytes] = set()
        self._last_first_look = 0.0
        self._ended: dict[str, tuple[str, float]] = {}

    def obey(self) -> None:
        """Take a command, and answer it."""
        try:
            command = self.pipe.recv()
        except (EOFError, OSError):
            os._exit(1)  # the benchmark is gone, however it ended: nothing may outlive it
        if (answer := getattr(self, command)()) is not None:
            self.pipe.send(answer)

    def saw(self, job: str | bytes) -> None:
        """Note that a wait knows its job; only the first time counts."""
        if job not in self._seen:
            self._seen.add(job)
            self._last_first_look = time.time()

    def over(self, job: str, outcome: str) -> None:
        """Note how a wait has ended."""
        self._ended[job] = outcome, time.time()

    def memory(self) -> int:
        """Return the bytes of this process in memory, after everything that is garbage has gone."""
        gc.collect()
        return int(getattr(psutil.Process().memory_full_info(), self.memory_kind))

    def pause(self) -> Sequence[float]:
        """Count processor time from here on; return how late the event loop was until now, if there is one."""
        self._processor_time = time.process_time()
        return []

    def resume(self) -> tuple[float, int]:
        """Return the processor time since then, and the memory of the waits."""
        spent = time.process_time() - self._processor_time
        return spent, self.memory() - self.memory_before

    def look(self) -> tuple[dict[str, tuple[str, float]], int, float]:
        """Return how and when waits have ended, how many jobs were seen, and when one was last new."""
        return self._ended, len(self._seen), self._last_first_look
