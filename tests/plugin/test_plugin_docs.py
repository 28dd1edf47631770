"""What docs/testing.md shows works: its files are laid out as a user would, and run by pytest."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_sentinelhub.emulator import ScriptedEmulator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', PAGE, re.DOTALL))


@pytest.fixture
def users_project(tmp_path):
    for name, content in FILES.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    return tmp_path


def run_pytest(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", folder / "temporary", *arguments],
        cwd=folder,
        env=environment | {"TMPDIR": str(folder)},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    return ended.stdout + ended.stderr


@pytest.mark.system
def test_the_project_of_the_page(users_project):
    output = run_pytest(users_project)
    assert re.search(r"\b4 passed\b", output), output
    assert not re.search(r"\d (failed|error)", output), output


def test_its_single_sensor_needs_no_database(users_project):
    (users_project / "tests" / "conftest.py").write_text(
        f"import os\nos.environ['AIRFLOW_HOME'] = {str(users_project)!r}\n"
    )
    output = run_pytest(users_project, "tests/test_one_sensor.py")
    assert re.search(r"\b2 passed\b", output), output
    assert not (users_project / "airflow.db").exists()


def test_every_argument_is_in_its_table():
    parameters = set(inspect.signature(ScriptedEmulator.job).parameters) - {"self", "job_id"}
    assert {name for name in parameters if not re.search(rf"^\| .*`{name}`.* \|", PAGE, re.MULTILINE)} == set()
