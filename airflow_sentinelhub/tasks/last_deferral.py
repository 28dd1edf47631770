"""
The last deferral of this process by a task that owns a job: what is checked when the process ends.

A listener looks for this module among those that are loaded, so it imports nothing: any other task pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable

_check: Callable[[], None] | None = None


def remember(check: Callable[[], None]) -> None:
    """
    Record that a task is about to be deferred.

    :param check: stops its job if Airflow has refused the deferral because the task was killed.
    """
    global _check
    _check = check


def forget() -> None:
    """Record that a task begins, in a process that may have run others before."""
    global _check
    _check = None


def take() -> Callable[[], None] | None:
    """Return the check of the last deferral, once; ``None`` if there was none."""
    global _check
    taken, _check = _check, None
    return taken
