"""
What can happen to a job, and what the monitor functions and our sensors are expected to make of it.

Each :class:`Situation` is a job's life, which is told to the emulator twice: once for the function, once for the
sensor. ``row`` cites where in sentinelhub-api.md the expectation comes from: a row of section 7.1, or a section.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_sentinelhub.jobs import BatchApi

RETURNS, HANGS = "returns", "hangs"
RUNTIME_ERROR = "raises RuntimeError"
DOWNLOAD_FAILED = "raises DownloadFailedException"
VALUE_ERROR = "raises ValueError"
SUCCESS = "success"


@dataclass(frozen=True, kw_only=True)
class Situation:
    """
    What happens to a job, and what is made of it.

    :param title: the row of the page.
    :param row: where the expectation of the functions comes from.
    :param job: arguments of ``Emulator.add_job``.
    :param process: what the function of Batch Process does; empty: this cannot happen there.
    :param statistical: the same for Batch Statistical.
    :param process_v1: the same for Batch Process v1.
    :param sensors: "success", or the class of the exception with which all sensors fail.
    :param early: the functions for which "returns" means: before the job is over.
    :param noticed: what the log of the sensors says of it on the way.
    :param faults: arguments of ``Emulator.fault``.
    """

    title: str
    row: str
    job: Mapping[str, Any]
    process: str = ""
    statistical: str = ""
    process_v1: str = ""
    sensors: str
    early: frozenset[BatchApi] = frozenset()
    noticed: str = ""
    faults: Sequence[Mapping[str, Any]] = field(default=())

    def expected(self, api: BatchApi) -> str:
        """What the function of this API does."""
        return {
            BatchApi.PROCESS: self.process,
            BatchApi.STATISTICAL: self.statistical,
            BatchApi.PROCESS_V1: self.process_v1,
        }[api]

    @property
    def rests_after(self) -> float:
        """Service seconds until the last step of the job's life."""
        return float(sum(step["seconds"] for step in self.job.get("steps", ())[:-1]))


def everywhere(outcome: str) -> dict[str, str]:
    return {"process": outcome, "statistical": outcome, "process_v1": outcome}


def life(*steps: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"steps": list(steps), **more}


QUEUED = {"status": "CREATED", "seconds": 20}
ANALYSING = {"status": "ANALYSING", "seconds": 20}
READY = {"status": "ANALYSIS_DONE", "seconds": 60}
PROCESSING = {"status": "PROCESSING", "seconds": 240, "completionPercentage": [0, 40]}
LIFE = (QUEUED, ANALYSING, READY, PROCESSING)

DONE = {"status": "DONE"}
FAILED = {"status": "FAILED", "error": "Evalscript broken"}
STOPPED = {"status": "STOPPED", "stoppedStatusReason": "OUT_OF_PU", "tiles": {"PROCESSED": 5, "PENDING": 7}}
CANCELED = {"status": "CANCELED", "userAction": "CANCEL"}
PARTIAL = {
    "status": "PARTIAL",
    "error": "Too many failed tiles",
    "completionPercentage": 100,
    "tiles": {"PROCESSED": 9, "FAILED": 3},
}
NOVEL = {"status": "REHEATING", "seconds": 300}
GONE = {"gone": True}
