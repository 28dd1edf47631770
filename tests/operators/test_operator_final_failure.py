"""An error that is final is of its own class, and Airflow does not retry it."""

from __future__ import annotations

import pickle

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import BatchApi, Outcome, Verdict
from airflow_sentinelhub.operators.final_failure import for_good, run_failure, unread_for_good

ERRORS = [
    exceptions.BatchFailed("It failed.", job_id="1", api="process", status="FAILED"),
    exceptions.BatchCanceled("It was canceled.", job_id="2", api="process_v1"),
    exceptions.BatchNotFound("It is gone.", job_id="3"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_it_is_both(error):
    final = for_good(error)
    assert isinstance(final, AirflowFailException)
    assert isinstance(final, type(error))
    assert type(final).__name__ == type(error).__name__
    assert (str(final), final.__dict__) == (str(error), error.__dict__)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_it_survives_the_way_to_another_process(error):
    again = pickle.loads(pickle.dumps(for_good(error)))
    assert isinstance(again, AirflowFailException)
    assert isinstance(again, type(error))
    assert (str(again), again.__dict__) == (str(error), error.__dict__)


def test_two_of_a_kind_are_of_one_class():
    first, second = (for_good(exceptions.BatchFailed(text)) for text in ("a", "b"))
    assert type(first) is type(second)


def test_the_error_itself_is_not_changed():
    error = exceptions.BatchFailed("It failed.")
    for_good(error)
    assert not isinstance(error, AirflowFailException)


FINAL = {Outcome.FAILED, Outcome.CANCELED, Outcome.NOT_FOUND}
"""No attempt can go on with such a job."""


def verdict(outcome):
    return Verdict(outcome, BatchApi.PROCESS, "1", "It is so.")


@pytest.mark.parametrize("outcome", [each for each in Outcome if each not in (Outcome.WAITING, Outcome.DONE)])
@pytest.mark.parametrize("may_recreate", [True, False])
def test_what_a_retry_may_answer(outcome, may_recreate):
    failure = run_failure(verdict(outcome), None, remembers=True, may_recreate=may_recreate)
    final = outcome is Outcome.TIMEOUT or (outcome in FINAL and not may_recreate)
    assert isinstance(failure, AirflowFailException) is final
    kind = type(verdict(outcome).exception())
    assert isinstance(failure if outcome is not Outcome.TIMEOUT else failure.__cause__, kind)
    assert str(failure).startswith("It is so.")


@pytest.mark.parametrize("remembers", [True, False])
def test_a_stopped_job_says_how_it_goes_on(remembers):
    failure = run_failure(verdict(Outcome.STOPPED), None, remembers=remembers, may_recreate=False)
    assert ("A clear of this task starts it again" in str(failure)) is remembers
    assert ("SentinelHubBatchRestartOperator" in str(failure)) is not remembers


def test_a_cost_stop_names_the_limit():
    failure = run_failure(verdict(Outcome.COST_EXCEEDED), 300.0, remembers=True, may_recreate=False)
    assert failure.limit == 300.0


def test_results_that_cannot_be_read_are_not_paid_for_again():
    failure = unread_for_good(exceptions.ResultsUnavailable("They are away."))
    assert str(failure).startswith("They are away.\nThis task is not retried")
