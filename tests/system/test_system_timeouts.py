"""The time of a wait is up in a real Airflow, whose own timeouts must not come first."""

from __future__ import annotations

import json

import pytest

from tests.system.watched import Watched, assert_nothing_was_stopped

pytestmark = pytest.mark.system

SAYS = {
    "wait_with_timeout": ("AirflowSensorTimeout", "30 s (timeout)"),
    "wait_with_execution_timeout": ("BatchTimeout", "30 s (execution_timeout)"),
}


@pytest.fixture(scope="module")
def waits(service, airflow):
    """Both, side by side."""
    service.forget_requests()
    return {dag_id: Watched(service, airflow, dag_id) for dag_id in SAYS}


@pytest.mark.parametrize("dag_id", SAYS)
def test_time_is_up(service, airflow, waits, dag_id):
    job, (error, says) = waits[dag_id], SAYS[dag_id]
    job.ends_as("failed")
    lines = json.dumps(airflow.log_lines(dag_id, job.run_id, "wait"))
    assert error in lines
    assert says in lines
    assert "PROCESSING 42 %" in lines
    assert airflow.xcom(dag_id, job.run_id, "wait")["status"] == "PROCESSING", "what is known of the job is kept"
    assert service.job(job.job_id)["status"] == "PROCESSING", "the job goes on"
    assert_nothing_was_stopped(service)
