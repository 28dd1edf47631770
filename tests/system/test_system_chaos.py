"""
Airflow's components are stopped, killed and frozen in the middle of a wait.

Whatever happens, each wait ends with the right verdict, once, and nothing is stopped at the service that nobody
stopped. A test puts jobs into the service that are processed until it ends them, waits until they are watched,
lets the disaster happen, and then lets the jobs end.
"""

from __future__ import annotations

import pytest

from tests.system.watched import assert_nothing_was_stopped, assert_right_verdicts, two_deferred

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def calm(service):
    """After each disaster, nobody was stopped who was not to be."""
    service.forget_requests()
    yield
    assert_nothing_was_stopped(service)


@pytest.fixture
def watched(service, airflow):
    return two_deferred(service, airflow)


def test_triggerer_is_stopped_and_started(airflow, watched):
    airflow.stop("triggerer")
    airflow.start("triggerer")
    watched[0].until_watched()
    assert_right_verdicts(watched)


def test_triggerer_is_killed_and_started(airflow, watched):
    airflow.kill("triggerer")
    airflow.start("triggerer")
    watched[0].until_watched()
    assert_right_verdicts(watched)


def test_triggerer_freezes_and_another_one_takes_over(airflow, watched):
    frozen = max(heartbeats(airflow))
    airflow.freeze("triggerer")
    try:
        airflow.start("triggerer", "-2")
        for job in watched:
            job.until_watched()
        assert [job.state for job in watched] == ["deferred", "deferred"]
    finally:
        airflow.thaw("triggerer")
    # By its second heartbeat it has learnt that its triggers were taken away.
    for _ in range(2):
        until_heartbeat(airflow, frozen)
    watched[0].until_watched()
    assert_right_verdicts(watched)
    airflow.stop("triggerer-2")


def heartbeats(airflow):
    """Give when each triggerer has last reported, by its number."""
    jobs = airflow.request("GET", "/jobs", params={"job_type": "TriggererJob", "limit": 100})["jobs"]
    return {job["id"]: job["latest_heartbeat"] for job in jobs}


def until_heartbeat(airflow, triggerer):
    before = heartbeats(airflow)[triggerer]
    airflow.wait_until(lambda: heartbeats(airflow)[triggerer] != before, f"triggerer {triggerer} does not report")


def test_scheduler_is_killed(airflow, watched):
    airflow.kill("scheduler")
    watched[0].until_watched()
    airflow.start("scheduler")
    assert_right_verdicts(watched)
