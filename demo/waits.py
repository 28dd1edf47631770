"""The six waits of the example DAGs, as the demo shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from demo.airflow_rest import AirflowRest
from demo.task_log import lines_of_package

WAITS = {
    "example_batch_process": "Batch Process",
    "example_batch_statistical": "Batch Statistical",
    "example_batch_process_v1": "Batch Process v1",
}
TASKS = {"wait_for_analysis": "analysis", "wait_for_job": "job"}
_SHOWN_AFTER = {"running", "deferred", "scheduled", "queued", "success", "failed", "skipped", "up_for_retry"}


@dataclass
class Wait:
    """
    One sensor of one run.

    :param dag_id: its DAG.
    :param run_id: the run.
    :param task_id: its task.
    """

    dag_id: str
    run_id: str
    task_id: str
    state: str | None = None
    was_deferred: bool = False
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def label(self) -> str:
        """How the demo calls it."""
        return f"{WAITS[self.dag_id]}, {TASKS[self.task_id]}"

    def look(self, airflow: AirflowRest, state: str | None) -> list[tuple[datetime, str]]:
        """
        Read its log.

        :param state: the task's state.
        :return: what is new in it, with the time of each line.
        """
        self.state = state
        self.was_deferred = self.was_deferred or state == "deferred"
        if state not in _SHOWN_AFTER:
            return []
        ours = lines_of_package(airflow.log_lines(self.dag_id, self.run_id, self.task_id))
        # While a log is merged from several files, a late line may come before an early one, and some be missing.
        known = {_key(line) for line in self.lines}
        new = [line for line in ours if _key(line) not in known]
        self.lines += new
        return [(_time(line), str(line["event"])) for line in new]

    @property
    def began(self) -> datetime | None:
        """When it began, by its log."""
        return min((_time(line) for line in self.lines), default=None)

    @property
    def ended(self) -> datetime | None:
        """When its last line was written."""
        return max((_time(line) for line in self.lines), default=None)

    def requests(self, seen: list[dict[str, Any]], job_id: str) -> int:
        """
        Count the HTTP requests that it cost.

        :param seen: requests as the emulator keeps them.
        :param job_id: the job that it waited for.
        """
        if self.began is None or self.ended is None:
            return 0
        return sum(
            request["method"] == "GET"
            and job_id in request["path"]
            and self.began <= datetime.fromisoformat(request["time"]) <= self.ended
            for request in seen
        )


def _key(line: dict[str, Any]) -> tuple[Any, Any]:
    return line["timestamp"], line["event"]


def _time(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["timestamp"])
