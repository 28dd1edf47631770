"""
The one rule for what many waits come to together.

:func:`~airflow_sentinelhub.jobs.wait_rules.evaluate` says what the state of each job means. Here only the verdicts
are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.formatting import format_duration
from airflow_sentinelhub.jobs.job import BatchJob
from airflow_sentinelhub.jobs.message import about
from airflow_sentinelhub.jobs.verdict import Outcome, Verdict
from airflow_sentinelhub.jobs.wait_policy import Deadlines

Until = Literal["all", "any"] | int

Members = Mapping[str, Verdict | None]
"""The latest verdict on each job, by its id; ``None``: not looked at yet."""

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Quorum:
    """
    Number of jobs of a group that have to be done, and when the wait is given up.

    :param until: ``all``, ``any`` (one), or so many.
    :param fail_fast: with ``all``, give up with the first job that ends badly; otherwise when every job has ended.
        With fewer, it is given up when what is left no longer suffices.
    """

    until: Until = "all"
    fail_fast: bool = True

    def __post_init__(self) -> None:
        if self.until not in ("all", "any") and (
            isinstance(self.until, bool) or not isinstance(self.until, int) or self.until < 1
        ):
            raise ValueError(f"until must be 'all', 'any' or a number of jobs of at least 1; it is {self.until!r}")

    def needed(self, jobs: int) -> int:
        """
        Return how many jobs have to be done.

        :param jobs: how many there are. Of none, all are done.
        """
        match self.until:
            case "all":
                return jobs
            case "any":
                return 1
            case _:
                return int(self.until)

    def as_text(self, api: BatchApi, jobs: int) -> str:
        """Return what is waited for: "all of 12 Batch Process jobs are done"."""
        name = f"{jobs} {api.display_name} job{'' if jobs == 1 else 's'}"
        match self.until:
            case "all":
                return f"all of {name} are done"
            case "any":
                return f"any of {name} is done"
            case _:
                return f"at least {self.until} of {name} are done"


@dataclass(slots=True)
class GroupCounts:
    """
    The jobs of a group by what became of them: their ids, in the order of the group.

    :ivar done: what was waited for.
    :ivar failed: the job ended badly, or waiting for it makes no sense any longer.
    :ivar lost: it cannot be watched any longer, which says nothing of the job.
    :ivar late: time was up.
    :ivar waiting: all others.
    """

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, members: Members) -> GroupCounts:
        """Sort the jobs of a group."""
        standing = cls()
        for job_id, verdict in members.items():
            standing._place(verdict).append(job_id)
        return standing

    def _place(self, verdict: Verdict | None) -> list[str]:
        if verdict is None or not verdict.is_final:
            return self.waiting
        if verdict.outcome is Outcome.DONE:
            return self.done
        if verdict.is_timeout:
            return self.late
        return self.failed if verdict.is_about_the_job else self.lost

    @property
    def pending(self) -> list[str]:
        """Jobs of which neither is known: they may go on, or be done unseen."""
        return [*self.lost, *self.late, *self.waiting]

    def as_text(self) -> str:
        """Count them: "7 of 12 done, 1 failed, 4 pending"."""
        counts = {"failed": len(self.failed), "out of sight": len(self.lost)}
        counts["pending"] = len(self.late) + len(self.waiting)
        total = len(self.done) + sum(counts.values())
        rest = "".join(f", {count} {name}" for name, count in counts.items() if count)
        return f"{len(self.done)} of {total} done{rest}"


@dataclass(frozen=True, slots=True)
class GroupVerdict:
    """
    Verdict on a group of jobs.

    :param outcome: the decision: of jobs that ended badly in the same way, theirs.
    :param api: the API of the jobs.
    :param message: what it means and what to do.
    :param members: the latest verdict on each job.
    :param cause: the verdict that decided, where one did.
    :param waited: how long the wait took, in seconds; ``None``: it is not over.
    """

    outcome: Outcome
    api: BatchApi
    message: str
    members: Members
    cause: Verdict | None = None
    waited: float | None = None

    @property
    def is_final(self) -> bool:
        """True if the wait is over."""
        return self.outcome is not Outcome.WAITING

    @property
    def is_timeout(self) -> bool:
        """True if time ran out, which says nothing about the jobs."""
        return self.outcome in (Outcome.TIMEOUT, Outcome.EXECUTION_TIMEOUT)

    @property
    def standing(self) -> GroupCounts:
        """The jobs by what became of them."""
        return GroupCounts.of(self.members)

    def exception(self) -> SentinelHubError:
        """
        Return the exception that says this verdict.

        It carries id, status and the service's words of the job that decided, if one did.

        :raises ValueError: the group is done or waited for; nothing is wrong with it.
        """
        cause = self.cause or Verdict(self.outcome, self.api, "")
        error = replace(cause, outcome=self.outcome, message=self.message).exception()
        error.job_id = cause.job_id or None  # where no single job decided
        return error

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain JSON, for a trigger's event: of most jobs, id, outcome and status alone."""
        return {
            "outcome": self.outcome.value,
            "api": self.api.value,
            "message": self.message,
            "cause": _small(self.cause).to_json() if self.cause else None,
            "jobs": {job_id: _state(verdict) for job_id, verdict in self.members.items()},
            "waited": self.waited,
        }

    @classmethod
    def from_json(cls, event: object) -> GroupVerdict:
        """
        Read what :meth:`to_json` wrote.

        :raises ValueError: it is nothing of the kind.
        """
        if not isinstance(event, Mapping):
            raise ValueError(f"a trigger event of type {type(event).__name__} is no verdict")
        try:
            api = BatchApi(event["api"])
            cause = event.get("cause")
            return cls(
                outcome=Outcome(event["outcome"]),
                api=api,
                message=str(event["message"]),
                members={
                    str(job_id): _member(api, str(job_id), *state) for job_id, state in dict(event["jobs"]).items()
                },
                cause=None if cause is None else Verdict.from_json(cause),
                waited=event.get("waited"),
            )
        except KeyError as missing:
            raise ValueError(f"a trigger event without {missing} is no verdict") from None
        except TypeError as error:
            raise ValueError(f"a trigger event that is no verdict: {error}") from None


