"""
One emulator, one real Airflow and one browser for the tests of a file.

They end with it: as long as Playwright runs, tests of other files in this process can start no event loop.
"""

from __future__ import annotations

import io
import json
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from airflow_sentinelhub.emulator import Emulator
from demo.local_airflow import LocalAirflow
from tests.harness import requirements

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
LEFT_BEHIND = ROOT / ".browser"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DASHBOARD = "https://hub.example.org/jobs/{id}"
PATIENCE = 60_000
"""Milliseconds that the browser waits for whatever should appear: a busy machine needs some of it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-screenshots",
        action="store_true",
        help="write the pictures of docs/images that these tests take (for tests/browser)",
    )


@pytest.fixture(scope="module")
def chromium():
    """A browser without a window. None is ever downloaded."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(requirements.BROWSER)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def service(chromium):
    """A local Sentinel Hub in real time; tests move its jobs forward."""
    with Emulator(speed=1) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def airflow(service, tmp_path_factory):
    """A whole Airflow with the examples, whose jobs have a page each."""
    connection = json.loads(service.airflow_connection)
    connection["extra"]["dashboard_url"] = DASHBOARD
    with LocalAirflow(
        tmp_path_factory.mktemp("airflow"),
        ROOT / "example_dags",
        connections={"sentinelhub_default": json.dumps(connection)},
        env={"EXAMPLE_POKE_INTERVAL": "1"},
    ) as airflow:
        wait_until_known(airflow, "example_batch_process")
        yield airflow


def wait_until_known(airflow, dag_id):
    """Wait until the DAG processor has read a DAG: the page of one that it has not read stays empty."""
    deadline = time.monotonic() + 180
    while dag_id not in {dag["dag_id"] for dag in airflow.request("GET", "/dags")["dags"]}:
        airflow.check()
        assert time.monotonic() < deadline, airflow.import_errors()
        time.sleep(0.3)


@pytest.fixture
def page(airflow, chromium, request):
    """A new page of the browser; what it showed in the end is kept if the test fails."""
    context = chromium.new_context(
        base_url=airflow.ui_url, viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC"
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    failed_before = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed_before:
        LEFT_BEHIND.mkdir(exist_ok=True)
        page.screenshot(path=LEFT_BEHIND / f"{request.node.name}.png")
    context.close()


@pytest.fixture
def picture(page, request):
    """Take a picture for the documentation, if that is asked for."""

    def picture(name, *, height=900):
        """
        Take it of the whole width.

        :param height: of the part from the top on, in pixels.
        """
        if request.config.getoption("--update-screenshots", default=False):
            clip = {"x": 0, "y": 0, "width": 1280, "height": height}
            taken = Image.open(io.BytesIO(page.screenshot(clip=clip, animations="disabled")))
            taken.convert("RGB").quantize(128).save(IMAGES / f"{name}.png", optimize=True)

    return picture
