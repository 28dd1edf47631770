"""Which phase follows for a task that runs a job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_sentinelhub.exceptions import ServiceUnavailable
from airflow_sentinelhub.jobs import ActionState, BatchApi, BatchJob, Deadlines, Outcome, Verdict
from airflow_sentinelhub.jobs.run_record import RunRecord
from airflow_sentinelhub.jobs.run_rules import (
    TIME_TO_STOP,
    Fail,
    Finish,
    GoOn,
    RunTerms,
    after_action,
    after_pause,
    after_refused_action,
    after_wait,
    begin,
    read_again,
)
from airflow_sentinelhub.jobs.run_state import RunPhase, RunState

ID = "0a1b2c3d-0000-4000-8000-000000000000"
NOW = 1_795_000_000.0
DEADLINES = Deadlines(NOW - 100, NOW + 1_000_000, stops_job=True)
RECORD = RunRecord(ID, 2)
MAY_RESTART = replace(RECORD, may_restart=True)
NO_TERMS = RunTerms(resume={})
RESUMES = RunTerms(resume={"OUT_OF_PU": 2})
LIMITED = RunTerms(resume={"OUT_OF_PU": 2}, max_cost_pu=100.0, spent_before=40.0)

STARTING, RESTARTING, WAITING = RunPhase.STARTING, RunPhase.RESTARTING, RunPhase.WAITING
STOPPING, READING = RunPhase.STOPPING, RunPhase.READING_RESULTS


def job(status, action="START", reason=None, cost=None, api=BatchApi.PROCESS):
    payload = {"id": ID, "status": status, "userAction": action, "stoppedStatusReason": reason, "costPU": cost}
    return BatchJob.from_payload(api, payload)


def state(phase=WAITING, **known):
    return RunState(ID, DEADLINES, RECORD, phase, **known)


def verdict(outcome, found=None, message="It is so."):
    return Verdict(outcome, BatchApi.PROCESS, ID, message, found)


def phase_or_outcome(step):
    match step:
        case GoOn():
            return step.state.phase
        case Fail():
            return step.verdict.outcome
        case Finish():
            return "finished"


# The begin of an attempt


@pytest.mark.parametrize(
    ("found", "record", "terms", "follows"),
    [
        (job("CREATED", "NONE"), RECORD, NO_TERMS, STARTING),
        (job("CREATED", "NONE"), MAY_RESTART, NO_TERMS, STARTING),
        (job("ANALYSIS_DONE", "ANALYSE"), MAY_RESTART, NO_TERMS, STARTING),
        # Starting what runs or is over already asks for nothing, and leads on.
        (job("PROCESSING"), MAY_RESTART, NO_TERMS, STARTING),
        (job("DONE"), MAY_RESTART, NO_TERMS, STARTING),
        (job("DONE", "STOP"), MAY_RESTART, NO_TERMS, STARTING),
        (job("PARTIAL"), MAY_RESTART, NO_TERMS, STARTING),
        (job("SOMETHING_NEW"), RECORD, NO_TERMS, STARTING),
        # A stop that is under way is no end yet: the service refuses the start.
        (job("PROCESSING", "STOP"), RECORD, NO_TERMS, STARTING),
        (job("ANALYSING", "STOP"), RECORD, RESUMES, STARTING),
        # Going on needs leave: by a clear, or by resume.
        (job("STOPPED", "STOP"), RECORD, NO_TERMS, Outcome.STOPPED),
        (job("STOPPED", reason="OUT_OF_PU"), RECORD, NO_TERMS, Outcome.STOPPED),
        (job("STOPPED", reason="UNHEALTHY"), RECORD, RESUMES, Outcome.STOPPED),
        (job("STOPPED", reason="OUT_OF_PU"), RECORD, RESUMES, RESTARTING),
        (job("STOPPED", reason="OUT_OF_PU"), replace(RECORD, resumed={"OUT_OF_PU": 2}), RESUMES, Outcome.STOPPED),
        (job("STOPPED", "STOP"), MAY_RESTART, NO_TERMS, RESTARTING),
        (job("STOPPED"), MAY_RESTART, NO_TERMS, RESTARTING),
        (job("PROCESSING", "STOP"), MAY_RESTART, NO_TERMS, RESTARTING),
        (job("ANALYSING", "STOP"), MAY_RESTART, NO_TERMS, RESTARTING),
        # What cannot go on.
        (job("FAILED"), MAY_RESTART, RESUMES, Outcome.FAILED),
        (job("CANCELED"), MAY_RESTART, RESUMES, Outcome.CANCELED),
        # The cost: nothing is started for which nothing is left, or that would be stopped at once.
        (job("CREATED", "NONE"), RECORD, replace(LIMITED, spent_before=99.0), STARTING),
        (job("CREATED", "NONE"), RECORD, replace(LIMITED, spent_before=100.0), Outcome.COST_EXCEEDED),
        (job("CREATED", "NONE"), RECORD, replace(NO_TERMS, spent_before=1e6), STARTING),
        (job("STOPPED", "STOP", cost=60), MAY_RESTART, LIMITED, RESTARTING),
        (job("STOPPED", "STOP", cost=60.1), MAY_RESTART, LIMITED, Outcome.COST_EXCEEDED),
        (job("STOPPED", reason="OUT_OF_PU", cost=60.1), RECORD, LIMITED, Outcome.COST_EXCEEDED),
        (job("PROCESSING", "STOP", cost=60.1), RECORD, LIMITED, Outcome.COST_EXCEEDED),
        # A job that runs is left to the wait, which stops it; one that is over has been paid for.
        (job("PROCESSING", cost=60.1), RECORD, LIMITED, STARTING),
        (job("DONE", cost=60.1), RECORD, LIMITED, STARTING),
    ],
)
def test_an_attempt_begins(found, record, terms, follows):
    step = begin(found, DEADLINES, record, terms)
    assert phase_or_outcome(step) is follows
    if isinstance(step, GoOn):
        assert (step.state.job_id, step.state.deadlines, step.job) == (ID, DEADLINES, found)
    else:
        assert step.verdict.job == found
        assert step.verdict.message


def test_a_resumed_job_is_counted_and_told():
    found = job("STOPPED", reason="OUT_OF_PU")
    step = begin(found, DEADLINES, replace(RECORD, resumed={"OUT_OF_PU": 1, "UNHEALTHY": 3}), RESUMES)
    assert step.state.record == RunRecord(ID, 2, True, {"OUT_OF_PU": 2, "UNHEALTHY": 3})
    assert step.message.startswith("Started again, as resume says (2 of 2): STOPPED (OUT_OF_PU)")


def test_a_cleared_one_is_not_counted():
    step = begin(job("STOPPED", reason="OUT_OF_PU"), DEADLINES, MAY_RESTART, RESUMES)
    assert (step.state.record, step.message) == (MAY_RESTART, "")


# After an action


@pytest.mark.parametrize(
    ("found", "terms", "follows"),
    [
        (job("CREATED"), NO_TERMS, WAITING),
        (job("PROCESSING"), NO_TERMS, WAITING),
        (job("STOPPED"), NO_TERMS, WAITING),
        (job("PARTIAL"), NO_TERMS, WAITING),
        (job("DONE"), NO_TERMS, READING),
        (job("CREATED"), RunTerms({}, waits=False), "finished"),
        (job("DONE"), RunTerms({}, waits=False), "finished"),
    ],
)
@pytest.mark.parametrize("phase", [STARTING, RESTARTING])
def test_an_action_was_taken(phase, found, terms, follows):
    before = replace(state(phase, action_state=ActionState(seen=True), unread_since=NOW), record=MAY_RESTART)
    step = after_action(before, found, terms)
    assert phase_or_outcome(step) == follows
    if isinstance(step, GoOn):
        assert step.job == found
        assert step.state == replace(before, phase=follows, record=RECORD, action_state=ActionState())
    else:
        assert step == Finish(found, RECORD)


def test_a_job_that_was_stopped_at_its_deadline_is_the_end():
    ending = verdict(Outcome.TIMEOUT, job("PROCESSING"), "Time is up.")
    stopped = job("STOPPED", "STOP", cost=70)
    step = after_action(state(STOPPING, ending=ending), stopped, NO_TERMS)
    assert (step.verdict.outcome, step.verdict.job) == (Outcome.TIMEOUT, stopped)
    assert step.verdict.message.startswith("Time is up.\nAfter its stop: STOPPED")
    assert "STOPPED" in step.verdict.message


def test_a_job_that_was_stopped_for_its_cost_says_what_it_came_to():
    ending = verdict(Outcome.COST_EXCEEDED, job("PROCESSING", cost=61))
    step = after_action(state(STOPPING, ending=ending), job("STOPPED", "STOP", cost=70), LIMITED)
    assert step.verdict.outcome is Outcome.COST_EXCEEDED
    assert "70 PU" in step.verdict.message
    assert "TOO EXPENSIVE: 70 PU of 100 PU (less 40 PU" in step.verdict.message
    assert "STOPPED" in step.verdict.message


def test_an_action_that_fails_is_the_end_unless_it_was_a_stop():
    error = ServiceUnavailable("No answer.")
    assert after_refused_action(state(STARTING), error) is None
    step = after_refused_action(state(STOPPING, ending=verdict(Outcome.TIMEOUT, message="Time is up.")), error)
    assert step.verdict.outcome is Outcome.TIMEOUT
    assert step.verdict.message.startswith("Time is up.\nIts stop could not be confirmed")


# After a wait


@pytest.mark.parametrize(
    ("ended", "terms", "follows"),
    [
        (verdict(Outcome.DONE, job("DONE")), NO_TERMS, READING),
        (verdict(Outcome.DONE, job("PARTIAL")), NO_TERMS, READING),
        (verdict(Outcome.STOPPED, job("STOPPED", reason="OUT_OF_PU")), NO_TERMS, Outcome.STOPPED),
        (verdict(Outcome.STOPPED, job("STOPPED", reason="OUT_OF_PU")), RESUMES, RESTARTING),
        (verdict(Outcome.STOPPED, job("STOPPED", "STOP", "USER_ACTION")), RESUMES, Outcome.STOPPED),
        (verdict(Outcome.STOPPED, job("STOPPED", reason="OUT_OF_PU", cost=60.1)), LIMITED, Outcome.COST_EXCEEDED),
        # Whoever may not spend more is stopped, also by a task that leaves its job alone at its timeout.
        (verdict(Outcome.COST_EXCEEDED, job("PROCESSING", cost=60.1)), LIMITED, STOPPING),
        (
            verdict(Outcome.COST_EXCEEDED, job("PROCESSING", cost=60.1)),
            replace(LIMITED, stops_at_timeout=False),
            STOPPING,
        ),
        (verdict(Outcome.TIMEOUT, job("PROCESSING")), NO_TERMS, STOPPING),
        (verdict(Outcome.TIMEOUT), NO_TERMS, STOPPING),
        (verdict(Outcome.EXECUTION_TIMEOUT, job("PROCESSING")), NO_TERMS, STOPPING),
        (verdict(Outcome.TIMEOUT, job("PROCESSING")), RunTerms({}, stops_at_timeout=False), Outcome.TIMEOUT),
        # Losing sight of a job is not its end, and no reason to stop it.
        *(
            (verdict(outcome), NO_TERMS, outcome)
            for outcome in Outcome
            if outcome
            not in (
                Outcome.WAITING,
                Outcome.DONE,
                Outcome.COST_EXCEEDED,
                Outcome.TIMEOUT,
                Outcome.EXECUTION_TIMEOUT,
            )
        ),
    ],
)
def test_a_wait_ended(ended, terms, follows):
    step = after_wait(state(), ended, NOW, terms)
    assert phase_or_outcome(step) is follows
    if isinstance(step, GoOn):
        assert step.job == ended.job


@pytest.mark.parametrize(
    ("outcome", "record"),
    [
        # The task itself stops it, so the next attempt goes on with it.
        (Outcome.TIMEOUT, MAY_RESTART),
        (Outcome.EXECUTION_TIMEOUT, MAY_RESTART),
        # Here somebody has to raise the limit and clear the task.
        (Outcome.COST_EXCEEDED, RECORD),
    ],
)
def test_a_stop_has_time_of_its_own(outcome, record):
    ended = verdict(outcome, job("PROCESSING"))
    step = after_wait(state(unread_since=NOW), ended, NOW, NO_TERMS)
    expected = RunState(ID, Deadlines(DEADLINES.started_at, NOW + TIME_TO_STOP), record, STOPPING, ending=ended)
    assert (step.state, step.message) == (expected, "It is so.")


# Results that cannot be read


@pytest.mark.parametrize(
    ("unread_for", "pause"),
    [(None, 60), (0, 60), (59, 60), (60, 60), (120, 120), (1000, 1000), (1800, 1800), (10_000, 1800)],
)
def test_results_are_read_again_less_and_less_often(unread_for, pause):
    since = None if unread_for is None else NOW - unread_for
    until, later = read_again(state(READING, unread_since=since), NOW, 1e6)
    assert until == NOW + pause
    assert later == state(READING, unread_since=NOW if since is None else since)


def test_not_for_longer_than_an_outage_may_last():
    assert read_again(state(READING, unread_since=NOW - 100), NOW, 200.0) is not None
    assert read_again(state(READING, unread_since=NOW - 101), NOW, 200.0) is None
    assert read_again(state(READING), NOW, 59.0) is None


def test_and_not_after_the_end_of_the_tasks_time():
    short = replace(state(READING), deadlines=Deadlines(NOW - 100, NOW + 59))
    assert read_again(short, NOW, 1e6) is None


@pytest.mark.parametrize(
    ("found", "accepts_partial", "follows"),
    [
        (job("DONE"), False, READING),
        (job("PARTIAL"), True, READING),
        (job("PARTIAL"), False, WAITING),
        # Somebody has started it again.
        (job("PROCESSING"), True, WAITING),
        (job("STOPPED"), True, WAITING),
        (job("FAILED"), True, WAITING),
    ],
)
def test_after_a_pause_the_job_is_looked_at_again(found, accepts_partial, follows):
    before = state(READING, unread_since=NOW)
    step = after_pause(before, found, RunTerms({}, accepts_partial=accepts_partial))
    since = NOW if follows is READING else None
    assert step == GoOn(replace(before, phase=follows, unread_since=since), found)


# What is stored


@pytest.mark.parametrize("phase", RunPhase)
def test_a_phase_is_stored_and_read(phase):
    assert RunState.from_json(state(phase).to_json()) == state(phase)
