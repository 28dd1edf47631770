"""
Progress log of a wait: few lines, each with something new.

Changes of status, progress at most every 5 points or 10 minutes, troubles when they begin, every 10 minutes and
when they end, and the verdict.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs import BatchApi, BatchJob, JobStatus, Outcome, UserAction, Verdict
from airflow_sentinelhub.jobs.formatting import format_cost, format_duration, format_time
from airflow_sentinelhub.jobs.json_record import JsonRecord
from airflow_sentinelhub.jobs.message import about, name_of, short_name_of
from airflow_sentinelhub.jobs.plain_text import cut, encodable

PROGRESS_STEP = 5.0
"""Points of percentage between two lines about progress."""

PROGRESS_INTERVAL = 600.0
"""Seconds after which a line is due even if nothing happened."""

LONGEST_LOG_LINE = 4000
"""Characters of a line in a task log at most."""

LogLine = Callable[[int, str], None]
"""Writes a line: its level (as in :mod:`logging`) and its text."""

log = logging.getLogger(__name__)


def harmless(say: LogLine) -> LogLine:
    """Return a log function that cleans its lines and never raises: a log that fails ends no wait."""

    def say_harmlessly(level: int, text: str) -> None:
        try:
            say(level, cut(encodable(text), LONGEST_LOG_LINE))
        except Exception as error:
            log.debug("A line of a task log could not be written.", exc_info=error)

    return say_harmlessly


@dataclass(frozen=True, slots=True)
class LogState(JsonRecord):
    """
    State of a progress log; times are seconds since 1970.

    :param state: status and user action.
    :param percentage: the last percentage.
    :param at: when the last line was written.
    :param progress_from: percentage when processing was first seen, from which the rate is taken.
    :param progress_since: when that was.
    :param trouble_since: when the current trouble began; 0: none.
    :param trouble_at: when it was last written about.
    """

    state: str = ""
    percentage: float | None = None
    at: float = 0.0
    progress_from: float | None = None
    progress_since: float = 0.0
    trouble_since: float = 0.0
    trouble_at: float = 0.0


class ProgressLog:
    """
    Tells one wait.

    :param api: the API of the job.
    :param job_id: the job.
    :param say: writes a line.
    :param told: what an earlier part of the same wait already said.
    """

    def __init__(self, api: BatchApi, job_id: str, say: LogLine, told: LogState | None = None) -> None:
        self._name = short_name_of(api, job_id)
        self._say = harmless(say)
        self.told = told or LogState()

    def log_job(self, job: BatchJob, now: float) -> None:
        """
        Log what is new about a job.

        :param job: the job as just seen.
        :param now: seconds since 1970.
        """
        told = self.told
        state = f"{job.raw_status} {job.user_action}" if job.status is JobStatus.CREATED else job.raw_status
        if job.status is not JobStatus.PROCESSING or job.completion_percentage is None:
            told = replace(told, progress_from=None)
        elif told.progress_from is None or job.completion_percentage < told.progress_from:
            told = replace(told, progress_from=job.completion_percentage, progress_since=now)
        moved = abs((job.completion_percentage or 0.0) - (told.percentage or 0.0)) >= PROGRESS_STEP
        if state != told.state or moved or now - told.at >= PROGRESS_INTERVAL:
            self._say(logging.INFO, about(_state_line(job, told, now), job.short_name))
            told = replace(told, state=state, percentage=job.completion_percentage, at=now)
        self.told = told

    def log_warning(self, verdict: Verdict, now: float) -> None:
        """Log a warning, where the rules say that it is time to."""
        if verdict.warn:
            self._say(logging.WARNING, verdict.message)
            self.told = replace(self.told, at=now)

    def log_outage(self, error: SentinelHubError, verdict: Verdict, until: float, now: float) -> None:
        """
        Log that the job cannot be read.

        :param error: why.
        :param verdict: what follows from it.
        :param until: when the wait would be given up, in seconds since 1970.
        :param now: seconds since 1970.
        """
        told = self.told
        since = told.trouble_since or now
        due = not told.trouble_since or now - told.trouble_at >= PROGRESS_INTERVAL
        if verdict.warn:
            self._say(logging.WARNING, about("Not seen for the moment", self._name, verdict.message))
        elif due:
            lasted = f"for {format_duration(now - since)} now" if told.trouble_since else "for the moment"
            waits = f"Not seen {lasted}, waiting on until {format_time(until, now)} at most"
            self._say(logging.WARNING, about(waits, self._name, as_sentence(error)))
        else:
            return
        self.told = replace(told, trouble_since=since, trouble_at=now)

    def log_recovery(self, now: float) -> None:
        """Log that the service answers again, if it did not."""
        if self.told.trouble_since:
            lasted = format_duration(now - self.told.trouble_since)
            self._say(logging.INFO, about(f"The service answers again, after {lasted}", self._name))
            self.told = replace(self.told, trouble_since=0.0, trouble_at=0.0)

    def log_verdict(self, verdict: Verdict) -> None:
        """
        Log the verdict.

        :param verdict: the decision.
        """
        if verdict.outcome is Outcome.DONE:
            self._say(logging.INFO, verdict_line(verdict))
        else:
            self._say(logging.ERROR, verdict.message)


def verdict_line(verdict: Verdict, lasted: float | None = None) -> str:
    """
    Return one line about the end of a wait.

    :param verdict: a final one.
    :param lasted: how long it took, in seconds, where the verdict does not say it.
    """
    if verdict.outcome is not Outcome.DONE:
        return verdict.message
    job = verdict.job
    said = [job.raw_status if job else "DONE"]
    if verdict.message:
        said.append(verdict.message)
    if job and job.cost_pu:
        said.append(format_cost(job.cost_pu))
    lasted = lasted if verdict.waited is None else verdict.waited
    if lasted is not None:
        said.append(f"waited {format_duration(lasted)}")
    words = [job.error] if job and job.error else []
    return about(", ".join(said), job.name if job else name_of(verdict.api, verdict.job_id), *words)


def _state_line(job: BatchJob, told: LogState, now: float) -> str:
    parts = [job.raw_status or "no status"]
    if job.status is JobStatus.PROCESSING and job.completion_percentage is not None:
        parts[0] += f" {job.completion_percentage:.0f} %"
    if job.status is JobStatus.CREATED and job.user_action not in (None, UserAction.NONE):
        parts.append(f"{job.user_action} was asked for")
    if job.cost_pu:
        parts.append(format_cost(job.cost_pu))
    rate, left = _pace(job, told, now)
    if rate is not None:
        a_minute = rate * 60
        parts.append(f"{a_minute:.0f} %/min" if a_minute >= 10 else f"{a_minute:.2g} %/min")
    if left is not None:
        parts.append(f"about {format_duration(left)} left")
    return ", ".join(parts)


def _pace(job: BatchJob, told: LogState, now: float) -> tuple[float | None, float | None]:
    """Percent a second, and seconds left at that rate."""
    if told.progress_from is None or job.completion_percentage is None:
        return None, None
    gained, took = job.completion_percentage - told.progress_from, now - told.progress_since
    if gained <= 0 or took <= 0:
        return None, None
    rate = gained / took
    return rate, max(0.0, 100.0 - job.completion_percentage) / rate


def as_sentence(error: SentinelHubError) -> str:
    """Return an error's text as a sentence."""
    text = str(error).strip()
    return text if text.endswith((".", "!", "?")) else text + "."
