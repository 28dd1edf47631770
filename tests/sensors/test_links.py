"""What the links of a task lead to, and when they are there."""

from __future__ import annotations

import json

import pytest

from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.links.batch import SentinelHubJobLink
from airflow_sentinelhub.operators.batch import (
    SentinelHubBatchAnalyseOperator,
    SentinelHubBatchCreateOperator,
    SentinelHubBatchTilesOperator,
)
from airflow_sentinelhub.sensors.batch import (
    SentinelHubBatchProcessJobSensor,
    SentinelHubBatchStatisticalJobSensor,
)
from airflow_sentinelhub.sensors.group import SentinelHubBatchGroupSensor
from tests.harness.modes import fire
from tests.harness.task_runner import ExecutionApi, deferred_to, run

JOB, DELIVERY = "SentinelHubJobLink", "SentinelHubDeliveryLink"
REQUEST = {"output": {"type": "raster", "delivery": {"s3": {"url": "s3://my-bucket/ndvi"}}}}
STATISTICAL = {"output": {"s3": {"url": "s3://my-bucket/statistics"}}}


@pytest.fixture
def dashboard(emulator, monkeypatch):
    """Set the page of a job in the connection ``sh``."""

    def dashboard(url):
        connection = {
            "conn_type": "sentinelhub",
            "login": emulator.client_id,
            "password": emulator.client_secret,
            "host": emulator.url,
            "extra": json.dumps({"auth_url": emulator.auth_url, "dashboard_url": url}),
        }
        monkeypatch.setenv("AIRFLOW_CONN_SH", json.dumps(connection))

    dashboard("https://hub.example.org/jobs/{id}")
    return dashboard


def folder(job_id, name="ndvi"):
    return f"https://s3.console.aws.amazon.com/s3/buckets/my-bucket?prefix={name}%2F{job_id}%2F"


def wait_for(job, **options):
    options = {"task_id": "wait", "sentinelhub_conn_id": "sh", **options}
    return SentinelHubBatchProcessJobSensor(request_id=job, **options)


def resumed(ended, task):
    """Let the trigger of a deferred task come to its event, and resume a new object of the task with that."""
    event, _ = fire(ended)
    ended.api.next_method, ended.api.next_kwargs = "execute_complete", {**deferred_to(ended)[2], "event": event}
    return run(task, ended.api)


def test_a_deferred_sensor_leads_to_its_job_and_sends_no_request_for_it(emulator, dashboard):
    job = emulator.add_job("process", request=REQUEST)
    emulator.forget_requests()
    ended = run(wait_for(job))
    assert ended.state == "deferred"
    assert ended.api.links == {JOB: f"https://hub.example.org/jobs/{job}", DELIVERY: ""}
    assert emulator.requests()["total"] == 0


@pytest.mark.parametrize("end", ["DONE", "FAILED"])
def test_afterwards_it_leads_to_the_delivery_folder_as_well(emulator, dashboard, end):
    job = emulator.add_job("process", status=end, request=REQUEST)
    ended = resumed(run(wait_for(job)), wait_for(job))
    assert ended.state == ("success" if end == "DONE" else "failed")
    assert ended.api.links == {JOB: f"https://hub.example.org/jobs/{job}", DELIVERY: folder(job)}


def test_a_link_that_is_not_known_yet_writes_no_line_into_a_log(emulator, dashboard):
    """Airflow's own look-up of an XCom that is not there says "XCom not found" as an error."""
    job = emulator.add_job("process", request=REQUEST)
    deferred = run(wait_for(job))
    assert deferred.state == "deferred"
    unknown = run(wait_for("{{ nothing }}"))
    assert unknown.state == "failed"
    refused = run(SentinelHubBatchAnalyseOperator(request_id="", task_id="act", sentinelhub_conn_id="sh"))
    rescheduled = run(wait_for(job, deferrable=False, mode="reschedule"))
    assert rescheduled.state == "up_for_reschedule"
    ended = resumed(run(wait_for(emulator.add_job("process", status="FAILED"))), wait_for(job))
    for each in (deferred, unknown, refused, rescheduled, ended):
        assert not [line for line in each.lines if "XCom" in str(line.get("event"))], each.log


def test_a_wait_whose_trigger_never_fired_keeps_its_link(emulator, dashboard):
    job = emulator.add_job("process", request=REQUEST)
    api = run(wait_for(job)).api
    api.next_method, api.next_kwargs = "__fail__", {"error": "Trigger timeout"}
    ended = run(wait_for(job), api)
    assert ended.state == "failed"
    assert ended.api.links[JOB] == f"https://hub.example.org/jobs/{job}"


def test_a_sensor_that_waits_on_its_worker(emulator, dashboard):
    job = emulator.add_job("statistical", status="DONE", request=STATISTICAL)
    sensor = SentinelHubBatchStatisticalJobSensor(
        task_id="wait", sentinelhub_conn_id="sh", request_id=job, deferrable=False
    )
    ended = run(sensor)
    assert ended.state == "success", ended.error
    assert ended.api.links == {
        JOB: f"https://hub.example.org/jobs/{job}",
        DELIVERY: folder(job, "statistics"),
    }


@pytest.mark.parametrize(
    ("url", "page"), [("https://hub.example.org/jobs", "https://hub.example.org/jobs"), ("https://x/{id}", "")]
)
def test_a_group_leads_to_the_page_of_all_jobs_if_there_is_one(emulator, dashboard, url, page):
    dashboard(url)
    jobs = [emulator.add_job("process") for _ in range(2)]
    sensor = SentinelHubBatchGroupSensor(task_id="gather", sentinelhub_conn_id="sh", request_ids=jobs)
    assert run(sensor).api.links == {JOB: page}


def test_the_operators(emulator, dashboard, s3, monkeypatch):
    options = {"task_id": "act", "sentinelhub_conn_id": "sh"}
    request = {**sample_request(BatchApi.PROCESS), **REQUEST}
    created = run(SentinelHubBatchCreateOperator(request=request, **options))
    job = created.returned["id"]
    expected = {JOB: f"https://hub.example.org/jobs/{job}", DELIVERY: folder(job)}
    assert created.api.links == expected
    assert run(SentinelHubBatchAnalyseOperator(request_id=job, **options)).api.links == expected
    empty_bucket = s3.connection(monkeypatch)
    unreadable = run(SentinelHubBatchTilesOperator(request_id=job, storage_conn_id=empty_bucket, **options))
    assert (unreadable.state, unreadable.api.links) == ("failed", expected)


def test_without_a_page_and_before_anything_is_known_there_is_none(emulator, dashboard):
    dashboard("")
    assert run(wait_for(emulator.add_job("process"))).api.links == {JOB: "", DELIVERY: ""}
    ended = run(wait_for("{{ nothing }}"))
    assert (ended.state, ended.api.links) == ("failed", {JOB: "", DELIVERY: ""})
    assert "Failed to push" not in ended.log


def test_a_link_never_raises(monkeypatch):
    def unreadable(**_):
        raise RuntimeError("the database is away")

    monkeypatch.setattr("airflow_sentinelhub.links.batch.XCom.get_value", unreadable)
    assert SentinelHubJobLink().get_link(object(), ti_key=None) == ""


def test_the_links_of_one_operator_do_not_share_a_key_or_a_name():
    links = SentinelHubBatchProcessJobSensor.operator_extra_links
    assert len({link.xcom_key for link in links}) == len({link.name for link in links}) == len(links) == 2
    assert ExecutionApi().links == {}
