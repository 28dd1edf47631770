"""Ids in every form, and records that survive a restart and another version of this provider."""

from __future__ import annotations

import json
import uuid

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.exceptions import BatchError, InvalidRequestId, SentinelHubError, ServiceError
from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    Deadlines,
    JobStatus,
    Outcome,
    UrlLayout,
    UserAction,
    Verdict,
    WaitGoal,
    WaitPolicy,
    WaitState,
    extract_id,
    parse_request_id,
)
from airflow_sentinelhub.jobs.formatting import format_duration

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
JOB = BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID, "status": "PROCESSING", "completionPercentage": 42})


class WithRequestId:
    request_id = JOB_ID


@pytest.mark.parametrize(
    "given",
    [
        JOB_ID,
        f"  {JOB_ID.upper()}\n",
        uuid.UUID(JOB_ID),
        {"id": JOB_ID, "request": {"evalscript": "//VERSION=3"}},
        {"request_id": JOB_ID},
        json.dumps({"id": JOB_ID, "status": "CREATED"}),
        WithRequestId(),
    ],
)
def test_request_id_in_every_form(given):
    assert parse_request_id(given) == JOB_ID


@pytest.mark.parametrize(
    "given", [None, "", "no-uuid", 7, [JOB_ID], {}, {"id": None}, "{broken", '{"status": "DONE"}']
)
def test_what_is_no_request_id(given):
    with pytest.raises(InvalidRequestId, match="is no batch request id"):
        parse_request_id(given)


def test_a_bad_request_id_is_not_shown_if_it_may_hold_a_secret():
    with pytest.raises(InvalidRequestId) as raised:
        parse_request_id({"request": {"accessKey": "AKIA"}})
    assert "AKIA" not in str(raised.value)
    for text in ('{"accessKey": "AKIA"}', '{"accessKey": "AKIA"', " {'accessKey': 'AKIA'}", "x" * 60 + "AKIA"):
        with pytest.raises(InvalidRequestId) as raised:
            parse_request_id(text)
        assert "AKIA" not in str(raised.value)
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize("template", ["{{ ti.xcom_pull('create') }}", "{% if a %}x{% endif %}", "plain", 7])
def test_templates_are_left_alone(template):
    assert extract_id(template) == template


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (3600, "60 min"),
        (5400, "1 h 30 min"),
        (7200, "2 h"),
        (172_800, "2 d"),
        (604_800, "7 d"),
        (262_800, "3 d 1 h"),
    ],
)
def test_durations(seconds, words):
    assert format_duration(seconds) == words


def test_memory_survives_json_and_forgets_what_makes_no_sense():
    memory = WaitState(first_answer_at=5.0, seen=True, state="DONE", pending_outcome="partial", pending_since=7.0)
    assert WaitState.from_json(json.loads(json.dumps(memory.to_json()))) == memory
    odd = {"first_answer_at": "soon", "seen": 1, "state": 5, "outage_failures": True, "from_the_future": 1}
    odd |= {"warned_at": 2}
    assert WaitState.from_json(odd) == WaitState(warned_at=2)
    for nonsense in (None, [], "x", 5):
        assert WaitState.from_json(nonsense) == WaitState()


@pytest.mark.parametrize("outcome", Outcome)
def test_verdict_survives_json(outcome):
    verdict = Verdict(outcome, BatchApi.PROCESS, JOB_ID, "what", job=JOB, service_message="words")
    event = json.loads(json.dumps(verdict.to_json()))
    assert Verdict.from_json(event) == verdict
    assert Verdict.from_json({**event, "from_the_future": 1}) == verdict
    if outcome in (Outcome.WAITING, Outcome.DONE):
        with pytest.raises(ValueError, match="no failure"):
            verdict.exception()
        return
    error = verdict.exception()
    assert str(error) == "what"
    assert (error.job_id, error.api, error.status, error.service_message) == (
        JOB_ID,
        "process",
        "PROCESSING",
        "words",
    )
    assert verdict.is_about_the_job == isinstance(error, BatchError)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.FAILED, exceptions.BatchFailed),
        (Outcome.CANCELED, exceptions.BatchCanceled),
        (Outcome.STOPPED, exceptions.BatchStopped),
        (Outcome.PARTIAL, exceptions.BatchPartial),
        (Outcome.NOT_STARTED, exceptions.BatchNotStarted),
        (Outcome.STALLED, exceptions.BatchStalled),
        (Outcome.UNKNOWN_STATUS, exceptions.BatchUnknownStatus),
        (Outcome.NOT_FOUND, exceptions.BatchNotFound),
        (Outcome.TIMEOUT, exceptions.BatchTimeout),
        (Outcome.EXECUTION_TIMEOUT, exceptions.BatchTimeout),
        (Outcome.UNAVAILABLE, exceptions.ServiceUnavailable),
        (Outcome.INVALID_CREDENTIALS, exceptions.InvalidCredentials),
        (Outcome.INVALID_CONNECTION, exceptions.InvalidConnection),
        (Outcome.FORBIDDEN, exceptions.Forbidden),
        (Outcome.REFUSED, exceptions.RequestRefused),
        (Outcome.ERROR, SentinelHubError),
    ],
)
def test_each_bad_end_has_its_exception(outcome, kind):
    assert type(Verdict(outcome, BatchApi.PROCESS, JOB_ID).exception()) is kind


