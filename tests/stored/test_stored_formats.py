"""What is stored in Airflow's database keeps its names, and what an earlier version stored is still read."""

from __future__ import annotations

import json

import pytest

from tests.stored.stored_formats import FOLDER, file_of, formats

FORMATS = formats()


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_stored_is_as_it_always_was(name):
    stored = json.loads(json.dumps(FORMATS[name].stored))
    kept = json.loads(file_of(name).read_text(encoding="utf-8"))
    assert stored == kept, "add names if you have to, then: python -m tests.stored.stored_formats"


@pytest.mark.parametrize("name", FORMATS)
def test_it_is_read_as_it_was_stored(name):
    kept = json.loads(file_of(name).read_text(encoding="utf-8"))
    assert json.loads(json.dumps(FORMATS[name].again(kept))) == kept


# The arguments of the trigger of events are written by users, so a name that is not known is a mistake.
OURS = [name for name in FORMATS if name.startswith("trigger_") and name != "trigger_event"]


@pytest.mark.parametrize("name", OURS)
def test_arguments_of_a_newer_version_are_passed_over(name):
    kept = json.loads(file_of(name).read_text(encoding="utf-8"))
    newer = {**kept, "kwargs": {**kept["kwargs"], "from_the_future": 1}}
    for level in ("policy", "deadlines"):
        if level in newer["kwargs"]:
            newer["kwargs"][level] = {**newer["kwargs"][level], "from_the_future": 1}
    assert json.loads(json.dumps(FORMATS[name].again(newer))) == kept


def test_no_example_is_left_over():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(FORMATS)
