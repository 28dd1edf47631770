"""
The triggerer's own log, for what must be read although the log of the task is closed or deleted.

Airflow sends a line to the log of a task if the context of the caller names its trigger. It closes that log soon
after the trigger has ended, and deletes it with its DAG.
"""

from __future__ import annotations

import contextvars
import logging

_LOG = logging.getLogger(__name__)


def log_in_triggerer(level: int, message: str) -> None:
    """
    Write a message into the triggerer's own log, as one line, which a search for the job finds.

    :param level: as of ``logging``.
    :param message: the text, with the id of the job that it is about.
    """
    contextvars.Context().run(_LOG.log, level, "%s", " ".join(message.splitlines()))
