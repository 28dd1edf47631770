"""Whatever JSON comes from outside: it is read, and can be written by every encoder that it meets."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_sentinelhub.jobs.redaction import MASK, Redactor
from airflow_sentinelhub.jobs.untrusted_json import (
    DOCUMENT,
    RECORD,
    TOO_DEEP,
    InvalidJson,
    Limits,
    clean,
    read_json,
)
from tests.harness.cost import growth
from tests.jobs.anything import all_encoders_take, anything


@given(anything, st.sampled_from([DOCUMENT, RECORD, Limits(depth=2, text=5, items=2, total=40)]))
def test_what_comes_out_can_be_written_everywhere(value, limits):
    all_encoders_take(clean(value, limits=limits))


@given(anything)
def test_what_is_clean_stays_as_it_is(value):
    once = clean(value)
    assert clean(once) == once


@given(st.binary() | st.text(st.characters()))
def test_any_bytes_are_read_or_are_no_json(body):
    with contextlib.suppress(InvalidJson):
        all_encoders_take(read_json(body))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"tileCount": 18446744073709551616}', {"tileCount": "18446744073709551616"}),
        (b"[18446744073709551615, -9223372036854775808]", [2**64 - 1, -(2**63)]),
        (b"[-9223372036854775809, -0, 007]", InvalidJson),
        (b"[-9223372036854775809]", ["-9223372036854775809"]),
        (b"[%s]" % (b"1" * 5000), ["1" * 97 + "..."]),
        (b"[-%s]" % (b"1" * 5000), ["-" + "1" * 96 + "..."]),
        (b"[1e400, -1e400, NaN, Infinity, -Infinity]", ["Infinity", "-Infinity", "NaN", "Infinity", "-Infinity"]),
        (b"[[1.5, 1e400], [2.5, 3.5]]", [[1.5, "Infinity"], [2.5, 3.5]]),
        (b"[[1.5, NaN]]", [[1.5, "NaN"]]),
        (b"[1%s.5]" % (b"0" * 400), ["Infinity"]),
        (b'["cut \\ud83d", "\\ud83d\\ude00"]', ["cut \ufffd", "\U0001f600"]),
        (b'{"\\ud83d": 1, "\\u0000": 2}', {"\ufffd": 2}),
        (b'["\\u0000\\u001b\\b\\f\\r\\n\\t\\n"]', ["\ufffd\ufffd\ufffd\ufffd\n\t\n"]),
        (b'["raw \x01 \n"]', ["raw \ufffd \n"]),
        (b'["\xff\xfe", "\xed\xa0\xbd"]', ["\ufffd\ufffd", "\ufffd\ufffd\ufffd"]),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b"", InvalidJson),
        (b"{", InvalidJson),
        (b"{} {}", InvalidJson),
        (b"<html>", InvalidJson),
        ("1" * 5000, "1" * 97 + "..."),
    ],
)  # fmt: skip
def test_what_is_read(body, value):
    if value is InvalidJson:
        with pytest.raises(InvalidJson):
            read_json(body)
    else:
        assert read_json(body) == value


@pytest.mark.parametrize("depth", [63, 64, 65, 700, 100_000])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}"), ('["]", ', "]")])
def test_what_is_nested_too_deep_harms_itself_only(depth, left, right):
    inner = left * depth + '"\\" [{"' + right * depth
    found = read_json(f'{{"data": [{{"id": "1", "x": {inner}, "y": 2}}, {{"id": "2"}}]}}')
    assert (found["data"][0]["id"], found["data"][0]["y"]) == ("1", 2)
    assert found["data"][1] == {"id": "2"}
    assert (TOO_DEEP in json.dumps(found)) == (depth > 64 - 4)


def test_what_is_nested_too_deep_and_broken_is_no_json():
    with pytest.raises(InvalidJson):
        read_json("[" * 100_000)


def test_python_values_of_any_kind():
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    found = clean(
        {1: (b"\xff", math.inf), None: {2}, "deep": deep, "big": 10**5000, 10**5000: 1, "path": Path("x")}
    )
    all_encoders_take(found)
    assert found["1"] == ["\ufffd", "Infinity"]
    assert found["big"] == "(an integer of 16610 bits)"


def test_secrets_are_masked_by_name_and_in_texts():
    payload = {
        "error": {"details": [{"message": "secretAccessKey: hush", "Secret_Access_Key": "hush"}]},
        "nextToken": "42",
        "credentials": {"any": "hush"},
        "sessionToken": None,
        "password": "",
        "accessKey": True,
        "ours": "it was sesame",
    }
    assert clean(payload, redact=Redactor("sesame")) == {
        "error": {"details": [{"message": f"secretAccessKey: {MASK}", "Secret_Access_Key": MASK}]},
        "nextToken": "42",
        "credentials": MASK,
        "sessionToken": None,
        "password": "",
        "accessKey": True,
        "ours": f"it was {MASK}",
    }
    assert clean(payload, redact=None)["credentials"] == {"any": "hush"}


def test_a_request_keeps_its_code_but_not_its_keys():
    request = {"evalscript": "const token = secret = 1;", "s3": {"accessKey": "AK"}}
    found = read_json(json.dumps({"request": request, "note": "secret = 1"}))
    assert found == {"request": {**request, "s3": {"accessKey": MASK}}, "note": f"secret = {MASK}"}


def test_a_record_is_bounded():
    found = clean({"id": "x" * 10_000, "k" * 10_000: 1, "list": [0] * 20_000, "many": ["y" * 4000] * 1000})
    assert len(found["id"]) == 4000
    assert found["id"].endswith("...")
    assert max(map(len, found)) == 200
    assert len(found["list"]) == 10_000
    assert len(json.dumps(found, ensure_ascii=False)) < 1_100_000
    wide = [{str(number): [[], None] for number in range(1000)}] * 1000
    assert len(json.dumps(clean(wide))) < 4_000_000


def test_a_text_that_is_cut_shows_no_half_of_a_secret():
    found = clean({"error": "x" * 3990 + "sesame-open"}, redact=Redactor("sesame-open"))
    assert "sesame" not in found["error"]


@pytest.mark.parametrize("piece", ["[", '["', "1", "\\", '"', "[1.5,", '{"a":', '"\\ud83d",', '["eyJ-'])
def test_the_cost_grows_with_the_length_only(piece):
    def read(text: str) -> None:
        with contextlib.suppress(InvalidJson):
            read_json(text)

    assert growth(read, lambda size: (piece * size)[:size], 50_000) < 9
    assert growth(read, lambda size: f'["{(piece * size)[:size]}"]', 50_000) < 9
