"""What docs/run.md states of the operator is so, as far as the operator's own tests do not show it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.operators.batch import SentinelHubBatchRunOperator
from airflow_sentinelhub.operators.request_operator import SentinelHubBatchRequestOperator
from airflow_sentinelhub.tasks.kill_handler import _HELD_FOR
from airflow_sentinelhub.triggers.kill import _ASKED_AGAIN_FOR

PAGE = (Path(__file__).parent.parent.parent / "docs" / "run.md").read_text(encoding="utf-8")


def arguments(operator):
    parameters = inspect.signature(operator.__init__).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def test_every_argument_is_in_the_table():
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`\w+`.*?) \|", PAGE, re.MULTILINE))))
    assert set(arguments(SentinelHubBatchRunOperator)) | set(arguments(SentinelHubBatchRequestOperator)) <= named


def test_the_defaults_are_those_of_the_table():
    stated = dict(re.findall(r"^\| `(\w+)` \| (`[^`]+`|7 days) \|", PAGE, re.MULTILINE))
    actual = arguments(SentinelHubBatchRunOperator)
    assert len(stated) == 10
    for name, default in stated.items():
        assert actual[name] == (7 * 86_400 if default == "7 days" else eval(default.strip("`"))), name


def test_the_exceptions_that_it_names_exist():
    named = set(re.findall(r"`(Batch\w+)`", PAGE))
    assert len(named) == 4
    assert all(hasattr(exceptions, name) for name in named)


def test_the_times_of_a_kill():
    assert (_ASKED_AGAIN_FOR, _HELD_FOR) == (15 * 60, 2)
    assert "for 15 minutes" in PAGE
