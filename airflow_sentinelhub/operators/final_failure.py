"""Failures that no retry may answer with another job that has to be paid for."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs import Outcome

OVER_FOR_GOOD = frozenset({Outcome.FAILED, Outcome.CANCELED, Outcome.NOT_FOUND})
"""How a job ends that no attempt can go on with."""


def for_good(error: SentinelHubError) -> SentinelHubError:
    """
    Make an error that Airflow does not retry; it is still of its own class, with its fields.

    :param error: the error as it would be raised otherwise.
    :return: the same, which is an ``AirflowFailException`` too.
    """
    return _rebuilt(type(error), error.args, error.__dict__)


def _rebuilt(kind: type[SentinelHubError], args: tuple[Any, ...], state: dict[str, Any]) -> SentinelHubError:
    both = _both(kind)
    error = both.__new__(both, *args)
    error.args = args
    error.__dict__.update(state)
    return error


_MADE: dict[type[SentinelHubError], type[SentinelHubError]] = {}


def _both(kind: type[SentinelHubError]) -> type[SentinelHubError]:
    if kind not in _MADE:
        _MADE[kind] = _combined(kind)
    return _MADE[kind]


def _combined(kind: type[SentinelHubError]) -> type[SentinelHubError]:
    def reduce(self: SentinelHubError) -> tuple[Any, ...]:
        # The class has no place from which another process could import it.
        return (_rebuilt, (kind, self.args, self.__dict__))

    body = {"__reduce__": reduce, "__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind, AirflowFailException), body)
