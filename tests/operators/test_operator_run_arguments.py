"""What the arguments of the run operator may be."""

from __future__ import annotations

import math

import pytest

from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.operators.run_arguments import (
    recreations,
    some_failures,
    some_kill_action,
    validate_end_action,
    validate_max_cost,
    validate_resume,
)


@pytest.mark.parametrize(("choice", "stops"), [("stop", True), ("leave", False)])
def test_what_happens_at_the_end_of_time(choice, stops):
    assert validate_end_action("on_timeout", choice) is stops


@pytest.mark.parametrize("choice", ["", "Stop", "kill", None, True])
def test_another_choice_is_refused_by_the_name_of_its_argument(choice):
    with pytest.raises(ValueError, match=r"^on_timeout must be 'stop' .* or 'leave'"):
        validate_end_action("on_timeout", choice)


@pytest.mark.parametrize(("given", "times"), [(False, 0), (True, math.inf), (0, 0), (1, 1), (7, 7)])
def test_how_often_a_failed_job_is_created_anew(given, times):
    assert recreations(given) == times


@pytest.mark.parametrize("given", [-1, 1.5, "2", None])
def test_what_is_no_number_of_times_is_refused(given):
    with pytest.raises(ValueError, match="recreate_failed must be True, False or a number of times"):
        recreations(given)


@pytest.mark.parametrize("choice", ["stop", "stop_unless_removed", "leave"])
def test_what_becomes_of_the_job_of_a_killed_task(choice):
    assert some_kill_action(choice).value == choice


@pytest.mark.parametrize("choice", ["", "STOP", "ignore", None])
def test_another_kill_action_is_refused(choice):
    with pytest.raises(ValueError, match=r"^on_kill must be 'stop'"):
        some_kill_action(choice)


@pytest.mark.parametrize(("given", "read"), [(None, None), (1, 1.0), (0.5, 0.5), (1e6, 1e6)])
def test_what_a_job_may_cost(given, read):
    assert validate_max_cost(BatchApi.PROCESS, given) == read


@pytest.mark.parametrize("given", [0, -1, True, "5", math.nan])
def test_what_is_no_cost_is_refused(given):
    with pytest.raises(ValueError, match="max_cost_pu must be a number of processing units above 0"):
        validate_max_cost(BatchApi.STATISTICAL, given)


def test_v1_does_not_tell_a_cost():
    assert validate_max_cost(BatchApi.PROCESS_V1, None) is None
    with pytest.raises(ValueError, match="v1 does not tell"):
        validate_max_cost(BatchApi.PROCESS_V1, 5)


@pytest.mark.parametrize("given", [None, 0, 3, 0.25])
def test_how_many_tiles_may_fail(given):
    assert some_failures(given) == given


@pytest.mark.parametrize("given", [-1, 1.5, True, "3"])
def test_what_is_no_number_of_tiles_is_refused(given):
    with pytest.raises(ValueError, match="max_failed_tiles"):
        some_failures(given)


@pytest.mark.parametrize(
    ("given", "read"), [(None, {}), ({}, {}), ({"OUT_OF_PU": 3, "UNHEALTHY": 0}, {"OUT_OF_PU": 3, "UNHEALTHY": 0})]
)
def test_how_often_a_stopped_job_is_started_again(given, read):
    assert validate_resume(BatchApi.PROCESS, given) == read


@pytest.mark.parametrize(
    ("api", "given", "says"),
    [
        (BatchApi.PROCESS, {"TIRED": 1}, "a job is stopped for .*'OUT_OF_PU'.*, and not for 'TIRED'"),
        (BatchApi.PROCESS, {"OUT_OF_PU": -1}, "for OUT_OF_PU it is -1"),
        (BatchApi.PROCESS, {"OUT_OF_PU": True}, "for OUT_OF_PU it is True"),
        (BatchApi.PROCESS, {"OUT_OF_PU": 1.0}, "for OUT_OF_PU it is 1.0"),
        (BatchApi.PROCESS_V1, {"OUT_OF_PU": 1}, "v1 are never STOPPED"),
    ],
)
def test_another_resume_is_refused(api, given, says):
    with pytest.raises(ValueError, match=says):
        validate_resume(api, given)
