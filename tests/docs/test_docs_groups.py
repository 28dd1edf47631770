"""What docs/groups.md states of the sensor of groups is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import BatchApi, Deadlines, Outcome, Quorum, Verdict, evaluate_group
from airflow_sentinelhub.sensors.group import SentinelHubBatchGroupSensor
from airflow_sentinelhub.waits import group_progress_log

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "groups.md").read_text(encoding="utf-8")


def test_the_example_makes_a_sensor():
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    namespace = {}
    exec(compile(example, "docs/groups.md", "exec"), namespace)
    assert isinstance(namespace["gather"], SentinelHubBatchGroupSensor)


def test_it_has_every_argument_of_its_own_with_its_default():
    parameters = inspect.signature(SentinelHubBatchGroupSensor.__init__).parameters
    for name, default in (("api", '"process"'), ("until", '"all"'), ("fail_fast", "True")):
        assert f"| `{name}` | `{default}` |" in PAGE
        assert str(parameters[name].default) == default.strip('"')
    assert "| `request_ids` | | " in PAGE


# The jobs by which a row of the table is tried: those of a success, and how the failure comes about, step by step.
D, F, W = Outcome.DONE, Outcome.FAILED, Outcome.WAITING
ROWS = {
    ('`"all"`', "`True`"): (("all", True), [D, D, D], [[F, W, W]]),
    ('`"all"`', "`False`"): (("all", False), [D, D, D], [[F, W, W], [F, D, D]]),
    ('`"any"`', "either"): (("any", True), [F, W, D], [[F, F, W], [F, F, F]]),
    ("a number", "either"): ((2, True), [D, W, D], [[F, D, W], [F, D, F]]),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_table(row):
    assert f"| {row[0]} | {row[1]} | " in PAGE
    quorum, success, steps = ROWS[row]

    def outcome(outcomes, quorum):
        members = {str(n): Verdict(each, BatchApi.PROCESS, str(n)) for n, each in enumerate(outcomes)}
        return evaluate_group(members, Quorum(*quorum), BatchApi.PROCESS, Deadlines(0, 1)).outcome

    for fail_fast in {quorum[1]} if row[1] != "either" else (True, False):
        assert outcome(success, (quorum[0], fail_fast)) is Outcome.DONE
        for step in steps[:-1]:
            assert outcome(step, (quorum[0], fail_fast)) is Outcome.WAITING
        assert outcome(steps[-1], (quorum[0], fail_fast)) is Outcome.FAILED


def test_its_numbers():
    assert f"({group_progress_log.MIN_SUMMARY_INTERVAL:.0f} seconds apart)" in PAGE
    assert group_progress_log.WARNINGS_AT_ONCE == 5
    assert "at most five warnings" in PAGE
    assert f"up to {group_progress_log.TABLE_ROWS} jobs" in PAGE


def test_the_exceptions_that_it_names_exist():
    named = set(re.findall(r"`((?:Batch|Service)[A-Z]\w+)`", PAGE))
    assert len(named) == 4
    for name in named:
        assert hasattr(exceptions, name), name


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", PAGE))
def test_links_lead_somewhere(target):
    assert (ROOT / "docs" / target).exists()
