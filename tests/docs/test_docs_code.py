"""The code on the pages is code: it can be run, and its DAGs are found by Airflow's own parsing of DAG files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

from tests.harness import requirements
from tests.harness.versions import dag_bag

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    (page.relative_to(ROOT).as_posix(), number, title, source)
    for page in PAGES
    for number, (title, source) in enumerate(
        re.findall(
            r'^```python(?: title="([^"]+)")?\n(.*?)^```',
            page.read_text(encoding="utf-8"),
            re.DOTALL | re.MULTILINE,
        ),
        1,
    )
]
# What is run where it belongs: with an emulator, and by pytest.
RUN_ELSEWHERE = {"docs/emulator.md", "docs/testing.md"}


def named(blocks):
    return [pytest.param(*block, id=f"{block[0]}-{block[1]}") for block in blocks]


@pytest.mark.parametrize(("page", "number", "title", "source"), named(BLOCKS))
def test_it_can_be_read(page, number, title, source):
    compile(source, f"{page}, block {number}", "exec")


@pytest.mark.parametrize(
    ("page", "number", "title", "source"), named(block for block in BLOCKS if block[0] not in RUN_ELSEWHERE)
)
def test_it_can_be_run(page, number, title, source):
    if "import sentinelhub" in source or "from sentinelhub" in source:
        pytest.importorskip("sentinelhub.api.batch.process_v2", reason=requirements.SENTINELHUB)
    with DAG("a_dag", schedule=None):
        exec(compile(source, f"{page}, block {number}", "exec"), {"__name__": "a_page"})


@pytest.mark.parametrize(
    ("page", "number", "title", "source"), named(block for block in BLOCKS if "@dag(" in block[3])
)
def test_its_dag_is_found_by_airflow(page, number, title, source, tmp_path):
    (tmp_path / "dag_of_a_page.py").write_text(source, encoding="utf-8")
    bag = dag_bag(tmp_path)
    assert bag.import_errors == {}
    assert set(bag.dags) == set(re.findall(r"^@dag\(.*?\)\ndef (\w+)", source, re.DOTALL | re.MULTILINE))


def test_every_page_with_code_is_known():
    assert {"README.md", "docs/getting-started.md", "docs/migrating.md", "docs/operators.md"} <= {
        page for page, *_ in BLOCKS
    }
