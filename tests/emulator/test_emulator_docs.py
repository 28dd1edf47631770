"""What docs/emulator.md says: every name, every default, every example."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from airflow_sentinelhub.emulator import CLIENT_ID, CLIENT_SECRET, Control, Emulator
from airflow_sentinelhub.emulator.faults import ErrorShape, Fault, FaultKind
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.settings import Settings
from airflow_sentinelhub.emulator.timeline import _OWN_KEYS

DOCS = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")
CHAPTERS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", DOCS, re.DOTALL | re.MULTILINE))
# What the docs say instead of a value.
IN_WORDS: dict[str, Any] = {
    "false": False,
    "true": True,
    "none": [],
    "no limit": None,
    "": (),
    "a usual text": None,
    "100, or 50": None,
    "DONE": None,
}


def names(kind: Any) -> list[str]:
    return [each.name for each in fields(kind)]


def table(chapter: str) -> dict[str, str]:
    """Default as it is written, by name, from a table whose first two columns these are."""
    found = {}
    for first, second in re.findall(r"^\| (`.*?) \| (.*?) ?\| .* \|$", CHAPTERS[chapter], re.MULTILINE):
        written = re.findall(r"`(\w+)`", first)
        values = second.split(", ") if len(written) > 1 else [second]
        found |= dict(zip(written, values * (len(written) if len(values) == 1 else 1), strict=True))
    return found


@pytest.mark.parametrize(("chapter", "kind"), [("Settings", Settings), ("Scenarios", Scenario)])
def test_every_field_is_in_the_table_with_its_default(chapter: str, kind: Any) -> None:
    documented = table(chapter)
    assert sorted(documented) == sorted(names(kind))
    for each in fields(kind):
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        said = documented[each.name]
        if said == "as above":
            assert default in (CLIENT_ID, CLIENT_SECRET)
            assert default in DOCS.partition("## ")[0]
        elif said in IN_WORDS:
            assert default == IN_WORDS[said], each.name
        else:
            assert said == (f"{default:g}" if isinstance(default, int | float) else default), each.name


@pytest.mark.parametrize(
    ("chapter", "expected"),
    [
        ("Faults", {*names(Fault), *FaultKind} - {"hits"}),
        ("Scenarios", set(_OWN_KEYS)),
        ("The control interface", {name for name in vars(Control) if name[0] != "_"}
            - {"url", "auth_url", "cdse_auth_url", "client_id"}),
    ],
)  # fmt: skip
def test_every_name_is_mentioned(chapter: str, expected: set[str]) -> None:
    mentioned = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`+([^`]+)`+", CHAPTERS[chapter]))))
    assert expected - mentioned == set()


def test_every_shape_of_an_error_is_mentioned() -> None:
    assert all(re.search(rf"\b{shape}\b", CHAPTERS["Faults"]) for shape in ErrorShape)


def test_every_address_of_the_control_interface_exists(emulator: Emulator) -> None:
    control = CHAPTERS["The control interface"]
    rows = re.findall(r"^\| (.*?) \| (.*?) \|", control, re.MULTILINE)
    asked = [
        (method, path)
        for row, _ in rows
        for methods, path in re.findall(r"(`[A-Z`, ]+) (/_emulator/[^`]*)`", row)
        for method in re.findall(r"[A-Z]+", methods)
    ]
    assert len(asked) >= 20
    refusals = []
    for method, path in asked:
        below = path.removeprefix("/_emulator").replace("{number}", "0").replace("{id}", "none")
        try:
            emulator._call(method, below)
        except ValueError as error:
            refusals.append(str(error))
    assert [each for each in refusals if "control interface has no" in each] == []


def test_the_examples_of_scenarios_are_scenarios() -> None:
    examples = re.findall(r"^\| .* \| `(\{.*\})` \|$", CHAPTERS["Scenarios"], re.MULTILINE)
    assert len(examples) >= 10
    for example in examples:
        assert Scenario.parse(json.loads(example)) != Scenario()


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL))
def test_the_examples_run(emulator: Emulator, example: str) -> None:
    namespace = {"hub": emulator}
    exec(compile(example, "docs/emulator.md", "exec"), namespace)
    if "processing_units" in example:
        shown = emulator.job(str(namespace["job"]))
        assert (shown["stoppedStatusReason"], shown["completionPercentage"]) == ("OUT_OF_PU", 41)
