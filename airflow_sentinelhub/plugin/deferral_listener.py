"""
A listener for the end of a worker process: it finds tasks that were killed in the moment of their deferral.

Airflow refuses the deferral of a task that was killed (409), and no trigger exists then. From 3.2 on a worker
calls its listeners all the same; 3.1 does not.
"""

from __future__ import annotations

import logging
import sys

from pluggy import HookimplMarker

hookimpl = HookimplMarker("airflow")

_LAST_DEFERRAL = "airflow_sentinelhub.tasks.last_deferral"


@hookimpl
def before_stopping(component: object) -> None:  # noqa: ARG001 - Airflow passes it by name
    """Check the last deferral of this process, if a task that owns a job has made one."""
    module = sys.modules.get(_LAST_DEFERRAL)
    check = None if module is None else module.take()
    if check is None:
        return
    try:
        check()
    except Exception:
        logging.getLogger(__name__).exception("It is not known whether the job of this task has a trigger")