@pytest.mark.parametrize("event", [None, "done", [], {}, {"outcome": "done"}, {"outcome": "?", "api": "process"}])
def test_what_is_no_verdict(event):
    with pytest.raises(ValueError, match=r"no verdict|is not a valid"):
        Verdict.from_json(event)


def test_deadlines():
    deadlines = Deadlines(started_at=0, timeout_at=7200, execution_timeout_at=3600)
    assert deadlines.verdict(BatchApi.PROCESS, JOB_ID, JOB, 3599.9) is None
    verdict = deadlines.verdict(BatchApi.PROCESS, JOB_ID, JOB, 3600)
    assert verdict.outcome is Outcome.EXECUTION_TIMEOUT
    assert JOB_ID in verdict.message
    assert "PROCESSING 42 %" in verdict.message
    assert "left alone" in verdict.message
    verdict = Deadlines(0, 60).verdict(BatchApi.PROCESS, JOB_ID, None, 61)
    assert verdict.outcome is Outcome.TIMEOUT
    assert "60 s (timeout)" in verdict.message
    assert "never seen" in verdict.message


@pytest.mark.parametrize(
    ("timeout", "execution_timeout", "outcome", "raise_it"),
    [
        (60, None, Outcome.TIMEOUT, "raise timeout,"),
        (60, 61, Outcome.TIMEOUT, "raise timeout,"),
        (60, 60, Outcome.EXECUTION_TIMEOUT, "raise execution_timeout,"),
        (60, 59, Outcome.EXECUTION_TIMEOUT, "raise execution_timeout,"),
    ],
)
def test_the_earlier_deadline_counts_and_is_named(timeout, execution_timeout, outcome, raise_it):
    verdict = Deadlines(0, timeout, execution_timeout).verdict(BatchApi.PROCESS, JOB_ID, None, 60)
    assert verdict.outcome is outcome
    assert raise_it in verdict.message


def test_a_deadline_of_a_job_without_a_status():
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID})
    assert "last seen without a status (" in Deadlines(0, 60).verdict(
        BatchApi.PROCESS, JOB_ID, job, 60
    ).message.replace(". The job", ";")


@pytest.mark.parametrize(
    ("status", "action", "interval"),
    [
        ("CREATED", "START", 10),
        ("CREATED", "ANALYSE", 10),
        ("CREATED", "NONE", 120),
        ("ANALYSING", "START", 10),
        ("ANALYSIS_DONE", "START", 120),
        ("PROCESSING", "START", 120),
        ("STOPPED", "STOP", 120),
    ],
)
def test_intervals(status, action, interval):
    policy = WaitPolicy(poke_interval=120, analysis_poke_interval=10)
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID, "status": status, "userAction": action})
    assert policy.interval(job) == interval
    assert policy.interval(None) == 10


def test_paths_of_both_layouts():
    assert {api: (api.path(), api.path(UrlLayout.NEW)) for api in BatchApi} == {
        BatchApi.PROCESS: ("/api/v2/batch/process", "/batch/v2/process"),
        BatchApi.STATISTICAL: ("/api/v1/statistics/batch", "/statistics/batch/v1"),
        BatchApi.PROCESS_V1: ("/api/v1/batch/process", "/api/v1/batch/process"),
    }


def test_one_tree_of_exceptions():
    import pickle

    from airflow.exceptions import AirflowException

    kinds = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 15
    for kind in kinds:
        assert issubclass(kind, SentinelHubError)
        assert not issubclass(kind, AirflowException), "soft_fail would skip the task"
        keywords = {"job_id": JOB_ID, "api": "process", "status": "FAILED", "service_message": "why"}
        if issubclass(kind, ServiceError):
            keywords |= {"http_status": 429, "code": "RATE_LIMIT_EXCEEDED", "retry_after": 3.4}
        error = kind("what happened", **keywords)
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is kind
        assert str(copy) == "what happened"
        assert vars(copy) == vars(error)


def test_words_of_the_service():
    assert [str(word) for word in JobStatus][:3] == ["CREATED", "ANALYSING", "ANALYSIS_DONE"]
    assert UserAction("CANCEL") is UserAction.CANCEL
    assert WaitGoal("analysis") is WaitGoal.ANALYSIS
