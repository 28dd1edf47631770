"""An error that is final is of its own class, and Airflow does not retry it."""

from __future__ import annotations

import pickle

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import Outcome
from airflow_sentinelhub.operators.final_failure import OVER_FOR_GOOD, for_good

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


def test_a_job_is_over_for_good_when_no_attempt_can_go_on_with_it():
    assert {Outcome.FAILED, Outcome.CANCELED, Outcome.NOT_FOUND} == OVER_FOR_GOOD
