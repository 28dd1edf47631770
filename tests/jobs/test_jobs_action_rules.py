"""What it takes to act on a job: a table for each action. Sections are those of sentinelhub-api.md."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.jobs import (
    Action,
    ActionState,
    BatchApi,
    BatchJob,
    CallService,
    JobStatus,
    NotAllowed,
    NothingToDo,
    WaitUntil,
    acceptance,
    next_step,
    next_step_with_retry,
)
from airflow_sentinelhub.jobs.action_retry_rules import NOT_YET_AT_MOST, REFUSED_AT_MOST, REFUSED_PAUSE
from airflow_sentinelhub.jobs.restart_lock import LOCK_MARGIN, is_restart_pending, lock_ends

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
V2, STATISTICAL, V1 = BatchApi.PROCESS, BatchApi.STATISTICAL, BatchApi.PROCESS_V1
MINUTE = 60.0


def ago(minutes):
    return (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def job(status, action="START", *, api=V2, **fields):
    fields = {"userActionUpdated": ago(300), "lastUpdated": ago(300), **fields}
    return BatchJob.from_payload(api, {"id": JOB_ID, "status": status, "userAction": action, **fields})


def stopped(minutes, reason="USER_ACTION", action=None, asked=None, **fields):
    action = action or ("STOP" if reason == "USER_ACTION" else "START")
    asked = asked if asked is not None else (minutes if action == "STOP" else 300)
    return job(
        "STOPPED",
        action,
        stoppedStatusReason=reason,
        lastUpdated=ago(minutes),
        userActionUpdated=ago(asked),
        **fields,
    )


def outcome(step):
    """A step in the shorthand of the tables."""
    match step:
        case CallService():
            return step.call.value
        case NothingToDo():
            return "already"
        case WaitUntil():
            return round((step.until - NOW.timestamp()) / MINUTE, 1)
        case NotAllowed():
            return step.kind.__name__


# What the user asks for, of which job, and what it takes: a call, "already", minutes to wait, or an exception.
ALL = [V2, STATISTICAL, V1]
TABLE = [
    # ANALYSE
    ("analyse", ALL, ("CREATED", "NONE"), "analyse"),
    ("analyse", ALL, ("CREATED", "ANALYSE"), "already"),
    ("analyse", ALL, ("CREATED", "START"), "already"),  # a START begins with the analysis (5.4)
    ("analyse", [V2], ("CREATED", "STOP"), "BatchActionImpossible"),
    ("analyse", [V1], ("CREATED", "CANCEL"), "BatchActionImpossible"),
    ("analyse", ALL, ("CREATED", "RESUME"), "analyse"),  # an action that nobody knows: the service decides
    ("analyse", ALL, ("ANALYSING", "ANALYSE"), "already"),
    ("analyse", ALL, ("ANALYSIS_DONE", "ANALYSE"), "already"),
    ("analyse", ALL, ("PROCESSING", "START"), "already"),
    ("analyse", ALL, ("DONE", "START"), "already"),
    ("analyse", [V1, STATISTICAL], ("PARTIAL", "START"), "already"),
    ("analyse", [V2, STATISTICAL], ("STOPPED", "STOP"), "already"),  # an analysis is finished before a stop
    ("analyse", ALL, ("FAILED", "ANALYSE"), "BatchFailed"),
    ("analyse", [V1], ("CANCELED", "CANCEL"), "BatchCanceled"),
    ("analyse", ALL, ("QUEUEING", "NONE"), "analyse"),
    ("analyse", ALL, ("QUEUEING", "ANALYSE"), "already"),
    # START
    ("start", ALL, ("CREATED", "NONE"), "start"),
    ("start", ALL, ("CREATED", "ANALYSE"), "start"),
    ("start", ALL, ("CREATED", "START"), "already"),  # CREATED for minutes after a START (4.4, 6.2)
    ("start", ALL, ("ANALYSING", "START"), "already"),
    ("start", ALL, ("ANALYSING", "ANALYSE"), 1),  # START cannot be used then (4.4)
    ("start", ALL, ("ANALYSIS_DONE", "ANALYSE"), "start"),
    ("start", ALL, ("ANALYSIS_DONE", "START"), "already"),
    ("start", [V2], ("ANALYSIS_DONE", "STOP"), "BatchActionImpossible"),
    ("start", [V1], ("ANALYSING", "CANCEL"), "BatchActionImpossible"),
    ("start", [V2], ("PROCESSING", "STOP"), "BatchActionImpossible"),
    ("start", ALL, ("PROCESSING", "START"), "already"),
    ("start", ALL, ("DONE", "START"), "already"),
    ("start", [V1, STATISTICAL], ("PARTIAL", "START"), "already"),
    ("start", ALL, ("FAILED", "START"), "BatchFailed"),
    ("start", [V1], ("CANCELED", "CANCEL"), "BatchCanceled"),
    ("start", ALL, ("QUEUEING", "NONE"), "start"),
    ("start", ALL, ("QUEUEING", "START"), "already"),
    # STOP
    (
        "stop",
        [V2, STATISTICAL],
        ("CREATED", "NONE"),
        "already",
    ),  # nothing runs; documented from ANALYSING on (5.4)
    ("stop", [V1], ("CREATED", "NONE"), "stop"),  # V1 cancels a CREATED job (4.4)
    ("stop", ALL, ("CREATED", "START"), "stop"),
    ("stop", ALL, ("CREATED", "ANALYSE"), "stop"),
    ("stop", ALL, ("ANALYSING", "START"), "stop"),
    ("stop", [V2, STATISTICAL], ("ANALYSING", "STOP"), "already"),  # the analysis is finished first (5.4)
    ("stop", [V1], ("ANALYSING", "CANCEL"), "already"),
    ("stop", ALL, ("ANALYSIS_DONE", "ANALYSE"), "stop"),
    ("stop", ALL, ("PROCESSING", "START"), "stop"),
    ("stop", [V2], ("PROCESSING", "STOP"), "already"),
    ("stop", ALL, ("DONE", "START"), "already"),
    ("stop", ALL, ("FAILED", "START"), "already"),
    ("stop", [V1], ("CANCELED", "CANCEL"), "already"),
    ("stop", [V1, STATISTICAL], ("PARTIAL", "START"), "already"),
    ("stop", ALL, ("QUEUEING", "START"), "stop"),
    ("stop", [V2], ("QUEUEING", "STOP"), "already"),
    # RESTART
    ("restart", [V1], ("PARTIAL", "START"), "restart_partial"),
    ("restart", [STATISTICAL], ("PARTIAL", "START"), "BatchNotRestartable"),
    ("restart", ALL, ("DONE", "START"), "already"),  # PARTIAL was seen to turn into DONE by itself (4.7)
    ("restart", ALL, ("PROCESSING", "START"), "already"),
    ("restart", ALL, ("ANALYSIS_DONE", "START"), "already"),  # where a restart leads first (5.4)
    ("restart", ALL, ("ANALYSIS_DONE", "ANALYSE"), "BatchNotRestartable"),
    ("restart", ALL, ("CREATED", "NONE"), "BatchNotRestartable"),
    ("restart", ALL, ("CREATED", "START"), "already"),
    ("restart", [V2, STATISTICAL], ("PROCESSING", "STOP"), 1),  # about to be STOPPED
    ("restart", [V2, STATISTICAL], ("ANALYSING", "STOP"), 1),
    ("restart", [V1], ("PROCESSING", "CANCEL"), "BatchNotRestartable"),  # about to be CANCELED, an end
    ("restart", ALL, ("FAILED", "START"), "BatchNotRestartable"),
    ("restart", [V1], ("CANCELED", "CANCEL"), "BatchNotRestartable"),
    ("restart", ALL, ("QUEUEING", "NONE"), "BatchNotRestartable"),
    ("restart", ALL, ("QUEUEING", "START"), "already"),
]


@pytest.mark.parametrize(
    ("action", "api", "state", "expected"),
    [(action, api, state, expected) for action, apis, state, expected in TABLE for api in apis],
)
def test_plan(action, api, state, expected):
    step = next_step(Action(action), job(*state, api=api), NOW.timestamp())
    assert outcome(step) == expected
    assert JOB_ID in step.message
    assert state[0] in step.message
    if isinstance(step, NotAllowed):
        error = step.exception(job(*state, api=api))
        assert (error.job_id, error.api, error.status) == (JOB_ID, api.value, state[0])
        assert isinstance(error, exceptions.BatchError)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", JobStatus)
def test_every_status_is_in_the_table(action, status):
    if status is not JobStatus.STOPPED:  # which has a table of its own
        assert [row for row in TABLE if (row[0], row[2][0]) == (action, status)]


M = LOCK_MARGIN / MINUTE
# A STOPPED job: what restart, start and stop take.
STOPPED = [
    # 30 minutes after a stop (5.4)
    (stopped(10), 20 + M, "BatchStopped", "already"),
    (stopped(29), 1 + M, "BatchStopped", "already"),
    (stopped(31), "start", "BatchStopped", "already"),
    # 60 after it ran out of processing units (6.3); the user action is the START that it ran under
    (stopped(31, "OUT_OF_PU"), 29 + M, "BatchStopped", "already"),
    (stopped(61, "OUT_OF_PU"), "start", "BatchStopped", "already"),
    (stopped(31, "UNHEALTHY"), "start", "BatchStopped", "already"),
    (stopped(10, "A_NEW_REASON"), 20 + M, "BatchStopped", "already"),
    # the later of the stop that was asked for and the one that happened
    (stopped(10, asked=25), 20 + M, "BatchStopped", "already"),
    (stopped(25, asked=10), 20 + M, "BatchStopped", "already"),
    # the service's clock is ahead
    (stopped(-5), 30 + M, "BatchStopped", "already"),
    # it does not tell when it stopped
    (job("STOPPED", "START", lastUpdated=None), "start", "BatchStopped", "already"),
    (job("STOPPED", "STOP", lastUpdated="yesterday", userActionUpdated=None), "start", "BatchStopped", "already"),
    # somebody has just started it again; after a stop by its user that holds whatever was stamped since
    (stopped(1, action="START", asked=9), "already", "already", "stop"),
    (stopped(10, action="START", asked=1), "already", "already", "stop"),
    (stopped(10, "OUT_OF_PU", asked=1), "already", "already", "stop"),
    (stopped(10, "UNHEALTHY", asked=10), "already", "already", "stop"),
]


@pytest.mark.parametrize(("stop", "restart", "start", "again"), STOPPED)
def test_a_stopped_job(stop, restart, start, again):
    steps = [next_step(action, stop, NOW.timestamp()) for action in (Action.RESTART, Action.START, Action.STOP)]
    assert [outcome(step) for step in steps] == [
        pytest.approx(restart, abs=0.06) if isinstance(restart, float) else restart,
        start,
        again,
    ]


def test_the_error_of_a_stopped_job_carries_the_reason():
    job = stopped(10, "OUT_OF_PU")
    error = next_step(Action.START, job, NOW.timestamp()).exception(job)
    assert error.reason == "OUT_OF_PU"
    assert "SentinelHubBatchRestartOperator" in str(error)


def test_the_start_under_which_a_job_ran_out_of_units_is_no_restart():
    assert not is_restart_pending(stopped(10, "OUT_OF_PU", asked=300))
    assert not is_restart_pending(stopped(10, "UNHEALTHY", asked=11))
    assert not is_restart_pending(job("STOPPED", "START", stoppedStatusReason="OUT_OF_PU", userActionUpdated=None))


def test_a_lock_without_a_beginning_has_no_end():
    assert lock_ends(job("STOPPED", "START", lastUpdated=None), NOW.timestamp()) is None


# What a job shows after an action that the service accepted: before, after, and whether it is taken.
TAKEN = [
    ("start", job("CREATED", "NONE"), job("CREATED", "START"), "already"),
    ("start", job("CREATED", "NONE"), job("CREATED", "NONE"), None),
    (
        "start",
        job("CREATED", "NONE"),
        job("CREATED", "ANALYSE", userActionUpdated=ago(0)),
        None,
    ),  # by somebody else
    ("start", job("CREATED", "NONE"), job("FAILED", "START"), "BatchFailed"),
    ("start", job("CREATED", "NONE"), job("IN_A_NEW_QUEUE", "NONE"), "already"),
    ("analyse", job("CREATED", "NONE"), job("ANALYSIS_DONE", "ANALYSE"), "already"),
    ("stop", job("PROCESSING"), job("PROCESSING"), None),
    ("stop", job("ANALYSING"), job("ANALYSIS_DONE"), None),  # it moved by itself
    ("stop", job("PROCESSING"), job("PROCESSING", "STOP"), "already"),
    ("stop", job("PROCESSING"), job("DONE"), "already"),
    ("restart", stopped(40), stopped(40), None),
    ("restart", stopped(40), stopped(40, action="START", asked=0), "already"),
    # its clock is behind, so that the new START looks older than the stop
    ("restart", stopped(61, "OUT_OF_PU"), stopped(61, "OUT_OF_PU", asked=62), "already"),
    ("restart", stopped(40), job("ANALYSIS_DONE", "START"), "already"),
    ("restart", stopped(40), stopped(0, asked=0), None),  # stopped again: no sign of a restart
    ("restart", job("PARTIAL", api=V1), job("PARTIAL", api=V1), None),
    ("restart", job("PARTIAL", api=V1), job("PARTIAL", api=V1, userActionUpdated=ago(0)), "already"),
    ("restart", job("PARTIAL", api=V1), job("PROCESSING", api=V1), "already"),
]


@pytest.mark.parametrize(("action", "before", "after", "expected"), TAKEN)
def test_taken(action, before, after, expected):
    assert outcome(acceptance(Action(action), before, after, NOW.timestamp())) == expected


def at(minutes):
    return NOW.timestamp() + minutes * MINUTE


REFUSED = exceptions.BadRequest("The service says no.")


def test_a_lock_is_waited_out_once_even_if_its_time_stamp_moves_on():
    step, memory = next_step_with_retry(Action.RESTART, stopped(10), at(0), ActionState())
    assert outcome(step) == pytest.approx(20 + M, abs=0.06)
    billed = stopped(-15, asked=10)
    early, memory = next_step_with_retry(Action.RESTART, billed, at(15), memory)
    assert early.until == step.until
    late, _ = next_step_with_retry(Action.RESTART, billed, at(21), memory)
    assert outcome(late) == "start"


@pytest.mark.parametrize("later", [stopped(-15), stopped(-15, "OUT_OF_PU", asked=-14)])
def test_a_job_that_is_stopped_again_during_the_wait_is_left(later):
    _, memory = next_step_with_retry(Action.RESTART, stopped(10), at(0), ActionState())
    for minutes in (21, 120):  # within its new lock, and after that
        step, _ = next_step_with_retry(Action.RESTART, later, at(minutes), memory)
        assert outcome(step) == "BatchNotRestartable"
        assert "STOPPED AGAIN" in step.message


def test_a_lock_that_was_started_out_of_by_somebody_is_over():
    _, memory = next_step_with_retry(Action.RESTART, stopped(10), at(0), ActionState())
    step, _ = next_step_with_retry(Action.RESTART, job("PROCESSING", "START"), at(21), memory)
    assert outcome(step) == "already"


@pytest.mark.parametrize(
    ("action", "before"),
    [
        (Action.ANALYSE, job("CREATED", "NONE")),
        (Action.START, job("CREATED", "NONE")),
        (Action.STOP, job("CREATED", "START")),
        (Action.RESTART, stopped(40)),
        (Action.RESTART, job("PARTIAL", api=V1)),
    ],
)
def test_a_refusal_is_waited_for_up_to_a_bound(action, before):
    step, memory = next_step_with_retry(action, before, at(0), ActionState(), REFUSED)
    assert step.until == at(0) + REFUSED_PAUSE[action]
    assert step.warn
    again, memory = next_step_with_retry(action, before, at(0.5), memory)
    assert isinstance(again, CallService), "after the pause it is asked again"
    last = at(0) + REFUSED_AT_MOST[action]
    step, memory = next_step_with_retry(action, before, last - 1, memory, REFUSED)
    assert isinstance(step, WaitUntil)
    step, memory = next_step_with_retry(action, before, last, memory, REFUSED)
    expected = exceptions.BatchNotRestartable if action is Action.RESTART else exceptions.BatchActionImpossible
    assert step.kind is expected
    assert "The service says no." in step.message


def test_a_refusal_after_which_the_job_shows_the_action_is_none():
    """The answer of the first attempt was lost."""
    step, _ = next_step_with_retry(Action.START, job("CREATED", "START"), at(0), ActionState(), REFUSED)
    assert outcome(step) == "already"


def test_a_state_that_is_too_early_is_waited_for_an_hour_and_does_not_count_as_refused():
    step, memory = next_step_with_retry(Action.START, job("ANALYSING", "ANALYSE"), at(0), ActionState())
    assert outcome(step) == 1
    refused, _ = next_step_with_retry(Action.START, job("ANALYSIS_DONE", "ANALYSE"), at(50), memory, REFUSED)
    assert isinstance(refused, WaitUntil)
    late, _ = next_step_with_retry(Action.START, job("ANALYSING", "ANALYSE"), at(0) + NOT_YET_AT_MOST, memory)
    assert outcome(late) == "BatchActionImpossible"


def test_the_memory_is_plain_json_and_survives_other_versions():
    _, memory = next_step_with_retry(Action.RESTART, stopped(10), at(0), ActionState())
    stored = json.loads(json.dumps(memory.to_json()))
    assert ActionState.from_json(stored) == memory
    assert ActionState.from_json({"seen": True, "of_the_future": 1}) == ActionState(seen=True)


def test_messages_say_what_happens_next():
    step = next_step(Action.RESTART, stopped(10, "OUT_OF_PU"), NOW.timestamp())
    assert "refuses a restart for 60 min after running out of processing units" in step.message
    assert "Waiting for 50 min" in step.message
    done = next_step(Action.STOP, job("DONE", costPU=1234.5), NOW.timestamp())
    assert "1,234 PU so far" in done.message
    assert "done before it could be stopped" in done.message
    unhealthy = next_step(Action.STOP, stopped(10, "UNHEALTHY"), NOW.timestamp())
    assert "staff may start" in unhealthy.message
