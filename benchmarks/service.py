"""The emulator in a process of its own, and what the benchmark does to it."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import psutil

from airflow_sentinelhub.emulator import CLIENT_SECRET, EmulatorControl
from benchmarks.processes import ROOT, ProcessDiedError, ended
from benchmarks.spec import job_id

_LENGTH_OF_A_JOB = 6 * 3600.0
_SEED = 1


@dataclass(frozen=True, slots=True)
class Counts:
    """
    What the emulator was asked so far.

    :param requests: to the API, also those that it refused; without those for tokens.
    :param tokens: requests for tokens.
    :param refused: requests that were answered with 429.
    """

    requests: int
    tokens: int
    refused: int

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(
            self.requests - earlier.requests, self.tokens - earlier.tokens, self.refused - earlier.refused
        )


class Service:
    """
    A local Sentinel Hub for the duration of a ``with`` block, on real time.

    :param settings: of the emulator, see docs/emulator.md.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._random = random.Random(_SEED)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "airflow_sentinelhub.emulator", "--port", "0", "--speed", "1"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True
        )
        try:
            assert self._process.stdout is not None  # noqa: S101 - for mypy
            banner = re.search(r"http://\S+", self._process.stdout.readline())
            if banner is None:
                raise ProcessDiedError("The emulator did not start; what it says is above.")
            self._control = EmulatorControl(banner[0])
            self._control.configure(**self._settings)
        except BaseException:
            ended(self._process)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended(self._process)

    def check(self) -> None:
        """Raise ``ProcessDiedError`` if it has ended."""
        if self._process.poll() is not None:
            raise ProcessDiedError(f"The emulator ended with code {self._process.returncode}.")

    def connection(self, **extra: Any) -> str:
        """
        Give the Airflow connection to it, as JSON.

        :param extra: further fields of its extra.
        """
        return json.dumps(
            {
                "conn_type": "sentinelhub",
                "login": self._control.client_id,
                "password": CLIENT_SECRET,
                "host": self._control.url,
                "extra": json.dumps({"auth_url": self._control.auth_url, **extra}),
            }
        )

    def add_jobs(self, count: int) -> None:
        """Put in jobs that are being processed, and will be for hours."""
        for number in range(count):
            self._control.add_job("process", steps=_done_after(_LENGTH_OF_A_JOB), job_id=job_id(number))

    def end_jobs(self, of: int, count: int, within: float) -> dict[str, float]:
        """
        Let some jobs become DONE, each at a moment of its own.

        :param of: how many jobs there are to choose from.
        :param count: how many of them.
        :param within: seconds over which their ends are spread: evenly, and each at random in its part of them.
        :return: the moment of each end by job, in seconds since 1970; it is later by a control request at most.
        """
        begin, ends = time.time(), {}
        for turn, number in enumerate(self._random.sample(range(of), count)):
            due = begin + within * (turn + self._random.random()) / count
            now = time.time()
            left = max(0.0, due - now)
            self._control.set_scenario(job_id(number), steps=_done_after(left))
            ends[job_id(number)] = now + left
        return ends

    def counts(self) -> Counts:
        """Return what it was asked so far."""
        counted = self._control.requests()
        tokens = counted["by_api"].get("token", 0)
        return Counts(counted["total"] - tokens, tokens, counted["by_status"].get("429", 0))

    def processor_time(self) -> float:
        """Seconds of processor time that it has used."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)


def _done_after(seconds: float) -> list[dict[str, Any]]:
    return [{"status": "PROCESSING", "seconds": seconds}, {"status": "DONE"}]
