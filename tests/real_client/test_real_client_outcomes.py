"""The page for users who migrate says what these tests found."""

from __future__ import annotations

import difflib

from tests.real_client.outcomes_page import PAGE, REGENERATE, page


def test_the_page_says_what_was_found(monitor_ending, sensor_ending, request):
    found = page(monitor_ending, sensor_ending)
    if request.config.getoption("--update-outcomes", default=False):
        PAGE.write_text(found, encoding="utf-8")
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    changes = difflib.unified_diff(
        written.splitlines(), found.splitlines(), "docs/outcomes.md", "what was found", "", "", 0, ""
    )
    assert written == found, (
        "docs/outcomes.md does not say what was found. If that is right, write it anew:\n"
        f"    {REGENERATE}\n" + "\n".join(changes)
    )
