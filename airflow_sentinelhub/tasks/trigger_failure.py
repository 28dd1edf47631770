"""Failure of a trigger that never came to its event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# How Airflow says that, and why.
_FAILED = "__fail__"
_TIMEOUT = "Trigger timeout"


@dataclass(frozen=True, slots=True)
class TriggerFailure:
    """
    Why a trigger never came to its event.

    :param reason: in Airflow's words.
    """

    reason: str

    @property
    def timed_out(self) -> bool:
        """True if it was not heard of in time; otherwise it crashed."""
        return self.reason == _TIMEOUT


def trigger_failure(next_method: str, next_kwargs: Mapping[str, Any] | None, log: Any) -> TriggerFailure | None:
    """
    Return why the trigger of a task never fired; ``None``: it did.

    :param next_method: the method with which Airflow resumes the task.
    :param next_kwargs: its arguments.
    :param log: the task's log, which gets the traceback of a trigger that crashed.
    """
    if next_method != _FAILED:
        return None
    told = next_kwargs or {}
    failure = TriggerFailure(str(told.get("error", "unknown")))
    if not failure.timed_out:
        log.error("The trigger failed:\n%s", "".join(told.get("traceback") or ["no traceback"]))
    return failure
