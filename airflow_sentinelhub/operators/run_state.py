"""Run state: how far a task is with its job, across its stays in the triggerer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_sentinelhub.jobs import ActionState, Deadlines, Verdict
from airflow_sentinelhub.jobs.action_rules import Action
from airflow_sentinelhub.jobs.run_record import RunRecord


@dataclass(frozen=True, slots=True)
class RunState:
    """
    State of a task that runs a job.

    :param job_id: the job.
    :param deadlines: of this attempt.
    :param record: what is known of the job across attempts.
    :param action: what is being done to the job; ``None``: it is waited for.
    :param memory: what is remembered of that.
    :param ending: why the job is being stopped, if it is.
    :param unread_since: since when its results could not be read, in seconds since 1970.
    """

    job_id: str
    deadlines: Deadlines
    record: RunRecord
    action: Action | None = None
    memory: ActionState = field(default_factory=ActionState)
    ending: Verdict | None = None
    unread_since: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON."""
        return {
            "job_id": self.job_id,
            "deadlines": self.deadlines.to_json(),
            "record": self.record.to_json(),
            "action": self.action.value if self.action else None,
            "action_state": self.memory.to_json(),
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
            action=Action(stored["action"]) if stored["action"] else None,
            memory=ActionState.from_json(stored["action_state"]),
            ending=Verdict.from_json(stored["ending"]) if stored["ending"] else None,
            unread_since=stored.get("unread_since"),
        )
