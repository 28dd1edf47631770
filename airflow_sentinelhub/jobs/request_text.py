"""Errors in the text of a request: what and where, without the text itself, as it may be a key."""

from __future__ import annotations

import json

BYTE_ORDER_MARK = "\ufeff"
"""What some editors put before a text in UTF-8."""

_KINDS = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
_COMMENTS = ("//", "/*", "#")
_PYTHON = ("True", "False", "None")
_NAMES = {
    "Expecting property name": "the name of a field, in double quotes, is missing here",
    "Expecting ':'": "a colon is missing here",
    "Expecting ','": "a comma or a closing bracket is missing here",
    "Expecting value": "a value is missing here",
    "Unterminated string": "the text that begins here has no closing quote",
    "Invalid control character": "a text in quotes goes over the end of the line, or has a control character",
    "Invalid \\": "a backslash that JSON does not know",
    "Extra data": "something comes after the end",
    "Illegal trailing comma": "a comma after the last value, which JSON does not have",
}


def problem_of(text: str) -> str:
    """
    Return why a text is no request.

    :param text: a text that is no JSON object.
    """
    if not text.strip():
        return "an empty text"
    if "\x00" in text:
        return "a text with NUL characters (is its file in UTF-16? Save it as UTF-8)"
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return _located(text, error)
    except RecursionError:
        return "JSON that is nested too deep"
    except ValueError:
        return "JSON with a number of too many digits"
    return "null" if value is None else f"JSON, but {_KINDS.get(type(value), 'no object')}"


def _located(text: str, error: json.JSONDecodeError) -> str:
    # Python 3.13 points at a comma, others at what follows it, or at the blanks between.
    place = error.pos
    if not error.msg.startswith("Invalid"):
        place += len(text[place:]) - len(text[place:].lstrip())
    line = text.count("\n", 0, place) + 1
    column = place - text.rfind("\n", 0, place)
    return f"a text that is no JSON: line {line}, column {column}: {_found(text, place, error.msg)}"


def _found(text: str, place: int, message: str) -> str:
    rest = text[place : place + 5]
    if not rest:
        return "the text ends here, and a bracket, a quote or a value is missing"
    if rest.startswith(_COMMENTS):
        return "a comment, which JSON does not have"
    if rest.startswith("'"):
        return "a single quote, where JSON has double quotes"
    if rest.startswith(_PYTHON):
        return "a word of Python, where JSON has true, false and null"
    if rest[0] in "}]" and text[:place].rstrip().endswith(","):
        return "a comma after the last value, which JSON does not have"
    return next((words for start, words in _NAMES.items() if message.startswith(start)), "this is no JSON")
