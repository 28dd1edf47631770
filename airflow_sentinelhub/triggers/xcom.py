"""Return value of a task, pushed by its trigger where no worker will do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCom

if TYPE_CHECKING:
    from airflow_sentinelhub.jobs import BatchJob


async def push_result(task_instance: Any, job: BatchJob | None, log: Any) -> bool:
    """
    Push a job as what its task returns, without a worker.

    :param task_instance: the task, as the triggerer knows it.
    :param job: the job.
    :param log: the task's log.
    :return: whether that is done; if not, a worker has to do it.
    """
    # XComs that are handed over with the event itself arrive as a text instead of a dictionary (Airflow 3.3.2).
    push = getattr(XCom, "aset", None)
    if push is None:  # below Airflow 3.3
        return False
    where = {name: getattr(task_instance, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
    try:
        await push(key="return_value", value=job.to_json() if job else None, **where)
    except Exception:
        log.warning("The result cannot be pushed from here: a worker does it.", exc_info=True)
        return False
    return True
