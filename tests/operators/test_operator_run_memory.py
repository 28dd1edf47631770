"""What a task that runs a whole job knows when it goes on, whatever was lost in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import ActionState
from tests.harness.task_runner import deferred_to
from tests.operators.creations import with_store
from tests.operators.runs import RunTask
from tests.operators.test_operator_actions import asked
from tests.operators.test_operator_run_pauses import queued_when_time_is_up


def run_record(task):
    """What Airflow keeps of the task."""
    return task.execution.store["sentinelhub_run"]["value"]


def test_what_a_stop_has_come_to_goes_with_the_task(emulator, clock):
    """A queued job refuses to be stopped, and the task waits without a worker until it is tried again."""
    task = queued_when_time_is_up(emulator, clock, "process")
    before = ActionState.from_json(deferred_to(task.ended)[2]["state"]["action_state"])
    assert before != ActionState()
    assert before.refused_since is not None
    emulator.set_scenario(task.job["id"], {"queued_seconds": 60_000})
    task.wake()
    again = ActionState.from_json(deferred_to(task.ended)[2]["state"]["action_state"])
    assert again.refused_since == before.refused_since, "it does not begin to count anew"


@with_store
def test_a_restart_is_counted_before_the_service_is_asked_for_it(emulator, clock):
    """A worker that dies while it asks has used it up."""
    emulator.default_scenario({"end": "STOPPED", "stopped_reason": "OUT_OF_PU", "processing_seconds": 300})
    task = RunTask(emulator, clock, resume={"OUT_OF_PU": 1})
    task.begin()
    emulator.advance(3600)
    task.begin()  # the attempt before was lost while the job ran
    assert run_record(task)["resumed"] == {"OUT_OF_PU": 1}


@with_store
def test_a_cost_stop_lets_no_retry_go_on_even_with_a_higher_limit(emulator, clock):
    """The user has to clear the task: a retry is nobody's wish to spend more."""
    emulator.default_scenario({"cost": 1000.0, "processing_seconds": 6000})
    task = RunTask(emulator, clock, max_cost_pu=300)
    assert isinstance(task.attempt().error, exceptions.BatchCostExceeded)
    assert run_record(task)["may_restart"] is False
    emulator.advance(7200)
    assert isinstance(task.attempt(max_cost_pu=3000).error, exceptions.BatchStopped)
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}


@pytest.mark.parametrize(
    ("limits", "kind", "name"),
    [
        ({"execution_timeout": timedelta(seconds=900)}, exceptions.BatchTimeout, "execution_timeout"),
        (
            {"execution_timeout": timedelta(seconds=900), "timeout": 9000},
            exceptions.BatchTimeout,
            "execution_timeout",
        ),
        ({"execution_timeout": timedelta(seconds=9000), "timeout": 900}, AirflowFailException, "timeout"),
    ],
)
def test_the_limit_that_has_passed_is_named_when_no_triggerer_is_heard_of(emulator, clock, limits, kind, name):
    emulator.default_scenario({"processing_seconds": 6000})
    task = RunTask(emulator, clock, **limits)
    task.begin()
    emulator.advance(1200)
    ended = task.unheard("Trigger timeout")
    assert type(ended.error) is kind
    assert f"TIMED OUT after 15 min ({name})" in str(ended.error)
    assert asked(emulator) == {"create": 1, "start": 1, "stop": 1}


@with_store
def test_a_stopped_job_that_only_its_tag_finds_is_not_created_again(emulator, clock):
    """What Airflow kept of the task is lost."""
    emulator.default_scenario({"end": "STOPPED", "processing_seconds": 300})
    task = RunTask(emulator, clock)
    task.begin()
    emulator.advance(3600)
    task.execution.store.clear()
    ended = task.attempt()
    assert type(ended.error) is exceptions.BatchStopped
    assert ended.error.job_id == task.job["id"]
    assert asked(emulator) == {"create": 1, "start": 1}
