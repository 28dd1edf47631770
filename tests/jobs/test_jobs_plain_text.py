"""Text from outside, as it can be stored and shown."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs.plain_text import LONGEST_LINE, cut, encodable, one_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("tab\tand\nnewline", "tab\tand\nnewline"),
        ("Windows\r\nand old Mac\rlines", "Windows\nand old Mac\nlines"),
        ("Größe 😀 \u200b\u2028", "Größe 😀 \u200b\u2028"),
        ("cut \ud83d", "cut \ufffd"),
        ("\ude00 low", "\ufffd low"),
        ("nul\x00 esc\x1b[31m bell\x07 del\x7f c1\x9b", "nul\ufffd esc\ufffd[31m bell\ufffd del\ufffd c1\ufffd"),
        ("äö\x00", "äö\ufffd"),
        ("", ""),
    ],
)
def test_encodable(text, expected):
    assert encodable(text) == expected
    encodable(text).encode()


@pytest.mark.parametrize(("text", "expected"), [("12345", "12345"), ("123456", "12..."), ("", "")])
def test_cut(text, expected):
    assert cut(text, 5) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\n  lines\tand more\u2028", "two lines and more"),
        ("\x1b[31mred\x00\ud83d\u202e\u200b", "\ufffd[31mred\ufffd\ufffd\ufffd\ufffd"),
        ("::group::x", "(group)x"),
        ("a ::EndGroup:: ::::group::::", "a (EndGroup) ::(group)::"),
        ("::gro\nup::", "::gro up::"),
        ("x" * 1001, "x" * 997 + "..."),
        (" " * 10_000 + "x", "x"),
        (" " * 10**6 + "x", ""),
    ],
)
def test_one_line(text, expected):
    assert one_line(text) == expected
    assert len(one_line(text)) <= LONGEST_LINE
