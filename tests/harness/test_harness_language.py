"""The check of the language finds what it is made for, and lets pass what is plain."""

from __future__ import annotations

import pytest

from tests.harness.language import findings


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('"""The weather of a service."""', "'weather': write outage"),
        ("# Nobody reads this.", "'nobody': write"),
        ("class AskerOfJobs: ...", "AskerOfJobs: write requester"),
        ("def run(patience): ...", "patience: write retry budget"),
        ("story_at = 1", "story_at: write progress log"),
        ('def f():\n    """Give the time."""', "begins with a plain verb, not with 'Give'"),
        (f'"""A sentence {"of words " * 15}and more."""', "a sentence of 34 words"),
    ],
)
def test_what_is_not_plain_is_found(source, says):
    assert says in "\n".join(message for _, message in findings(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""Per-account rate limiter, shared by the process."""',
        'def f():\n    """Return the time."""',
        'class A:\n    @property\n    def b(self):\n        """The time."""',
        '"""See ``fate`` and :func:`weather.pause`."""',
        "history = 'a story is no name'",
        '"""One. Two.\n\n* an item\n* another item\n"""',
    ],
)
def test_what_is_plain_passes(source):
    assert list(findings(source)) == []
