"""A limit is checked as soon as it is a number, and kept while it is a template."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_sentinelhub.jobs.intervals import to_seconds
from airflow_sentinelhub.jobs.limit import Limit, is_template

TEMPLATE = "{{ params.x }}"


class Task:
    grace = Limit(lambda _, name, value: to_seconds(name, value))


class Output:
    def resolve(self, context):
        """As what another task gives."""


@pytest.mark.parametrize(("given", "kept"), [(7, 7.0), (timedelta(minutes=2), 120.0), (None, None)])
def test_a_number_is_read_at_once(given, kept):
    task = Task()
    task.grace = given
    assert task.grace == kept


@pytest.mark.parametrize("given", [-1, True, [], "7", "", "None", "{ params.x }"])
def test_what_is_no_limit_is_an_error_at_once(given):
    with pytest.raises(ValueError, match="grace must be a number of seconds or a timedelta"):
        Task().grace = given


@pytest.mark.parametrize("template", [TEMPLATE, "{% if a %}1{% else %}2{% endif %}", Output()])
def test_a_template_is_kept(template):
    task = Task()
    task.grace = template
    assert task.grace is template
    assert is_template(template)


@pytest.mark.parametrize(
    ("rendered", "limit"), [("7", 7), (" 7.5 ", 7.5), ("1e3", 1000), (7, 7), ("None", None), (None, None)]
)
def test_what_it_is_rendered_to_is_read(rendered, limit):
    task = Task()
    task.grace = TEMPLATE
    task.grace = rendered
    assert task.grace == limit


@pytest.mark.parametrize(
    ("rendered", "says"),
    [
        ("an hour", "grace was rendered to 'an hour', which is no plain number"),
        ("", "grace was rendered to ''"),
        ("7 s", "which is no plain number"),
        ("-7", "not negative"),
        ("nan", "not negative"),
    ],
)
def test_what_it_is_rendered_to_may_be_wrong(rendered, says):
    task = Task()
    task.grace = TEMPLATE
    with pytest.raises(ValueError, match=says):
        task.grace = rendered
