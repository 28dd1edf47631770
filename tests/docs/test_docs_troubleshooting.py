"""Every exception is on docs/troubleshooting.md, with words that the code really says."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from airflow_sentinelhub import exceptions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE)
CLASSES = {
    name: value
    for name, value in vars(exceptions).items()
    if inspect.isclass(value) and issubclass(value, Exception) and not name.startswith("_")
}


def texts():
    """Every text of the package, as one where the code puts several together; … where it fills something in."""
    for file in (ROOT / "airflow_sentinelhub").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.fixture(scope="module")
def says():
    return "\n".join(texts())


def test_every_exception_has_a_heading():
    assert sorted(HEADINGS) == sorted(CLASSES)


def test_each_heading_says_something():
    for name, text in re.findall(r"^### `(\w+)`\n(.*?)(?=^###? |\Z)", PAGE, re.DOTALL | re.MULTILINE):
        assert len(text.split()) >= 8, name


def pieces():
    for quote in re.findall(r"^> (.*)$", PAGE, re.MULTILINE):
        for piece in quote.split("…"):
            if len(words := piece.strip(" .,:;()")) > 3:
                yield words


@pytest.mark.parametrize("piece", sorted(set(pieces())))
def test_it_quotes_what_the_code_says(says, piece):
    # A quote may go over from one text of the code to the next, which ends with a full stop then.
    for sentence in re.split(r"(?<=[.?]) ", piece):
        assert sentence.strip(" .") in says


@pytest.mark.parametrize("words", re.findall(r"`([a-z]+ [a-z ]+ [a-zA-Z ]+)`", PAGE))
def test_it_quotes_other_messages(says, words):
    assert words in says
