"""One wait: takes results of polls, gives the verdict, and says when to poll again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from airflow_sentinelhub.exceptions import InvalidPayload, SentinelHubError
from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    Deadlines,
    JobStatus,
    MissingJob,
    Outcome,
    Verdict,
    WaitGoal,
    WaitPolicy,
    WaitState,
    error_delay,
    evaluate,
    evaluate_error,
)
from airflow_sentinelhub.jobs.redaction import REDACT
from airflow_sentinelhub.waits.observation import PollRequest, PollResult
from airflow_sentinelhub.waits.progress_log import LogLine, LogState, ProgressLog

log = logging.getLogger(__name__)

_SHORTEST_PAUSE = 0.1

# Read twice as well, but not about the job: to ask for each one by itself would tell nothing more.
_NOT_OF_THE_JOB = (Outcome.INVALID_CREDENTIALS, Outcome.INVALID_CONNECTION)


@dataclass(frozen=True, slots=True)
class WaitSpec:
    """
    Specification of a wait.

    :param api: the job's API.
    :param job_id: its id.
    :param goal: what is waited for.
    :param policy: how often to poll and how patient to be.
    :param deadlines: when to give up.
    """

    api: BatchApi
    job_id: str
    goal: WaitGoal
    policy: WaitPolicy
    deadlines: Deadlines


class Wait:
    """
    Knows what happened so far in one wait.

    It does no I/O: triggers feed it from their poller, sensors that poke from their own requests.

    :param terms: what is waited for.
    :param say: writes a line into the task log.
    :param stored: what :meth:`to_json` gave in an earlier process of the same wait.
    :param jitter: gives random numbers from 0 to 1.
    :param progress_log: tells this wait, where it is not told by itself; ``say`` is not used then.
    """

    def __init__(
        self,
        terms: WaitSpec,
        say: LogLine,
        stored: object = None,
        jitter: Callable[[], float] = random.random,
        progress_log: ProgressLog | None = None,
    ) -> None:
        stored = stored if isinstance(stored, dict) else {}
        self.terms = terms
        self._state = WaitState.from_json(stored.get("state"))
        self._progress_log = progress_log or ProgressLog(
            terms.api, terms.job_id, say, LogState.from_json(stored.get("log"))
        )
        self._jitter = jitter
        self._job: BatchJob | None = None
        self._pause = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return what has to be remembered when the wait goes on in another process."""
        return {"state": self._state.to_json(), "log": self._progress_log.told.to_json()}

    @property
    def job(self) -> BatchJob | None:
        """The job as last seen."""
        return self._job

    @property
    def awaits_confirmation(self) -> bool:
        """True if something was read that counts only when it is read again."""
        return bool(self._state.pending_outcome)

    @property
    def status_suffices(self) -> bool:
        """
        Whether the next poll can do without the user action.

        It only matters while the job may be resting; its absence saves the service (and us) the request's
        evalscript and geometry.
        """
        return (
            self.terms.api.spec.light_status
            and self.terms.goal is WaitGoal.COMPLETION
            and self._job is not None
            and self._job.status in (JobStatus.ANALYSING, JobStatus.PROCESSING)
        )

    def update(self, result: PollResult, now: float) -> Verdict:
        """
        Take the result of a poll into account.

        :param result: the job, a 404, or why there is neither.
        :param now: seconds since 1970, when it was read.
        :return: the verdict; unless it is final, :meth:`next_delay` tells when to poll again.
        """
        verdict = self._judged(result, now)
        if not verdict.is_final:
            terms = self.terms
            verdict = terms.deadlines.verdict(terms.api, terms.job_id, self._job, now) or verdict
        return verdict if verdict.job is not None else replace(verdict, job=self._job)

    def timeout_verdict(self) -> Verdict:
        """Return the verdict when time is up and a poll that is under way does not come back."""
        terms = self.terms
        return terms.deadlines.passed(terms.api, terms.job_id, self._job)

    def finish(self, verdict: Verdict, now: float) -> Verdict:
        """
        Write the verdict into the log.

        :param verdict: a final one.
        :param now: seconds since 1970.
        :return: the verdict, with how long the wait took.
        """
        verdict = replace(verdict, waited=now - self.terms.deadlines.started_at)
        self._progress_log.log_verdict(verdict)
        return verdict

    def next_delay(self, now: float) -> float:
        """
        Return the seconds until the next poll is due, which is never after the deadline.

        :param now: seconds since 1970.
        """
        return max(_SHORTEST_PAUSE, min(self._pause, self.terms.deadlines.first - now))

    def next_request(self, now: float) -> PollRequest:
        """
        Return the next poll that is needed, and when.

        :param now: seconds since 1970.
        """
        confirms = self.awaits_confirmation
        is_final = self._pause > self.terms.deadlines.first - now
        return PollRequest(
            delay=self.next_delay(now),
            # A confirmation counts only an interval later, and the deadline has passed only when it has.
            exact=confirms or is_final,
            is_final=is_final,
            bypass_list=confirms and self._state.pending_outcome not in _NOT_OF_THE_JOB,
            status_only=self.status_suffices,
            latest=max(_SHORTEST_PAUSE, self.terms.deadlines.first - now),
        )

    def _judged(self, result: PollResult, now: float) -> Verdict:
        """Judge a result. What cannot be judged counts as an answer that cannot be read."""
        if not isinstance(result, SentinelHubError):
            try:
                return self._answer(result, now)
            except MemoryError:
                raise
            except Exception as error:
                log.error("A result for %s could not be judged.", result.label, exc_info=error)
                result = InvalidPayload(
                    f"{result.label}: what the service says of it cannot be judged "
                    f"({REDACT.line(f'{type(error).__name__}: {error}', 300)}).",
                    job_id=result.id,
                    api=result.api.value,
                )
        return self._trouble(result, now)

    def _answer(self, result: BatchJob | MissingJob, now: float) -> Verdict:
        terms = self.terms
        self._progress_log.log_recovery(now)
        verdict, self._state = evaluate(result, terms.goal, terms.policy, now, self._state)
        if isinstance(result, BatchJob):
            self._job = result
        if not verdict.is_final:  # else the verdict says the rest
            self._progress_log.log_warning(verdict, now)
            if isinstance(result, BatchJob):
                self._progress_log.log_job(result, now)
        seen = result if isinstance(result, BatchJob) else None
        if self._state.pending_outcome:
            self._pause = terms.policy.confirmation_pause(seen)
        elif seen is None:  # a new job may be readable in a moment, one that was seen is asked for as before
            self._pause = terms.policy.interval(self._job)
        else:
            self._pause = terms.policy.interval(seen, now - self._state.state_since)
        return verdict

    def _trouble(self, error: SentinelHubError, now: float) -> Verdict:
        terms = self.terms
        verdict, self._state = evaluate_error(error, terms.api, terms.job_id, terms.policy, now, self._state)
        if not verdict.is_final:
            left = terms.policy.outage_tolerance - self._state.outage_seconds
            self._progress_log.log_outage(error, verdict, min(now + left, terms.deadlines.first), now)
        self._pause = error_delay(error, terms.policy, self._state, self._jitter())
        return verdict
