"""
Kill rules: what becomes of the job of a killed task, by the user's choice and the task's state.

Like all of ``jobs`` it does no I/O and reads no clock.
"""

from __future__ import annotations

from enum import StrEnum

REMOVED = "removed"
"""The state of a task that its DAG file does not have any more: it was renamed or deleted there."""

_STATES_OF_A_KILL = frozenset({"failed", "skipped", REMOVED})


class KillAction(StrEnum):
    """User's choice for the job of a killed task."""

    STOP = "stop"
    """The job is stopped."""

    STOP_UNLESS_REMOVED = "stop_unless_removed"
    """The same, but the job is left when the task was removed from its DAG file."""

    LEAVE = "leave"
    """The job goes on."""

    @classmethod
    def stored(cls, value: str) -> KillAction:
        """Read what a trigger has stored; what a newer version has stored leaves the job."""
        return cls(value) if value in list(cls) else cls.LEAVE

    def stops(self, state: str | None) -> bool:
        """
        Return whether the job is to be stopped.

        :param state: the state of the task now; ``None``: Airflow does not know the task.
        """
        if self is KillAction.LEAVE or (self is KillAction.STOP_UNLESS_REMOVED and state == REMOVED):
            return False
        return state_means_killed(state)


def state_means_killed(state: str | None) -> bool:
    """
    Return whether the state of a task means that it was killed by a user.

    It does not where a task was cleared, moved to another triggerer, taken up by another attempt or marked as a
    success. A state that is not known proves nothing. In all these cases the job is left.

    :param state: as Airflow has it now.
    """
    return state in _STATES_OF_A_KILL
