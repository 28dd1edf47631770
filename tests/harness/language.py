"""
Checks the language of the package: ``make lint``.

Names, docstrings and comments use the terms of the field, for which an engineer who knows Airflow, HTTP and
asyncio would search. The tables say which words are not used, and what to write instead.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "airflow_sentinelhub"

METAPHORS = {
    "asker": "requester",
    "bookmark": "cursor",
    "course": "state, or run state",
    "errand": "checkpoint",
    "fate": "scenario",
    "gate": "rate limiter",
    "lane": "admission queue",
    "ledger": "state store",
    "notebook": "cursor store",
    "patience": "retry budget, or timeout",
    "receipt": "acknowledgement",
    "receipts": "acknowledgements",
    "story": "progress log",
    "weather": "outage, or circuit breaker",
}
"""Words that are neither names nor prose, and the term of the field for each."""

PROSE = {
    "anybody": "the caller, the user or the wait that is meant",
    "everybody": "all waits, or all callers",
    "in vain": "without success",
    "(?:a|each|failed|first|last|next|no|two) looks?": "poll, or result",
    "nobody": "no user, no task: who is meant",
    "of ours": "of this package",
    "sights?": "poll, or snapshot of the list",
    "somebody": "a user, a caller: who is meant",
    "whoever": "the caller, the wait: who is meant",
    "whom": "a shorter sentence",
}
"""Words that are not used in docstrings and comments: mechanisms are not persons."""

FIRST_WORDS = {
    *(
        "give",
        "gives",
        "tell",
        "tells",
        "say",
        "says",
        "let",
        "what",
        "when",
        "where",
        "whether",
        "who",
        "whoever",
    ),
    *("whose", "how", "which", "that", "the", "a", "an", "all"),
}
"""Words with which the docstring of a function does not begin; a property is a thing, and may."""

LONGEST_SENTENCE = 30
"""Words."""


def findings(source: str) -> Iterator[tuple[int, str]]:
    """
    Find what is not plain.

    :param source: of a module.
    :return: line and message of each finding.
    """
    for number, text in _texts(source):
        for word, instead in (METAPHORS | PROSE).items():
            if re.search(rf"(?<![\w`.]){word}(?![\w`(=])", text, re.IGNORECASE):
                yield number, f"{word!r}: write {instead}"
        for sentence in re.split(r"(?<=[.:;?])\s+", re.sub(r"\s+", " ", re.sub(r"`[^`]*`", "x", text))):
            if len(sentence.split()) > LONGEST_SENTENCE:
                yield number, f"a sentence of {len(sentence.split())} words: {sentence[:60]}…"
    for number, name in _names(source):
        for part in re.findall(r"[A-Z]?[a-z]+", name):
            if part.lower() in METAPHORS:
                yield number, f"{name}: write {METAPHORS[part.lower()]}"
    for number, first in _first_words(source):
        if first.lower() in FIRST_WORDS:
            yield number, f"the docstring of a function begins with a plain verb, not with {first!r}"


def _texts(source: str) -> Iterator[tuple[int, str]]:
    """Docstrings, of variables as well, and comments."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            for paragraph in re.split(r"\n\s*\n|\n\s*(?=:\w+|\* |\|)", node.value.value):
                yield node.lineno, paragraph
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("# noqa", "# type:")):
            yield token.start[0], token.string.lstrip("# ")


def _names(source: str) -> Iterator[tuple[int, str]]:
    """Names of what is defined: classes, functions, parameters, variables and attributes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case (
                ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                yield node.lineno, name


def _first_words(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if any("property" in ast.unparse(decorator) for decorator in node.decorator_list):
            continue
        words = re.findall(r"[\w:`]+", ast.get_docstring(node) or "")
        if words:
            yield node.lineno + 1, words[0]


def main() -> int:
    """Print what is found; return the exit status."""
    found = 0
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.stem in METAPHORS:
            print(f"{path.relative_to(PACKAGE.parent)}: write {METAPHORS[path.stem]}")
            found += 1
        for number, message in sorted(findings(path.read_text(encoding="utf-8"))):
            print(f"{path.relative_to(PACKAGE.parent)}:{number}: {message}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
