"""The recipes are DAG files that Airflow reads, and each does what it says, from end to end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.versions import dag_bag
from website.pages import RECIPE_ORDER, recipes

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "docs" / "recipes").glob("*.py"))
TESTING = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def test_each_recipe_is_on_the_page():
    assert sorted(RECIPE_ORDER) == [file.stem for file in FILES]
    page = recipes()
    assert all(f'title="{name}.py"' in page for name in RECIPE_ORDER)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_found_by_airflow(file, tmp_path):
    source = file.read_text(encoding="utf-8")
    if "RetryRule" in source:
        pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="needs Airflow 3.3")
    shutil.copy(file, tmp_path)
    bag = dag_bag(tmp_path)
    assert bag.import_errors == {}
    assert set(bag.dags) == set(re.findall(r"^@dag\(.*?\)\ndef (\w+)", source, re.DOTALL | re.MULTILINE))


@pytest.mark.system
def test_they_run(tmp_path):
    """As docs/testing.md says: a project with the recipes as its DAGs, in an Airflow of its own."""
    shutil.copytree(ROOT / "docs" / "recipes", tmp_path / "dags")
    (tmp_path / "tests").mkdir()
    conftest = re.search(r'title="tests/conftest.py"\n(.*?)```', TESTING, re.DOTALL)[1]
    (tmp_path / "tests" / "conftest.py").write_text(conftest, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = dags\n", encoding="utf-8")
    shutil.copy(ROOT / "tests" / "docs" / "recipes_run.py", tmp_path / "tests" / "test_recipes.py")
    environment = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", tmp_path / "temporary"],
        cwd=tmp_path,
        env=environment | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    output = ended.stdout + ended.stderr
    assert ended.returncode == 0, output
    assert re.search(rf"\b{len(FILES)} (passed|skipped)", output), output
