"""
Rules for failed polls: which are an outage, and which end a wait.

A job that cannot be read has not failed. Nothing here says anything about the job, and nothing that
follows from it may stop the job.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_sentinelhub.exceptions import (
    Forbidden,
    InvalidConnection,
    InvalidCredentials,
    InvalidPayload,
    NotFound,
    RequestRefused,
    SentinelHubError,
    ServiceError,
    Unauthorized,
)
from airflow_sentinelhub.jobs import wait_messages
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.backoff import LONGEST_PAUSE, backoff
from airflow_sentinelhub.jobs.formatting import format_duration
from airflow_sentinelhub.jobs.message import about, name_of
from airflow_sentinelhub.jobs.verdict import Outcome, Verdict
from airflow_sentinelhub.jobs.wait_policy import WaitPolicy
from airflow_sentinelhub.jobs.wait_rules import require_second_reading
from airflow_sentinelhub.jobs.wait_state import WaitState

CREDENTIALS_PAUSE = 60.0
"""Seconds between the two refusals that end a wait whose credentials worked before."""

UNREADABLE_READINGS = 3
"""Readings of an answer about a job that cannot be read, at least an interval apart, that end its wait."""

LEAST_FAILURES = 3
"""Failed polls without which no outage ends a wait, however long they took."""

_SHORTEST_GAP = 120.0


def evaluate_error(
    error: SentinelHubError, api: BatchApi, job_id: str, policy: WaitPolicy, now: float, wait_state: WaitState
) -> tuple[Verdict, WaitState]:
    """
    Decide what a failed poll means for the wait.

    :param error: what the client raised; a 404 is no trouble but an answer, see :func:`evaluate`.
    :param api: the API that was asked.
    :param job_id: the job that was asked for.
    :param policy: how patient the wait is.
    :param now: seconds since 1970, when the poll failed.
    :param wait_state: what is remembered of the job.
    :return: the verdict, and what to hand in next time.
    """
    name = name_of(api, job_id)
    worked = wait_state.first_answer_at is not None or wait_state.credentials_verified

    def verdict(outcome: Outcome, message: str) -> Verdict:
        return Verdict(outcome, api, job_id, message, service_message=error.service_message)

    match error:
        case InvalidCredentials() | InvalidConnection():
            invalid = isinstance(error, InvalidConnection)
            refused = verdict(
                Outcome.INVALID_CONNECTION if invalid else Outcome.INVALID_CREDENTIALS,
                about("CANNOT BE WATCHED any longer", name, str(error)),
            )
            if not worked:
                # They never worked, so waiting will not mend them.
                return refused, wait_state
            meanwhile = f"{error}\nThey worked before, so the connection is read and tried again."
            return require_second_reading(
                refused, meanwhile, pause=CREDENTIALS_PAUSE, now=now, wait_state=wait_state
            )
        case InvalidPayload():
            # The caller finds out whether the job alone is concerned, or all.
            return require_second_reading(
                verdict(Outcome.UNREADABLE, wait_messages.unreadable(name, _sentence(error), UNREADABLE_READINGS)),
                f"{_sentence(error)}\nIt is asked for {UNREADABLE_READINGS} times before this counts.",
                pause=policy.confirmation_pause(None),
                now=now,
                wait_state=wait_state,
                readings=UNREADABLE_READINGS,
            )
        case RequestRefused() if not (_may_be_a_roll_out(error) and worked):
            outcome = Outcome.FORBIDDEN if isinstance(error, Forbidden) else Outcome.REFUSED
            return require_second_reading(
                verdict(outcome, about("CANNOT BE WATCHED", name, str(error))),
                f"{error}\nIt is asked once more before this counts.",
                pause=policy.confirmation_pause(None),
                now=now,
                wait_state=wait_state,
            )
        case _:
            wait_state = _failed(now, policy, wait_state)
            if (
                wait_state.outage_failures >= LEAST_FAILURES
                and wait_state.outage_seconds >= policy.outage_tolerance
            ):
                message = about(
                    f"NOT SEEN for {format_duration(wait_state.outage_seconds)} (outage_tolerance)",
                    name,
                    str(error),
                    "The job was left alone and may be running or done.",
                    "When the service is back, clear this task to wait for it again.",
                )
                return verdict(Outcome.UNAVAILABLE, message), wait_state
            return verdict(Outcome.WAITING, str(error)), wait_state


def error_delay(error: SentinelHubError, policy: WaitPolicy, wait_state: WaitState, jitter: float) -> float:
    """
    Return the seconds to wait after a failed poll.

    It grows with each failure up to a minute, or the poll interval, where that is longer.

    :param error: what the client raised.
    :param policy: how often to poll when all is well.
    :param wait_state: what :func:`evaluate_error` returned.
    :param jitter: a random number from 0 to 1, which keeps many waits from coming back together.
    """
    if isinstance(error, InvalidCredentials | InvalidConnection):
        return CREDENTIALS_PAUSE + jitter
    if isinstance(error, RequestRefused | InvalidPayload):
        return policy.confirmation_pause(None)
    return backoff(
        wait_state.outage_failures,
        jitter,
        retry_after=error.retry_after if isinstance(error, ServiceError) else None,
        longest=max(LONGEST_PAUSE, policy.poke_interval),
    )


def _sentence(error: SentinelHubError) -> str:
    text = str(error).strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _may_be_a_roll_out(error: RequestRefused) -> bool:
    """
    Return whether a refusal does not come from the service itself.

    Two refusals say nothing of a job that was seen before: a 401 on a fresh token, and a 404 without the service's
    error object (a gateway's page).
    """
    return isinstance(error, Unauthorized) or (isinstance(error, NotFound) and error.code is None)


def _failed(now: float, policy: WaitPolicy, wait_state: WaitState) -> WaitState:
    gap = now - wait_state.outage_last if wait_state.outage_failures else 0.0
    # A process that was frozen or restarted sent no request meanwhile: that time is no outage.
    counted = min(max(gap, 0.0), max(_SHORTEST_GAP, 2 * policy.poke_interval))
    return replace(
        wait_state,
        outage_failures=wait_state.outage_failures + 1,
        outage_last=now,
        outage_seconds=wait_state.outage_seconds + counted,
    )
