"""Failures that no retry may answer with another job that has to be paid for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_sentinelhub.exceptions import BatchCostExceeded, SentinelHubError
from airflow_sentinelhub.jobs import Outcome, Verdict

_OVER_FOR_GOOD = frozenset({Outcome.FAILED, Outcome.CANCELED, Outcome.NOT_FOUND})
"""How a job ends that no attempt can go on with."""


_AFTER_STOP = {
    True: "A clear of this task starts it again, when the service allows it; a retry does not.",
    False: "Before Airflow 3.3 this task cannot tell a clear from a retry, and does not start it again:\n"
    "use SentinelHubBatchRestartOperator.",
}
_NO_RETRY = (
    "This task is not retried: before Airflow 3.3 it cannot remember its job,\n"
    "so a retry (and a clear) creates and pays for another one."
)


def run_failure(verdict: Verdict, max_cost_pu: float | None, *, remembers: bool, may_recreate: bool) -> Exception:
    """
    Return the exception with which a task fails that runs a whole job.

    :param verdict: what came of the job.
    :param max_cost_pu: what all jobs of the task may cost; ``None``: any number.
    :param remembers: whether Airflow keeps a record of the job for the next attempt.
    :param may_recreate: whether a retry may create another job.
    """
    if verdict.outcome is Outcome.STOPPED:
        verdict = replace(verdict, message=f"{verdict.message}\n{_AFTER_STOP[remembers]}")
    error = verdict.exception()
    if isinstance(error, BatchCostExceeded):
        error.limit = max_cost_pu
    if verdict.outcome is Outcome.TIMEOUT:
        failure = AirflowFailException(verdict.message)
        failure.__cause__ = error
        return failure
    return for_good(error) if verdict.outcome in _OVER_FOR_GOOD and not may_recreate else error


def unread_for_good(error: SentinelHubError) -> AirflowFailException:
    """
    Return the exception of a task whose results cannot be read and whose retry would pay for another job.

    :param error: why they cannot be read.
    """
    return AirflowFailException(f"{error}\n{_NO_RETRY}")


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
