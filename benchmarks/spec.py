"""What a process of waits is told when it is started."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Self

CONNECTION = "benchmark"
"""Id of the Airflow connection to the emulator."""

CONNECTION_VARIABLE = f"AIRFLOW_CONN_{CONNECTION.upper()}"
"""Where that connection is, as JSON."""


@dataclass(frozen=True, slots=True)
class Spec:
    """
    Which waits to make, and how.

    :param first: number of the first job to wait for.
    :param waits: how many jobs, counted from there.
    :param arrivals: waits that begin each second.
    :param interval: seconds between two looks of a wait.
    """

    first: int
    waits: int
    arrivals: int
    interval: float

    @classmethod
    def of_this_process(cls) -> Self:
        """Read what :meth:`as_argument` wrote, in the process that was started with it."""
        return cls(**json.loads(sys.argv[1]))

    def as_argument(self) -> str:
        """Write it for the command line of a process."""
        return json.dumps(asdict(self))

    @property
    def job_ids(self) -> list[str]:
        """The jobs to wait for."""
        return [job_id(self.first + number) for number in range(self.waits)]


def job_id(number: int) -> str:
    """Return the id of a job; its first eight digits, which are all that most log lines show, differ."""
    return f"{number:08x}-0000-4000-8000-000000000000"
