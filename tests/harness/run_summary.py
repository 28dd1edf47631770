"""The end of a run in a few lines: what was skipped and what it needs, and which answers were checked."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.harness.answer_recorder import collect_counts
from tests.harness.openapi_official import SETTING, is_at_hand


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One line for each reason to skip tests, and one for the emulator's answers."""
    for line in skip_lines(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line)
    if line := answers_line(collect_counts(config), official=is_at_hand()):
        terminalreporter.write_line(line)


def skip_lines(reports: list[Any]) -> list[str]:
    """How many tests (or modules) were skipped for each reason. The reason says what they need."""
    reasons = Counter(_reason(report) for report in reports)
    return [f"skipped {count}: {reason}" for reason, count in reasons.most_common()]


def answers_line(counts: Counter[str], *, official: bool) -> str:
    """What was checked, if there was anything to check."""
    if not counts.total():
        return ""
    against = "the project's schemas" + (f" and the document of {SETTING}" if official else "")
    left_out = counts.total() - counts["checked"]
    checked = f"emulator: {counts['checked']:,} answers checked against {against}"
    return f"{checked}; left out: {left_out:,} (faults, tokens)"


def _reason(report: Any) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(reason).removeprefix("Skipped: ")
