"""Record of a rescheduled wait, kept from one of its processes to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_sentinelhub.jobs import Deadlines


@dataclass(frozen=True, slots=True)
class WaitRecord:
    """
    State of a wait between two of its processes.

    :param attempt: Airflow's try number. The state store outlives retries and clears, which begin anew.
    :param job_id: the job.
    :param deadlines: of this attempt. An ``execution_timeout`` is one of the attempt, and not of each process.
    :param wait: see :meth:`Wait.to_json() <airflow_sentinelhub.waits.wait.Wait.to_json>`.
    """

    attempt: int
    job_id: str
    deadlines: Deadlines
    wait: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON."""
        return {
            "attempt": self.attempt,
            "job_id": self.job_id,
            "deadlines": self.deadlines.to_json(),
            "wait": self.wait,
        }

    @classmethod
    def from_json(cls, stored: object) -> WaitRecord | None:
        """Read what :meth:`to_json` wrote, perhaps in another version; ``None`` if it is nothing of the kind."""
        if not isinstance(stored, Mapping):
            return None
        try:
            deadlines = Deadlines.from_json(stored["deadlines"])
            return cls(int(stored["attempt"]), str(stored["job_id"]), deadlines, dict(stored["wait"]))
        except (KeyError, TypeError, ValueError):
            return None
