"""What the site says of numbers and classes is so, and it needs nothing but itself."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_sentinelhub.operators import batch as operators
from airflow_sentinelhub.polling import requester
from airflow_sentinelhub.sensors import batch, group
from tests.harness import requirements

ROOT = Path(__file__).parents[2]
REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
MIGRATING = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def public_classes():
    for module in (batch, group, operators):
        for name, value in vars(module).items():
            if inspect.isclass(value) and re.fullmatch(r"SentinelHubBatch\w+(Sensor|Operator)", name):
                yield name


def test_every_sensor_and_operator_is_in_the_reference():
    missing = {name for name in public_classes() if not re.search(rf"^::: .*\.{name}$", REFERENCE, re.MULTILINE)}
    assert missing == set()


def test_every_function_has_its_chapter():
    functions = {f"monitor_batch_{kind}" for kind in ("job", "process_job", "statistical_job")}
    functions |= {f"monitor_batch_{kind}" for kind in ("analysis", "process_analysis", "statistical_analysis")}
    assert set(re.findall(r"^## `(\w+)`$", MIGRATING, re.MULTILINE)) == functions


def test_the_numbers_of_performance():
    assert "four requests" in PERFORMANCE
    assert requester.THREADS == 4
    assert f"it asks for {requester.THREADS / 0.2:g} jobs" in PERFORMANCE


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs", reason=requirements.DOCS)
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_it_asks_nobody_else(site):
    pages = [*site.rglob("*.html")]
    assert len(pages) > 20
    for page in pages:
        loaded = re.findall(
            r"<(?:script|img|iframe|source)[^>]*\bsrc=\"?(https?:[^\s\">]+)", page.read_text(encoding="utf-8")
        )
        loaded += re.findall(r"<link[^>]*\bhref=\"?(https?:[^\s\">]+)", page.read_text(encoding="utf-8"))
        assert loaded == [], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\"?https?:|@import", style.read_text(encoding="utf-8")), style


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("index.html", "Waits for <a"),
        ("examples.html", "example_batch_tiles"),
        ("reference/job-sensors.html", "analysis_poke_interval"),
        ("reference/job-sensors.html", "outage_tolerance"),
        ("reference/operators.html", "sentinelhub_conn_id"),
        ("changelog.html", "Unreleased"),
    ],
)
def test_its_pages_are_made_of_what_is_elsewhere(site, page, words):
    assert words in (site / page).read_text(encoding="utf-8")


def test_no_role_of_rest_is_left(site):
    for page in (site / "reference").glob("*.html"):
        assert not re.search(r":(class|meth|func|attr):", page.read_text(encoding="utf-8")), page
