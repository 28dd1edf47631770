"""What docs/tiles.md states of the tiles operator is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import BatchApi, known_statuses
from airflow_sentinelhub.operators.tiles import SentinelHubBatchTilesOperator
from airflow_sentinelhub.results import execution_database, report, statistics_files

ROOT = Path(__file__).parents[2]
TILES = (ROOT / "docs" / "tiles.md").read_text(encoding="utf-8")


def test_the_example_makes_an_operator():
    [example] = re.findall(r"```python\n(.*?)```", TILES, re.DOTALL)
    namespace = {}
    exec(compile(example, "docs/tiles.md", "exec"), namespace)
    assert isinstance(namespace["tiles"], SentinelHubBatchTilesOperator)


@pytest.mark.parametrize("api", BatchApi)
def test_the_statuses_of_each_api(api):
    [row] = re.findall(rf"^\| `{api}` \| ([A-Z, ]+) \|", TILES, re.MULTILINE)
    assert tuple(row.split(", ")) == known_statuses(api)


def test_every_argument_is_described():
    parameters = set(inspect.signature(SentinelHubBatchTilesOperator.__init__).parameters) - {"self", "kwargs"}
    assert {name for name in parameters if f"`{name}" not in TILES} == set()


def test_the_exceptions_that_it_names_exist():
    named = set(re.findall(r"`((?:Results|Storage|Service|Not)[A-Z]\w+)`", TILES))
    assert len(named) == 5
    for name in named:
        assert issubclass(getattr(exceptions, name), exceptions.SentinelHubError)


def test_the_numbers():
    assert f"{report.MANY:,}" in TILES
    assert f"{statistics_files.READERS} at a time" in TILES
    *pauses, last = (f"{pause:g}" for pause in execution_database.PAUSES)
    assert f"after {', '.join(pauses)} and {last} s" in TILES


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", TILES):
        assert target.startswith("https://") or (ROOT / "docs" / target).exists(), target
