"""A limit that a DAG's author sets: a number, or a template that is rendered to one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_sentinelhub.jobs.intervals import to_seconds, to_seconds_required

TEMPLATED_LIMITS = ("start_grace", "stall_timeout", "outage_tolerance")
"""Limits of a wait that are templates."""


class Limit:
    """
    An attribute that holds a limit: checked as soon as it is a number, kept as it is while it is a template.

    Text that is no template is an error, as nothing would render it. What a template is rendered to has to be a
    plain number, or ``None``.

    :param read: takes the object, the name of the attribute and a value, and returns the limit.
    """

    def __init__(self, read: Callable[[Any, str, Any], float | None]) -> None:
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._public, self._name = name, f"_{name}"

    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else getattr(instance, self._name)

    def __set__(self, instance: object, value: Any) -> None:
        before = getattr(instance, self._name, None)
        if not is_template(value):
            if isinstance(value, str) and is_template(before):
                value = self._number(value)
            value = self._read(instance, self._public, value)
        setattr(instance, self._name, value)

    def _number(self, text: str) -> float | None:
        """
        Read what a template was rendered to.

        :raises ValueError: it is no plain number.
        """
        text = text.strip()
        if text == "None":
            return None
        for number in (int, float):
            try:
                return number(text)
            except ValueError:
                continue
        raise ValueError(f"{self._public} was rendered to {text[:100]!r}, which is no plain number, nor None")


def duration_limit() -> Limit:
    """Return a limit that is a duration, or ``None``."""
    return Limit(lambda _, name, value: to_seconds(name, value))


def required_duration_limit() -> Limit:
    """Return a limit that is a duration."""
    return Limit(lambda _, name, value: to_seconds_required(name, value))


def is_template(value: object) -> bool:
    """Return whether Airflow will render a value: a text with Jinja in it, or what another task will give."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    return hasattr(value, "resolve")
