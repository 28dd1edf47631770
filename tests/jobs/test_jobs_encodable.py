"""What may be handed to Airflow: its encoder refuses the rest outside of every handler of ours."""

from __future__ import annotations

import json

import msgspec
import pytest

from airflow_sentinelhub.jobs.encodable import DEEPEST, LONGEST_LINE, printable, why_not_encodable


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ("cut \ud83d", "surrogate"),
        ({"\udc00": 1}, "surrogate"),
        ("a\0b", "NUL"),
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        (nested(DEEPEST + 1), "deep"),
        (nested(100_000), "deep"),
        ({1: "a"}, "key of type int"),
        ({"a": {1, 2}}, "type set"),
        ({"a": b"1"}, "type bytes"),
    ],
)
def test_what_is_refused(value, says):
    assert says in why_not_encodable({"job": [value]})


@pytest.mark.parametrize(
    "value", [2**64 - 1, -(2**63), "cut \U0001f600 é\n", None, True, 1.5, nested(50), {"a": {"b": [1, "c"]}}]
)
def test_what_is_handed_over_can_be_encoded(value):
    payload = {"job": value}
    assert why_not_encodable(payload) is None
    assert json.loads(msgspec.json.encode(payload)) == payload
    msgspec.msgpack.encode(payload)


def test_a_line_can_be_written_into_every_log():
    line = printable("cut \ud83d, \0 and " + "x" * 10_000_000)
    assert line.startswith("cut ?, ? and xxx")
    assert len(line) == LONGEST_LINE
    line.encode()
