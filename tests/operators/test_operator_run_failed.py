"""A job that has failed is not bought again, unless somebody says so."""

from __future__ import annotations

import pickle

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.operators.final_failure import for_good
from tests.operators.creations import with_store
from tests.operators.runs import RunTask
from tests.operators.test_operator_actions import asked

FAILS = {"end": "FAILED"}


@pytest.mark.parametrize("kind", [exceptions.BatchFailed, exceptions.BatchCanceled, exceptions.BatchNotFound])
def test_a_failure_for_good_is_both_and_survives_a_process(kind):
    error = for_good(kind("gone wrong", job_id="a", api="process", status="FAILED"))
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(each, kind)
        assert isinstance(each, AirflowFailException)
        assert (str(each), each.job_id, each.api, each.status) == ("gone wrong", "a", "process", "FAILED")


def test_it_fails_for_good(emulator, clock):
    emulator.default_scenario(FAILS)
    error = RunTask(emulator, clock).attempt().error
    assert isinstance(error, exceptions.BatchFailed)
    assert isinstance(error, AirflowFailException)


@with_store
def test_a_retry_that_finds_it_failed_buys_nothing_and_a_clear_does(emulator, clock):
    emulator.default_scenario(FAILS)
    task = RunTask(emulator, clock)
    task.begin()  # its worker dies
    emulator.advance(7200)
    error = task.attempt().error
    assert isinstance(error, exceptions.BatchFailed)
    assert isinstance(error, AirflowFailException)
    assert error.job_id == task.job["id"]
    assert task.ended.returned["status"] == "FAILED"
    assert asked(emulator) == {"create": 1, "start": 1}
    task.cleared().attempt()
    assert asked(emulator) == {"create": 2, "start": 2}


@with_store
def test_a_number_of_new_jobs_is_counted_since_the_last_clear(emulator, clock):
    emulator.default_scenario(FAILS)
    task = RunTask(emulator, clock, recreate_failed=1)
    assert not isinstance(task.attempt().error, AirflowFailException)
    assert isinstance(task.attempt().error, AirflowFailException)
    assert asked(emulator) == {"create": 2, "start": 2}
    assert not isinstance(task.cleared().attempt().error, AirflowFailException)


@pytest.mark.parametrize("wrong", [-1, "yes", 1.5, None])
def test_what_is_no_number_of_times(emulator, clock, wrong):
    with pytest.raises(ValueError, match="recreate_failed"):
        RunTask(emulator, clock, recreate_failed=wrong).begin()


def test_a_cost_stop_names_the_job_after_its_stop(emulator, clock):
    emulator.default_scenario({"cost": 1000.0, "processing_seconds": 6000})
    ended = RunTask(emulator, clock, max_cost_pu=300).attempt()
    assert "300 PU, STOPPED 31 %" in str(ended.error)
    assert ended.error.spent == emulator.jobs()[0]["costPU"]


@with_store
def test_all_jobs_since_the_last_clear_count_and_are_named(emulator, clock):
    emulator.default_scenario({**FAILS, "cost": 250.0})
    task = RunTask(emulator, clock, recreate_failed=True, max_cost_pu=400)
    first = task.attempt()
    one = emulator.jobs()[0]
    assert isinstance(first.error, exceptions.BatchFailed)
    assert task.execution.xcoms["cost_pu"] == {one["id"]: one["costPU"]}
    emulator.default_scenario({"cost": 1000.0, "processing_seconds": 6000})
    second = task.attempt()
    other = next(job for job in emulator.jobs() if job["id"] != one["id"])
    assert isinstance(second.error, exceptions.BatchCostExceeded)
    assert f"less {one['costPU']:.0f} PU for earlier jobs of this task" in str(second.error)
    assert task.execution.xcoms["cost_pu"] == {one["id"]: one["costPU"], other["id"]: other["costPU"]}
    assert asked(emulator)["create"] == 2


@with_store
def test_no_job_is_started_for_which_nothing_is_left(emulator, clock):
    emulator.default_scenario({**FAILS, "cost": 250.0})
    task = RunTask(emulator, clock, recreate_failed=True, max_cost_pu=50)
    task.attempt()
    emulator.default_scenario({**FAILS, "cost": 1.0})
    ended = task.attempt()
    assert isinstance(ended.error, exceptions.BatchCostExceeded)
    assert asked(emulator)["start"] == 1