def evaluate_group(members: Members, quorum: Quorum, api: BatchApi, deadlines: Deadlines) -> GroupVerdict:
    """
    Decide what the verdicts on the jobs of a group mean together.

    Enough that are done are a success, whatever became of the others. Jobs that ended badly, or that cannot be
    watched any longer, count as not to be had. Time is up for all at the same moment, and each job is polled a
    last time then: so it ends the wait when none is left that has not been.

    :param members: the latest verdict on each job.
    :param quorum: how many have to be done.
    :param api: the API of the jobs.
    :param deadlines: the group's, for the message.
    """
    standing = GroupCounts.of(members)
    needed = quorum.needed(len(members))
    bad = [*standing.failed, *standing.lost]
    if len(standing.done) >= needed:
        return GroupVerdict(Outcome.DONE, api, "", members)
    # Either so many are not there any more, or never were.
    hopeless = len(members) - len(bad) < needed
    if hopeless and (quorum.fail_fast or quorum.until != "all" or not standing.waiting):
        return _failed(members, standing, quorum, api)
    if standing.waiting:
        return GroupVerdict(Outcome.WAITING, api, "", members)
    outcomes = {verdict.outcome for job_id in standing.late if (verdict := members[job_id])}
    outcome = Outcome.EXECUTION_TIMEOUT if Outcome.EXECUTION_TIMEOUT in outcomes else Outcome.TIMEOUT
    name = outcome.value
    after = format_duration(deadlines.first - deadlines.started_at)
    message = about(
        f"TIMED OUT after {after} ({name}): {standing.as_text()}",
        api.display_name,
        f"This task waited until {quorum.as_text(api, len(members))}.",
        f"The jobs were left alone and go on: raise {name}, or clear this task to wait for them again.",
    )
    return GroupVerdict(outcome, api, message, members)


def group_error(job_ids: list[str], api: BatchApi, reason: str) -> GroupVerdict:
    """
    Return the verdict on a group that cannot be watched because of an error in this package.

    :param job_ids: the jobs.
    :param api: their API.
    :param reason: what went wrong.
    """
    message = about(
        f"ERROR: {reason}",
        f"{len(job_ids)} {api.display_name} jobs",
        "This is an error of the provider or its environment; the jobs were left alone.",
    )
    return GroupVerdict(Outcome.ERROR, api, message, dict.fromkeys(job_ids))


def _failed(members: Members, standing: GroupCounts, quorum: Quorum, api: BatchApi) -> GroupVerdict:
    bad = [verdict for job_id in (*standing.failed, *standing.lost) if (verdict := members[job_id])]
    goal = quorum.as_text(api, len(members))
    if not bad:
        message = about(
            f"until={quorum.until} cannot be met: only {len(members)} ids were given",
            api.display_name,
            "Did a task give fewer ids than usual?",
        )
        return GroupVerdict(Outcome.GROUP_FAILED, api, message, members)
    left = len(standing.waiting) + len(standing.late)
    parts = [f"It is out of reach that {goal}. The first job that ended badly:", bad[0].message]
    if others := bad[1:]:
        parts.append("The others:")
        parts += [f"{verdict.outcome.replace('_', ' ')} {verdict.job_id}" for verdict in others[:_NAMED]]
        if len(others) > _NAMED:
            parts.append(f"and {len(others) - _NAMED} more, which the log names")
    if left:
        parts.append("What is pending was left alone and goes on.")
    agree = len({verdict.outcome for verdict in bad}) == 1
    outcome = bad[0].outcome if agree else Outcome.GROUP_FAILED
    message = about(f"FAILED: {standing.as_text()}", api.display_name, *parts)
    return GroupVerdict(outcome, api, message, members, cause=bad[0])


def _state(verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return [Outcome.WAITING.value, ""]
    return [verdict.outcome.value, verdict.job.raw_status if verdict.job else ""]


def _member(api: BatchApi, job_id: str, outcome: str, status: str) -> Verdict:
    job = BatchJob.from_payload(api, {"id": job_id, "status": status}) if status else None
    return Verdict(Outcome(outcome), api, job_id, job=job)


def _small(verdict: Verdict) -> Verdict:
    """Leave out of a job what its exception does not need."""
    if verdict.job is None:
        return verdict
    kept = ("id", "status", "stoppedStatusReason")
    payload = {key: value for key, value in verdict.job.to_json().items() if key in kept}
    return replace(verdict, job=BatchJob.from_payload(verdict.api, payload))
