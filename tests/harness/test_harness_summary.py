"""The end of a run says in a few lines what was skipped, and which answers were checked."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from tests.harness.answer_recorder import WorkerCounts, collect_counts
from tests.harness.openapi_official import SETTING, is_at_hand
from tests.harness.run_summary import answers_line, skip_lines


def skipped(reason: str) -> SimpleNamespace:
    return SimpleNamespace(longrepr=("a_file.py", 7, f"Skipped: {reason}"))


def test_there_is_one_line_for_each_reason_the_most_frequent_first() -> None:
    reports = [skipped("needs a"), skipped("needs b: apt install b"), skipped("needs a")]
    assert skip_lines(reports) == ["skipped 2: needs a", "skipped 1: needs b: apt install b"]
    assert skip_lines([]) == []


def test_one_line_says_which_answers_were_checked() -> None:
    counts = Counter({"checked": 12345, "scripted": 2, "not described": 1})
    line = answers_line(counts, official=False)
    assert line == "emulator: 12,345 answers checked against the project's schemas; left out: 3 (faults, tokens)"
    assert f"the project's schemas and the document of {SETTING};" in answers_line(counts, official=True)
    assert answers_line(Counter(), official=False) == ""


def test_what_workers_checked_is_counted_as_well() -> None:
    config = SimpleNamespace(stash=pytest.Stash())
    plugin = WorkerCounts(config)  # type: ignore[arg-type]
    for output in ({"emulator_answers": {"checked": 3}}, {"emulator_answers": {"checked": 4, "scripted": 1}}, {}):
        plugin.pytest_testnodedown(SimpleNamespace(workeroutput=output), None)
    plugin.pytest_testnodedown(SimpleNamespace(), "it crashed")
    assert collect_counts(config) == {"checked": 7, "scripted": 1}  # type: ignore[arg-type]


def test_a_setting_that_names_no_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "/nowhere/openapi.yaml")
    with pytest.raises(pytest.UsageError, match=SETTING):
        is_at_hand()
    monkeypatch.setenv(SETTING, __file__)
    assert is_at_hand()
    monkeypatch.delenv(SETTING)
    assert not is_at_hand()
