"""The state of a task, asked for by its own worker within a bounded time."""

from __future__ import annotations

import threading

import pytest

from airflow_sentinelhub.tasks import own_state
from airflow_sentinelhub.tasks.own_state import OwnState, fetch_own_state


@pytest.mark.parametrize("state", ["running", "failed", None])
def test_it_is_what_airflow_says(monkeypatch, state):
    monkeypatch.setattr(own_state, "state_of", lambda _: state)
    assert fetch_own_state(None) == OwnState(state)


def test_an_error_is_no_answer(monkeypatch):
    def fails(_):
        raise RuntimeError("no API server")

    monkeypatch.setattr(own_state, "state_of", fails)
    assert fetch_own_state(None) == OwnState(error="RuntimeError: no API server")


def test_an_answer_that_does_not_come_is_not_waited_for(monkeypatch):
    answers = threading.Event()
    monkeypatch.setattr(own_state, "state_of", lambda _: answers.wait())
    try:
        assert fetch_own_state(None, 0.01).error == "it has not answered within 0.01 s"
    finally:
        answers.set()


@pytest.mark.parametrize(
    ("own", "runs", "text"),
    [
        (OwnState("running"), True, "running"),
        (OwnState("failed"), False, "failed"),
        (OwnState(None), False, "not known any more"),
        (OwnState(error="away"), False, "not known (away)"),
        (OwnState("running", error="away"), False, "not known (away)"),
    ],
)
def test_it_runs_only_where_airflow_says_so(own, runs, text):
    assert (own.is_running, str(own)) == (runs, text)
