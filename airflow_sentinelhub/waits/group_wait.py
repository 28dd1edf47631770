"""Group wait: a wait for each job, with one progress log and one verdict."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from airflow_sentinelhub.jobs import (
    BatchApi,
    Deadlines,
    GroupVerdict,
    Outcome,
    Quorum,
    Verdict,
    WaitGoal,
    WaitPolicy,
    evaluate_group,
)
from airflow_sentinelhub.waits.group_progress_log import GroupProgressLog
from airflow_sentinelhub.waits.progress_log import LogLine
from airflow_sentinelhub.waits.wait import Wait, WaitSpec


@dataclass(frozen=True, slots=True)
class GroupWaitSpec:
    """
    Specification of a group wait.

    :param api: the API of the jobs.
    :param job_ids: their ids, each once.
    :param quorum: how many of them have to be done.
    :param policy: how often to poll at each and how patient to be.
    :param deadlines: when to give up; the same for all.
    """

    api: BatchApi
    job_ids: Sequence[str]
    quorum: Quorum
    policy: WaitPolicy
    deadlines: Deadlines


class GroupWait:
    """
    Knows what happened so far in the wait for a group.

    It does no I/O, like :class:`~airflow_sentinelhub.waits.wait.Wait`, of which it has one for each job.

    :param terms: what is waited for.
    :param say: writes a line into the task log.
    :param stored: what each wait knows at the beginning.
    :param jitter: gives random numbers from 0 to 1.
    """

    def __init__(
        self,
        terms: GroupWaitSpec,
        say: LogLine,
        stored: object = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.terms = terms
        self._progress_log = GroupProgressLog(terms.api, say)
        self.waits = {
            job_id: Wait(
                WaitSpec(terms.api, job_id, WaitGoal.COMPLETION, terms.policy, terms.deadlines),
                say,
                stored,
                jitter,
                self._progress_log.of(job_id),
            )
            for job_id in terms.job_ids
        }
        self._ended: dict[str, Verdict] = {}

    @property
    def pending(self) -> list[str]:
        """The jobs whose waits are not over."""
        return [job_id for job_id in self.waits if job_id not in self._ended]

    @property
    def members(self) -> dict[str, Verdict | None]:
        """The latest verdict on each job."""
        return {job_id: self._ended.get(job_id) or self._so_far(wait) for job_id, wait in self.waits.items()}

    def end(self, verdict: Verdict, now: float) -> None:
        """
        Take in that the wait for one job is over.

        :param verdict: a final one.
        :param now: seconds since 1970.
        """
        self._ended[verdict.job_id] = verdict  # also if the log cannot be written
        self._ended[verdict.job_id] = self.waits[verdict.job_id].finish(verdict, now)

    def timeout_verdict(self, now: float) -> None:
        """Take in that time is up, and polls that are under way do not come back."""
        for job_id in self.pending:
            self.end(self.waits[job_id].timeout_verdict(), now)

    def verdict(self) -> GroupVerdict:
        """Return the verdict on the group as it stands."""
        terms = self.terms
        return evaluate_group(self.members, terms.quorum, terms.api, terms.deadlines)

    def tell(self, now: float) -> None:
        """
        Write into the log what is new.

        :param now: seconds since 1970.
        """
        self._progress_log.tell(self.members, now)

    def finish(self, verdict: GroupVerdict, now: float) -> GroupVerdict:
        """
        Write the verdict into the log.

        :param verdict: a final one.
        :param now: seconds since 1970.
        :return: the verdict, with how long the wait took.
        """
        verdict = replace(verdict, waited=now - self.terms.deadlines.started_at)
        self._progress_log.log_verdict(verdict)
        return verdict

    def _so_far(self, wait: Wait) -> Verdict | None:
        if wait.job is None:
            return None
        return Verdict(Outcome.WAITING, self.terms.api, wait.terms.job_id, job=wait.job)
