"""Run state: how far a task is with its job, across its stays in the triggerer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_sentinelhub.jobs.action_retry_rules import ActionState
from airflow_sentinelhub.jobs.run_record import RunRecord
from airflow_sentinelhub.jobs.verdict import Verdict
from airflow_sentinelhub.jobs.wait_policy import Deadlines


class RunPhase(StrEnum):
    """Phase of a task that runs a job. The values are stored: they are never renamed."""

    STARTING = "start"
    RESTARTING = "restart"
    WAITING = "wait"
    STOPPING = "stop"
    READING_RESULTS = "read_results"


@dataclass(frozen=True, slots=True)
class RunState:
    """
    State of a task that runs a job.

    :param job_id: the job.
    :param deadlines: of this attempt.
    :param record: what is known of the job across attempts.
    :param phase: what is being done with the job.
    :param action_state: what is remembered of an action on it.
    :param ending: why the job is being stopped, if it is.
    :param unread_since: since when its results could not be read, in seconds since 1970.
    """

    job_id: str
    deadlines: Deadlines
    record: RunRecord
    phase: RunPhase = RunPhase.WAITING
    action_state: ActionState = field(default_factory=ActionState)
    ending: Verdict | None = None
    unread_since: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON."""
        return {
            "job_id": self.job_id,
            "deadlines": self.deadlines.to_json(),
            "record": self.record.to_json(),
            "action": None if self.phase is RunPhase.WAITING else self.phase.value,
            "action_state": self.action_state.to_json(),
            "ending": self.ending.to_json() if self.ending else None,
            "unread_since": self.unread_since,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> RunState:
        """Read what :meth:`to_json` wrote."""
        return cls(
            job_id=str(stored["job_id"]),
            deadlines=Deadlines.from_json(stored["deadlines"]),
            record=RunRecord.from_json(stored["record"]),
            phase=RunPhase(stored["action"] or RunPhase.WAITING),
            action_state=ActionState.from_json(stored["action_state"]),
            ending=Verdict.from_json(stored["ending"]) if stored["ending"] else None,
            unread_since=stored.get("unread_since"),
        )
