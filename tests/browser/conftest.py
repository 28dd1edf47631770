"""
One browser for the tests of a file.

It ends with it: as long as Playwright runs, tests of other files in this process can start no event loop.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from demo.airflow_rest import AirflowRestError
from tests.harness import requirements

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
LEFT_BEHIND = ROOT / ".browser"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
TIMEOUT = 180_000
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
    expect.set_options(timeout=TIMEOUT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-dev-shm-usage"])
        yield browser
        browser.close()


def wait_until_known(airflow, dag_id):
    """Wait until the DAG processor has read a DAG: the page of one that it has not read stays empty."""

    def known():
        return dag_id in {dag["dag_id"] for dag in airflow.request("GET", "/dags")["dags"]}

    airflow.wait_until(known, f"{dag_id} is not known", story=lambda: str(airflow.import_errors()))


@pytest.fixture(scope="module", autouse=True)
def prepared(airflow):
    """The DAG's page is there before the tests, and the connections that they add are gone after them."""
    wait_until_known(airflow, "example_batch_process")
    yield
    for conn_id in ("my_hub", "wrong_hub"):
        with contextlib.suppress(AirflowRestError):  # it was not added
            airflow.request("DELETE", f"/connections/{conn_id}")


@pytest.fixture
def page(airflow, chromium, request):
    """A new page of the browser; what it showed in the end is kept if the test fails."""
    context = chromium.new_context(
        base_url=airflow.ui_url, viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC"
    )
    context.set_default_timeout(TIMEOUT)
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
