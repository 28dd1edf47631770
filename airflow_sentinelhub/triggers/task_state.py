"""The state that a task is in now, whatever this process thinks of it."""

from __future__ import annotations

from typing import Any

NO_STATUS = "no_status"
"""A task without a state, as Airflow's pages call it: it was cleared, and is not scheduled yet."""


def state_of(task_instance: Any) -> str | None:
    """
    Ask Airflow for the state of a task.

    :param task_instance: the task, as a worker or a triggerer knows it.
    :return: the state, or :data:`NO_STATUS`; ``None`` if Airflow does not know the task (any more).
    """
    # Not imported where DAG files are parsed.
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    mapped = task_instance.map_index is not None and task_instance.map_index >= 0
    states: dict[str, dict[str, Any]] = RuntimeTaskInstance.get_task_states(
        dag_id=task_instance.dag_id,
        task_ids=[task_instance.task_id],
        run_ids=[task_instance.run_id],
        map_index=task_instance.map_index if mapped else None,
    )
    name = f"{task_instance.task_id}_{task_instance.map_index}" if mapped else task_instance.task_id
    of_run = states.get(task_instance.run_id, {})
    if name not in of_run:
        return None
    state = of_run[name]
    return NO_STATUS if state is None else str(getattr(state, "value", state))
