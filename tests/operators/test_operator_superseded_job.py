"""A job from a request that has changed since is stopped, if it costs anything."""

from __future__ import annotations

import logging

import pytest

from airflow_sentinelhub import clock as package_clock
from airflow_sentinelhub.exceptions import BatchActionImpossible
from airflow_sentinelhub.hooks.client_factory import make_client
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.operators.job_action_client import JobActionClient
from airflow_sentinelhub.operators.superseded_job import stop_superseded

log = logging.getLogger(__name__)


@pytest.fixture
def stop(emulator, clock, monkeypatch, caplog):
    """Stop a job as its task would, and return what the log says of it."""
    monkeypatch.setenv("AIRFLOW_CONN_SH", emulator.airflow_connection)

    def stop(job_id, api="process"):
        read = BatchJob.from_payload(BatchApi(api), emulator.job(job_id))
        with make_client(SentinelHubHook("sh").get_config(), BatchApi(api)) as client, caplog.at_level("INFO"):
            stop_superseded(read, JobActionClient(client, job_id, package_clock.sleep, log.warning), log)
        return caplog.text

    return stop


def actions(emulator):
    return {name: count for name, count in emulator.requests()["actions"].items() if count}


@pytest.mark.parametrize("api", BatchApi)
def test_one_that_runs_is_stopped(emulator, stop, api):
    job_id = emulator.add_job(api, steps=[{"status": "PROCESSING", "userAction": "START"}])
    text = stop(job_id, api)
    assert "Created before, from another request: " in text
    assert emulator.job(job_id)["status"] in ("STOPPED", "CANCELED")
    assert actions(emulator) == {api.spec.stop_action: 1}


@pytest.mark.parametrize("api", BatchApi)
def test_one_that_was_not_started_is_left(emulator, stop, api):
    job_id = emulator.add_job(api, status="CREATED")
    assert "Left as it is: it was not started and costs nothing" in stop(job_id, api)
    assert actions(emulator) == {}


@pytest.mark.parametrize("status", ["DONE", "FAILED"])
def test_one_that_is_over_is_left(emulator, stop, status):
    job_id = emulator.add_job("process", steps=[{"status": status}])
    stop(job_id)
    assert actions(emulator) == {}


def test_one_that_is_gone_costs_nothing_any_more(emulator, stop):
    job_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    payload = emulator.job(job_id)
    emulator.fault(status=404, method="POST", times=None, api="process")
    emulator.fault(status=404, method="GET", times=None, api="process")
    assert payload["status"] == "PROCESSING"
    assert "Gone: 404" in stop(job_id)


def test_one_that_goes_on_is_an_error(emulator, stop):
    job_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    emulator.fault(status=400, method="POST", times=None, api="process")
    with pytest.raises(BatchActionImpossible, match="COULD NOT BE STOPPED") as error:
        stop(job_id)
    assert error.value.job_id == job_id
