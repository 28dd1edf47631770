"""
Progress log of a group of waits: one for all, not one for each.

It has a line of numbers when jobs end and every 10 minutes. Each job that ends badly has a line, an outage one for
all jobs. The verdict comes at the end, with a table.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs import BatchApi, BatchJob, GroupCounts, GroupVerdict, Members, Outcome, Verdict
from airflow_sentinelhub.jobs.formatting import format_cost, format_duration, format_time
from airflow_sentinelhub.jobs.message import about
from airflow_sentinelhub.waits.progress_log import PROGRESS_INTERVAL, LogLine, ProgressLog, as_sentence, harmless

MIN_SUMMARY_INTERVAL = 30.0
"""Seconds between two lines of numbers, however many jobs end."""

WARNINGS_AT_ONCE = 5
"""Warnings about single jobs in 10 minutes; the other jobs are only named."""

TABLE_ROWS = 30
"""Jobs in the table at the end, at most."""

_NAMED = 10
_LONGEST_REASON = 400


class GroupProgressLog:
    """
    Tells the waits of a group.

    What happens to single jobs is taken in at any time, and told by :meth:`tell`: many of them happen at once.

    :param api: the API of the jobs.
    :param say: writes a line.
    """

    def __init__(self, api: BatchApi, say: LogLine) -> None:
        self._api = api
        self._say = harmless(say)
        self._told_at = float("-inf")
        self._jobs_ended = False
        self._warnings: dict[str, str] = {}
        self._window_began = float("-inf")
        self._warned = 0
        self._unseen: dict[str, None] = {}
        self._lost: set[Outcome] = set()
        self._trouble = ""
        self._trouble_is_new = False
        self._troubles: set[str] = set()
        self._trouble_since = 0.0
        self._trouble_told_at = 0.0

    def of(self, job_id: str) -> ProgressLog:
        """Return the progress log of one of the waits."""
        return _MemberLog(self, self._api, job_id)

    def tell(self, members: Members, now: float) -> None:
        """
        Write what is new, where it is time to.

        :param members: the latest verdict on each job.
        :param now: seconds since 1970.
        """
        self._tell_trouble(len(members), now)
        self._tell_warnings(now)
        if self._told_at == float("-inf") and not any(members.values()):
            return  # nothing is known yet
        open_ones = sum(verdict is None or not verdict.is_final for verdict in members.values())
        if len(self._unseen) == open_ones and not self._jobs_ended:
            return  # there is nothing new about what is not seen
        quiet = now - self._told_at
        if quiet >= PROGRESS_INTERVAL or (self._jobs_ended and quiet >= MIN_SUMMARY_INTERVAL):
            self._say(logging.INFO, about(summary(members), self._api.display_name))
            self._told_at, self._jobs_ended = now, False

    def log_verdict(self, verdict: GroupVerdict) -> None:
        """
        Write the verdict, and a table of the jobs.

        :param verdict: the decision.
        """
        done = verdict.outcome is Outcome.DONE
        self._say(logging.INFO if done else logging.ERROR, group_line(verdict))
        if verdict.members:
            self._say(logging.INFO, table(verdict.members))

    def job_ended(self, verdict: Verdict) -> None:
        """Take in that the wait for a job is over, and say so if it is not done."""
        self._jobs_ended = True
        self._unseen.pop(verdict.job_id, None)
        self._warnings.pop(verdict.job_id, None)
        if verdict.outcome is Outcome.DONE or verdict.is_timeout:
            return  # of all the jobs whose time is up, the end tells
        if verdict.is_about_the_job or verdict.outcome not in self._lost:
            self._say(logging.ERROR, _cut(verdict.message))
        if not verdict.is_about_the_job:
            self._lost.add(verdict.outcome)  # what happens to the way to the jobs happens to all of them
            if not self._unseen:
                self._trouble_since = 0.0  # no job is left to see, which is not that the service answers again

    def log_warning(self, verdict: Verdict) -> None:
        """Take in that something is odd about a job."""
        self._warnings[verdict.job_id] = verdict.message

    def log_outage(self, job_id: str, kind: str, message: str) -> None:
        """
        Take in that a job cannot be seen.

        :param job_id: the job.
        :param kind: what kind of trouble it is; each is told once.
        :param message: what it is, and what follows.
        """
        self._unseen[job_id] = None
        if kind not in self._troubles:
            self._troubles.add(kind)
            self._trouble_is_new = True
        self._trouble = message

    def seen(self, job_id: str) -> None:
        """Take in that a job was seen."""
        self._unseen.pop(job_id, None)

    def _tell_trouble(self, jobs: int, now: float) -> None:
        if not self._unseen:
            if self._trouble_since:
                lasted = format_duration(now - self._trouble_since)
                self._say(
                    logging.INFO, about(f"The service answers again, after {lasted}", self._api.display_name)
                )
            self._troubles.clear()
            self._trouble_since, self._trouble_is_new = 0.0, False
            return
        since = self._trouble_since or now
        if self._trouble_is_new or now - self._trouble_told_at >= PROGRESS_INTERVAL:
            lasted = f" for {format_duration(now - since)} now" if self._trouble_since else ""
            who = f"{len(self._unseen)} of {jobs} jobs not seen{lasted}"
            self._say(logging.WARNING, about(who, self._api.display_name, _cut(self._trouble)))
            self._trouble_told_at, self._trouble_is_new = now, False
        self._trouble_since = since

    def _tell_warnings(self, now: float) -> None:
        if now - self._window_began >= PROGRESS_INTERVAL:
            self._window_began, self._warned = now, 0
        for job_id in list(self._warnings)[: max(0, WARNINGS_AT_ONCE - self._warned)]:
            self._say(logging.WARNING, _cut(self._warnings.pop(job_id)))
            self._warned += 1
        # The others are named, once in that time.
        if self._warnings and self._warned == WARNINGS_AT_ONCE:
            others = f"{len(self._warnings)} more jobs to look at"
            self._say(logging.WARNING, about(others, self._api.display_name, _named(self._warnings)))
            self._warned += 1
            self._warnings.clear()


def _nothing(level: int, text: str) -> None:
    """Write nothing."""


class _MemberLog(ProgressLog):
    """Hands to the group what a wait has to tell of its job."""

    def __init__(self, group: GroupProgressLog, api: BatchApi, job_id: str) -> None:
        super().__init__(api, job_id, _nothing)
        self._group = group
        self._job_id = job_id

    def log_job(self, job: BatchJob, now: float) -> None:
        """Write nothing: the numbers of the group say it."""

    def log_warning(self, verdict: Verdict, now: float) -> None:  # noqa: ARG002 - the group has its own pace
        """Take in what is odd, where the rules say that it is time to."""
        if verdict.warn:
            self._group.log_warning(verdict)

    def log_outage(self, error: SentinelHubError, verdict: Verdict, until: float, now: float) -> None:
        """Take in that the job cannot be seen."""
        until_when = f"Waiting on, until {format_time(until, now)} at most."
        message = verdict.message if verdict.warn else f"{as_sentence(error)} {until_when}"
        self._group.log_outage(self._job_id, type(error).__name__, message)

    def log_recovery(self, now: float) -> None:  # noqa: ARG002 - the group has its own pace
        """Take in that the job is seen."""
        self._group.seen(self._job_id)

    def log_verdict(self, verdict: Verdict) -> None:
        """Take in that the wait is over."""
        self._group.job_ended(verdict)


def group_line(verdict: GroupVerdict, lasted: float | None = None) -> str:
    """
    Return one line about the end of the wait for a group.

    :param verdict: a final one.
    :param lasted: how long it took, in seconds, where the verdict does not say it.
    """
    if verdict.outcome is not Outcome.DONE:
        return verdict.message
    lasted = lasted if verdict.waited is None else verdict.waited
    waited = "" if lasted is None else f", waited {format_duration(lasted)}"
    return about(f"{summary(verdict.members)}{waited}", verdict.api.display_name)


def summary(members: Members) -> str:
    """
    Return one line about the state of the jobs of a group.

    "7 of 12 done, 1 failed, 4 pending: 3 PROCESSING (41 to 96 %), 1 ANALYSING; 1,204 PU"

    :param members: the latest verdict on each job.
    """
    standing = GroupCounts.of(members)
    text = standing.as_text()
    if pending := _states(members, [*standing.waiting, *standing.late]):
        text += f": {pending}"
    jobs = [verdict.job for verdict in members.values() if verdict and verdict.job]
    cost = sum(job.cost_pu or 0.0 for job in jobs)
    return f"{text}; {format_cost(cost)}" if cost else text


def table(members: Members) -> str:
    """
    List jobs with status, percentage and cost: those that need attention first, and not more than fit.

    :param members: the latest verdict on each job.
    """
    standing = GroupCounts.of(members)
    ids = [*standing.failed, *standing.pending, *standing.done]
    rows = []
    for job_id in ids[:TABLE_ROWS]:
        verdict = members[job_id]
        job = verdict.job if verdict else None
        word = job.raw_status if job else "not seen"
        # Where the status alone does not say why the job did not end well.
        if job_id in standing.failed and verdict and verdict.outcome.value.upper() != word:
            word = f"{word}, {verdict.outcome.value.replace('_', ' ')}"
        percentage = "" if not job or job.completion_percentage is None else f"{job.completion_percentage:.0f} %"
        cost = "" if not job or job.cost_pu is None else format_cost(job.cost_pu)
        name = f"  {job.description}" if job and job.description else ""
        rows.append(f"{word:<13} {percentage:>5} {cost:>12}  {job_id}{name}")
    if left := len(ids) - len(rows):
        rows.append(f"and {left:,} more")
    return "\n".join(["Jobs:", *rows])


def _states(members: Members, ids: Iterable[str]) -> str:
    """Count the statuses of jobs: "3 PROCESSING (41 to 96 %), 1 ANALYSING"."""
    counts: Counter[str] = Counter()
    progress: dict[str, list[float]] = {}
    for job_id in ids:
        verdict = members[job_id]
        job = verdict.job if verdict else None
        word = (job.raw_status or "without a status") if job else "not seen yet"
        counts[word] += 1
        if job and job.completion_percentage is not None and word == "PROCESSING":
            progress.setdefault(word, []).append(job.completion_percentage)
    parts = []
    for word, count in counts.most_common():
        low, high = (f"{bound(progress[word]):.0f}" for bound in (min, max)) if word in progress else ("", "")
        shown = f" ({low} %)" if low == high else f" ({low} to {high} %)"
        parts.append(f"{count} {word}{shown if low else ''}")
    return ", ".join(parts)


def _named(ids: Iterable[str]) -> str:
    listed = list(ids)
    return ", ".join(listed[:_NAMED]) + (f" and {len(listed) - _NAMED} others" if len(listed) > _NAMED else "")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 3] + "..."
