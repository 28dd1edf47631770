"""The outcome matrix of ``monitor_*`` (sentinelhub-api.md, section 7.1), cell by cell, beside our sensors."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs import BatchApi, WaitGoal
from tests.real_client.library import VERSION  # noqa: F401 - skips the module without the library
from tests.real_client.situations import HANGS, SUCCESS
from tests.real_client.situations_of_analyses import ANALYSES
from tests.real_client.situations_of_jobs import JOBS
from tests.real_client.situations_of_outages import WEATHER

CELLS = [
    pytest.param(api, goal, situation, id=f"{api}-{goal}-{situation.title}")
    for goal, situations in (
        (WaitGoal.COMPLETION, JOBS),
        (WaitGoal.ANALYSIS, ANALYSES),
        (WaitGoal.COMPLETION, WEATHER),
    )
    for situation in situations
    for api in BatchApi
    if situation.expected(api)
]


@pytest.mark.parametrize(("api", "goal", "situation"), CELLS)
def test_what_the_function_does(monitor_ending, api, goal, situation):
    ended = monitor_ending(api, goal, situation)
    assert ended.outcome == situation.expected(api), f"section 7.1 ({situation.row}): {ended}"
    if ended.outcome == HANGS:
        assert ended.looks >= 25, "hanging means to ask on and on"


@pytest.mark.parametrize(("api", "goal", "situation"), CELLS)
def test_what_the_sensor_does(sensor_ending, api, goal, situation):
    ended = sensor_ending(api, goal, situation)
    assert ended.outcome == situation.sensors, ended
    assert situation.noticed in ended.log
    assert ended.state == ("success" if situation.sensors == SUCCESS else "failed")
