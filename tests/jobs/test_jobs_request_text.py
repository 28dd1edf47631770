"""What a text that is no request is called, and where it goes wrong."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs.request_text import problem_of

NO_JSON = "a text that is no JSON: line {}, column {}: {}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "an empty text"),
        (" \n\t", "an empty text"),
        ("[1]", "JSON, but a list"),
        ('"x"', "JSON, but a text"),
        ("7", "JSON, but a number"),
        ("true", "JSON, but true or false"),
        ("null", "null"),
        ("[" * 100_000, "JSON that is nested too deep"),
        ("1" * 5000, "JSON with a number of too many digits"),
        ('{"a": 1}'.encode("utf-16-le").decode("utf-8"), "a text with NUL characters"),
        ('{\n  // "hush"\n}', NO_JSON.format(2, 3, "a comment")),
        ('{"a": 1 # hush\n}', NO_JSON.format(1, 9, "a comment")),
        ('{"a": /* hush */ 1}', NO_JSON.format(1, 7, "a comment")),
        ('{"a": "hush",\n}', "a comma after the last value"),
        ('{"a": ["hush", ]}', "a comma after the last value"),
        ("{'a': 'hush'}", NO_JSON.format(1, 2, "a single quote")),
        ('{"a": True}', NO_JSON.format(1, 7, "a word of Python")),
        ('{"a": "hush" "b": 1}', NO_JSON.format(1, 14, "a comma or a closing bracket is missing")),
        ('{"a" "hush"}', NO_JSON.format(1, 6, "a colon is missing")),
        ('{"a": }', NO_JSON.format(1, 7, "a value is missing")),
        ("{hush: 1}", NO_JSON.format(1, 2, "the name of a field")),
        ('{"a": "hush', NO_JSON.format(1, 7, "the text that begins here has no closing quote")),
        ('{"a": "hu\nsh"}', NO_JSON.format(1, 10, "a text in quotes goes over the end of the line")),
        ('{"a": "\\hush"}', NO_JSON.format(1, 8, "a backslash that JSON does not know")),
        ('{"a": "hush"} {', NO_JSON.format(1, 15, "something comes after the end")),
        ('{"a": "hush"', NO_JSON.format(1, 13, "the text ends here")),
        ('{"a":\n1,\n"ü": x}', NO_JSON.format(3, 6, "a value is missing")),
    ],
)
def test_what_is_said(text, problem):
    said = problem_of(text)
    assert problem in said
    assert "hush" not in said
