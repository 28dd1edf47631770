"""The state of a task, as Airflow tells it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.api.datamodels._generated import TaskInstanceState
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import TaskStatesResult

from airflow_sentinelhub.triggers.task_state import state_of


@pytest.fixture
def asked(monkeypatch):
    """Let Airflow give an answer, and note the question."""
    asked = []

    def answer(told):
        def send(message):
            asked.append(message)
            return TaskStatesResult(task_states=told)

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=send), raising=False)
        return asked

    return answer


def a_task(map_index):
    return SimpleNamespace(dag_id="a_dag", run_id="a_run", task_id="run", map_index=map_index)


@pytest.mark.parametrize(
    ("map_index", "told", "state"),
    [
        (-1, {"a_run": {"run": "failed"}}, "failed"),
        (None, {"a_run": {"run": "failed"}}, "failed"),
        (-1, {"a_run": {"run": TaskInstanceState.UP_FOR_RETRY}}, "up_for_retry"),
        (0, {"a_run": {"run_0": "deferred"}}, "deferred"),
        (12, {"a_run": {"run_1": "failed", "run_12": "success"}}, "success"),
        # Airflow does not know it (any more), or it has not been scheduled again yet.
        (12, {"a_run": {"run_1": "failed"}}, None),
        (-1, {"a_run": {"run_1": "failed"}}, None),
        (-1, {"a_run": {"run": None}}, "no_status"),
        (-1, {"another_run": {"run": "failed"}}, None),
        (-1, {}, None),
    ],
)
def test_the_state_of_this_very_task(asked, map_index, told, state):
    asked(told)
    assert state_of(a_task(map_index)) == state


@pytest.mark.parametrize(("map_index", "index_asked_for"), [(-1, None), (None, None), (0, 0), (7, 7)])
def test_only_this_task_is_asked_for(asked, map_index, index_asked_for):
    [question] = ask(asked({}), map_index)
    assert (question.dag_id, question.run_ids, question.task_ids) == ("a_dag", ["a_run"], ["run"])
    assert question.map_index == index_asked_for


def ask(asked, map_index):
    state_of(a_task(map_index))
    return asked
