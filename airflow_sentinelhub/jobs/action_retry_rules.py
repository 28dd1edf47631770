"""Retry rules of actions that are too early or refused: pure, with a state."""

from __future__ import annotations

from dataclasses import dataclass, replace

from airflow_sentinelhub.exceptions import BatchActionImpossible, BatchNotRestartable, SentinelHubError
from airflow_sentinelhub.jobs import action_messages as words
from airflow_sentinelhub.jobs.action_rules import (
    Action,
    ActionStep,
    CallService,
    NotAllowed,
    ServiceCall,
    WaitUntil,
    next_step,
)
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.json_record import JsonRecord
from airflow_sentinelhub.jobs.restart_lock import stop_key
from airflow_sentinelhub.jobs.wait_rules import NOT_FOUND_GRACE

NOT_YET_AT_MOST = 3600.0
"""Seconds for which a job may be in a state that will soon allow the action."""

REFUSED_PAUSE = {Action.ANALYSE: 10.0, Action.START: 10.0, Action.STOP: 60.0, Action.RESTART: 300.0}
"""Seconds until the service is asked again for what it refused, though the job's state should allow it."""

REFUSED_AT_MOST = {
    # A new job may be 404 for actions as well (section 4.7), and what is read of it may lag behind.
    Action.ANALYSE: NOT_FOUND_GRACE,
    Action.START: NOT_FOUND_GRACE,
    # A queued job shows CREATED for minutes, and stops are documented from ANALYSING on (section 5.4).
    Action.STOP: 3600.0,
    # The lock may be longer than is documented, or the service does not tell when it began.
    Action.RESTART: 3600.0,
}
"""Seconds for which that goes on."""


@dataclass(frozen=True, slots=True)
class ActionState(JsonRecord):
    """
    State of an action on a job; times are seconds since 1970.

    :param seen: whether the job was ever seen.
    :param waited_for: the stop whose lock is (or was) waited out; empty: none.
    :param locked_until: when that lock ends.
    :param not_yet_since: since when the job's state has been one that will soon allow the action.
    :param refused_since: since when the service has refused what the job's state should allow.
    """

    seen: bool = False
    waited_for: str = ""
    locked_until: float = 0.0
    not_yet_since: float | None = None
    refused_since: float | None = None


def next_step_with_retry(
    action: Action, job: BatchJob, now: float, action_state: ActionState, refusal: SentinelHubError | None = None
) -> tuple[ActionStep, ActionState]:
    """
    Decide what an action takes, and for how long it is tried.

    :param action: what the user asks for.
    :param job: the job as just read.
    :param now: seconds since 1970.
    :param action_state: what the previous call returned; ``ActionState()`` for the first.
    :param refusal: why the service did not do it a moment ago, before ``job`` was read.
    :return: the next step, and what to hand in next time.
    """
    action_state = replace(action_state, seen=True)
    step = next_step(action, job, now)
    if isinstance(step, WaitUntil) and step.locked:
        return _locked(step, job, now, action_state, refusal)
    if action_state.waited_for and isinstance(step, CallService) and stop_key(job) != action_state.waited_for:
        return NotAllowed(words.stopped_again(job), BatchNotRestartable), action_state
    return _bounded(action, step, job, now, action_state, refusal)


def _locked(
    step: WaitUntil, job: BatchJob, now: float, action_state: ActionState, refusal: SentinelHubError | None
) -> tuple[ActionStep, ActionState]:
    if not action_state.waited_for:
        return step, replace(action_state, waited_for=stop_key(job), locked_until=step.until)
    if action_state.waited_for != stop_key(job):
        return NotAllowed(words.stopped_again(job), BatchNotRestartable), action_state
    if now < action_state.locked_until:
        return replace(step, until=action_state.locked_until), action_state
    # Its time stamp has moved (it is billed later, for example), but this stop's lock was waited out.
    again = CallService(ServiceCall.START, words.doing(job, "start it again"))
    return _bounded(Action.RESTART, again, job, now, action_state, refusal)


def _bounded(
    action: Action,
    step: ActionStep,
    job: BatchJob,
    now: float,
    action_state: ActionState,
    refusal: SentinelHubError | None,
) -> tuple[ActionStep, ActionState]:
    """Wait on, or for long enough."""
    kind = BatchNotRestartable if action is Action.RESTART else BatchActionImpossible
    if isinstance(step, WaitUntil):
        since = now if action_state.not_yet_since is None else action_state.not_yet_since
        action_state = replace(action_state, not_yet_since=since)
        if now - since < NOT_YET_AT_MOST:
            return step, action_state
        return NotAllowed(words.not_yet_for_too_long(job, action.value, now - since), kind), action_state
    if isinstance(step, CallService) and refusal is not None:
        since = now if action_state.refused_since is None else action_state.refused_since
        action_state = replace(action_state, refused_since=since)
        if now - since < REFUSED_AT_MOST[action]:
            pause = REFUSED_PAUSE[action]
            message = words.refused(job, action.value, refusal, pause)
            return WaitUntil(now + pause, message, warn=True), action_state
        return NotAllowed(words.refused_for_too_long(job, action.value, refusal, now - since), kind), action_state
    return step, action_state
