"""What users see in Airflow's own UI, in a real browser: the connection, and the page of a task."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import expect

from tests.harness.shared_airflow import DASHBOARD
from tests.harness.versions import needs_airflow

pytestmark = [pytest.mark.system, needs_airflow("3.3", "has the UI that is tried here")]

DAG = "example_batch_process"


class Connections:
    """The page *Admin / Connections*."""

    def __init__(self, page):
        self.page = page
        self.form = page.get_by_role("dialog")
        page.goto("/connections")

    def row(self, conn_id):
        return self.page.get_by_role("row").filter(has_text=conn_id)

    def open_new(self, conn_id):
        self.page.get_by_role("button", name="Add Connection").click()
        self.form.get_by_label("Connection ID").fill(conn_id)
        self.form.get_by_role("combobox").click()
        self.page.keyboard.type("Sentinel")
        self.page.get_by_role("option", name="Sentinel Hub", exact=True).click()

    def section(self, name):
        self.form.get_by_role("button", name=name, exact=True).click()

    def extra(self, label):
        """A text field of extra: its label is not tied to it."""
        return self.form.get_by_role("group").filter(has_text=label).get_by_role("textbox")

    def save(self):
        self.form.get_by_role("button", name="Save").click()
        expect(self.form).to_be_hidden()

    def test(self, conn_id, title):
        """Click *Test*, and give the toast that tells how it went."""
        self.row(conn_id).get_by_role("button", name="Test Connection").click()
        toast = self.page.get_by_role("status").filter(has_text=title)
        expect(toast).to_be_visible()
        return toast


def test_a_connection_is_added_tested_and_edited(service, page, picture):
    connections = Connections(page)
    connections.open_new("my_hub")
    form = connections.form
    for label, value in (
        ("Base URL", service.url),
        ("Client ID", service.client_id),
        ("Client secret", service.client_secret),
        ("Port", "443"),
    ):
        form.get_by_label(label, exact=True).fill(value)
    assert form.get_by_label("Client secret", exact=True).get_attribute("type") == "password"
    assert "443" in form.get_by_label("Port", exact=True).get_attribute("placeholder")
    picture("connection-form")

    connections.section("Extra Fields")
    form.get_by_label("Deployment").click()
    expect(page.get_by_role("option")).to_have_text(["main", "us-west-2", "cdse", "custom"])
    page.get_by_role("option", name="custom").click()
    connections.extra("Authentication URL").fill(service.auth_url)
    for words in ("Copernicus Data Space", "Address that issues tokens", "most requests", "the job's id"):
        expect(form.get_by_text(re.compile(words, re.IGNORECASE)).first).to_be_visible()
    picture("connection-extra")
    connections.save()

    toast = connections.test("my_hub", "Test Connection Successful")
    expect(toast).to_contain_text(f"{service.url} accepts this OAuth client. Its token is valid until")
    expect(toast).to_contain_text("Batch Process jobs in its list: ")
    picture("connection-test")

    page.reload()
    connections.row("my_hub").get_by_role("button", name="Edit Connection").click()
    expect(form.get_by_label("Client secret", exact=True)).to_have_value("***")
    connections.section("Extra Fields")
    expect(connections.extra("Authentication URL")).to_have_value(service.auth_url)
    connections.extra("Dashboard URL").fill(DASHBOARD)
    connections.save()
    connections.test("my_hub", "Test Connection Successful")  # the secret that was not typed again is still there


def test_a_wrong_secret_is_told_and_not_shown(service, airflow, page, picture):
    airflow.request(
        "POST",
        "/connections",
        json={
            "connection_id": "wrong_hub",
            "conn_type": "sentinelhub",
            "login": service.client_id,
            "password": "not-the-secret",
            "host": service.url,
            "port": 443,
            "extra": f'{{"auth_url": "{service.auth_url}"}}',
        },
    )
    toast = Connections(page).test("wrong_hub", "Test Connection Failed")
    expect(toast).to_contain_text("Look at Client ID and Client secret.")
    expect(toast).not_to_contain_text("not-the-secret")
    picture("connection-test-failed")


class Task:
    """The page of a task instance."""

    def __init__(self, page, run_id, task_id):
        self.page = page
        self.path = f"/dags/{DAG}/runs/{quote(run_id)}/tasks/{task_id}"

    def log(self):
        self.page.goto(self.path)

    def line(self, text):
        """A line of the log; the first one, as the worker repeats the verdict."""
        return self.page.get_by_text(text).first

    def link(self, name):
        return self.page.get_by_role("link", name=name, exact=True)

    def details(self):
        self.page.goto(f"{self.path}/details")

    def is_in_state(self, state):
        expect(self.page.get_by_text(state, exact=True).first).to_be_visible()


def test_a_wait_is_followed_from_the_trigger_button_to_its_result(service, airflow, page, picture):
    """The emulator's job moves only when the test says so: every line is awaited, and none can be missed."""
    service.next_scenario(
        {"queued_seconds": 0, "analysis_seconds": 3600, "ready_seconds": 0, "processing_seconds": 60_000},
        api="process",
    )
    page.goto(f"/dags/{DAG}")
    page.get_by_role("button", name="Trigger Dag").click()
    page.get_by_role("dialog").get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url("**/runs/manual__*")
    run_id = unquote(page.url.partition("/runs/")[2].partition("/")[0])
    airflow.wait_until_deferred(DAG, run_id, "wait_for_analysis")
    service.advance(3600)
    airflow.wait_until_deferred(DAG, run_id, "wait_for_job")
    job_id = airflow.xcom(DAG, run_id, "create_job")["id"]
    name = f"Cloud-free NDVI of Corsica, {job_id[:8]}"

    task = Task(page, run_id, "wait_for_job")
    task.log()
    expect(task.line(f"Waiting until the job is done (Batch Process {job_id})")).to_be_visible()
    expect(task.line(re.compile(rf"PROCESSING .*\({name}\)"))).to_be_visible()
    task.is_in_state("Deferred")
    # The page is not loaded again: the log grows in it.
    for seconds, percent in ((15_000, "2"), (15_000, "5")):
        service.advance(seconds)
        expect(task.line(re.compile(rf"PROCESSING {percent}\d %.* left \({name}\)"))).to_be_visible()

    task.details()
    page_of_job = DASHBOARD.replace("{id}", job_id)
    expect(task.link("Sentinel Hub")).to_have_attribute("href", page_of_job)
    expect(task.link("Delivery folder")).to_have_count(0)

    service.advance(60_000)
    airflow.wait_for_task(DAG, run_id, "wait_for_job", "success")
    task.log()
    verdict = rf"DONE, 250 PU, waited .* \(Cloud-free NDVI of Corsica, Batch Process {job_id}\)"
    expect(task.line(re.compile(verdict))).to_be_visible()
    task.details()
    expect(task.link("Sentinel Hub")).to_have_attribute("href", page_of_job)
    folder = f"https://s3.console.aws.amazon.com/s3/buckets/my-bucket?prefix=ndvi%2F{job_id}%2F"
    expect(task.link("Delivery folder")).to_have_attribute("href", folder)
    picture("task-links", height=460)

    page.goto(f"{task.path}/xcom")
    result = page.get_by_role("row").filter(has_text="return_value")
    expect(result).to_be_visible()
    page.get_by_role("button", name="Expand").click()
    expect(result).to_contain_text(job_id)
    expect(result).to_contain_text('"costPU"')
    expect(result).not_to_contain_text("evalscript")
    picture("task-xcom")


def test_a_failed_job_says_why(service, airflow, page):
    service.next_scenario(steps=[{"status": "ANALYSING"}], api="process")
    run_id = airflow.trigger(DAG)
    airflow.wait_until_deferred(DAG, run_id, "wait_for_analysis")
    job_id = airflow.xcom(DAG, run_id, "create_job")["id"]
    service.set_scenario(job_id, steps=[{"status": "FAILED", "error": "Evalscript broken"}])
    airflow.wait_for_run(DAG, run_id, "failed")
    task = Task(page, run_id, "wait_for_analysis")
    task.log()
    task.is_in_state("Failed")
    expect(task.line(re.compile(rf"FAILED: Evalscript broken \(.*{job_id}\)"))).to_be_visible()
    expect(task.line("BatchFailed: ")).to_be_visible()
