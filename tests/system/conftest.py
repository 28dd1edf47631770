"""What begins in one file of tests and is looked at in the next, as a minute has to pass in between."""

from __future__ import annotations

import pytest

from tests.harness.shared_airflow import STAGE

STOP_DAG = "example_batch_stop"


@pytest.fixture(scope="session")
def stopping(service, shared_airflow):
    """
    Runs of the example that stops jobs, for a job that runs, one that is done and one that is queued.

    The queued one cannot be stopped yet, and is looked at again after a minute.
    """
    airflow = shared_airflow.running()
    service.forget_requests()
    jobs = {
        "running": service.add_job("process", steps=[{"status": "PROCESSING", "completionPercentage": 42}]),
        "done": service.add_job("process", steps=[{"status": "DONE"}]),
        "queued": service.add_job("process"),
    }
    ids = {name: airflow.trigger(STOP_DAG, {"request_id": job_id}) for name, job_id in jobs.items()}
    airflow.wait_until_deferred(STOP_DAG, ids["queued"], "stop_job")
    service.advance(STAGE)
    return {"jobs": jobs, "ids": ids}
