"""The state of a task in Airflow, asked for by its own worker within a bounded time."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from airflow_sentinelhub import clock
from airflow_sentinelhub.triggers.task_state import state_of

ANSWER_WITHIN = 30.0
"""Seconds in which Airflow has to answer before a job is started."""


@dataclass(frozen=True, slots=True)
class OwnState:
    """
    Airflow's answer.

    :param state: the state of the task; ``None`` if Airflow does not know the task (any more).
    :param error: why there is no answer; ``None``: there is one.
    """

    state: str | None = None
    error: str | None = None

    def __str__(self) -> str:
        return f"not known ({self.error})" if self.error is not None else self.state or "not known any more"

    @property
    def is_running(self) -> bool:
        """True if this attempt is the one that runs."""
        return self.error is None and self.state == "running"


def fetch_own_state(task_instance: Any, timeout: float = ANSWER_WITHIN) -> OwnState:
    """
    Ask Airflow for the state of a task.

    The call to Airflow has no bound of its own: it blocks, and holds a lock, until the supervisor answers. So a
    thread makes it, which is left behind if it takes too long.

    :param task_instance: the task.
    :param timeout: seconds.
    """
    answers: list[OwnState] = []
    answered = threading.Event()

    def ask() -> None:
        try:
            answers.append(OwnState(state_of(task_instance)))
        except Exception as error:
            answers.append(OwnState(error=f"{type(error).__name__}: {error}"))
        finally:
            answered.set()

    threading.Thread(target=ask, name="sentinelhub-own-state", daemon=True).start()
    clock.wait(answered, timeout)
    return answers[0] if answers else OwnState(error=f"it has not answered within {timeout:g} s")
