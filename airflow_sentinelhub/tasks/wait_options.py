"""Options of a wait: what its task was given, and the policy and deadlines that follow from it."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol

from airflow_sentinelhub import clock
from airflow_sentinelhub.jobs import Deadlines, WaitPolicy
from airflow_sentinelhub.jobs.formatting import format_duration, format_time
from airflow_sentinelhub.jobs.intervals import SHORTEST_INTERVAL
from airflow_sentinelhub.waits.progress_log import LogLine

LONGEST_INTERVAL = math.inf
"""Seconds that it never goes above: the tests of a DAG set this, so that none waits as long as its DAG does."""

_MAX_SLOWDOWN = 3
_DEFER_TIMEOUT_MARGIN = 180.0
_WORKER_MARGIN = 3.0


class WaitingTask(Protocol):
    """Task that waits for jobs, with the arguments that all such tasks have."""

    poke_interval: float
    timeout: float
    execution_timeout: timedelta | None
    deferrable: bool
    may_slow_down: bool

    @property
    def start_grace(self) -> Any:
        """How long a job may rest because it was not started."""

    @property
    def stall_timeout(self) -> Any:
        """How long a job may show no change."""

    @property
    def outage_tolerance(self) -> Any:
        """For how long the service may give no usable answer."""


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """
    Options of a wait.

    :param policy: intervals, grace periods and tolerances as they were given.
    :param timeout: seconds that the wait may take.
    :param execution_timeout: how long the attempt may take; ``None``: any time.
    :param deferrable: whether the triggerer waits.
    :param may_slow_down: whether a job that hardly moves is polled less often.
    """

    policy: WaitPolicy
    timeout: float
    execution_timeout: timedelta | None
    deferrable: bool
    may_slow_down: bool = False

    @classmethod
    def of(
        cls, task: WaitingTask, *, analysis_poke_interval: float | None = None, allow_partial: bool = False
    ) -> WaitOptions:
        """
        Return the options that a task was given.

        :param task: the task.
        :param analysis_poke_interval: seconds between two polls during the analysis; default: as ever.
        :param allow_partial: whether a PARTIAL job is taken for done.
        """
        analysis = task.poke_interval if analysis_poke_interval is None else analysis_poke_interval
        policy = WaitPolicy(
            poke_interval=task.poke_interval,
            analysis_poke_interval=analysis,
            allow_partial=allow_partial,
            start_grace=task.start_grace,
            stall_timeout=task.stall_timeout,
            outage_tolerance=task.outage_tolerance,
        )
        return cls(policy, task.timeout, task.execution_timeout, task.deferrable, task.may_slow_down)

    def policy_for(self, *, is_local: bool) -> WaitPolicy:
        """
        Return how often to poll.

        :param is_local: whether the service is on this machine, and may be asked as often as one likes.
        """
        floor = 0.0 if is_local else SHORTEST_INTERVAL
        poke_interval, analysis = (
            min(max(floor, interval), LONGEST_INTERVAL)
            for interval in (self.policy.poke_interval, self.policy.analysis_poke_interval)
        )
        return replace(
            self.policy,
            poke_interval=poke_interval,
            analysis_poke_interval=analysis,
            slowest_poke_interval=_MAX_SLOWDOWN * poke_interval if self.may_slow_down else None,
        )

    def deadlines(self, started_at: float, *, stops_job: bool = False) -> Deadlines:
        """
        Return until when to wait.

        :param started_at: when the wait began, in seconds since 1970.
        :param stops_job: whether the job is stopped then.
        """
        execution_timeout_at = None
        if self.execution_timeout is not None:
            # On a worker Airflow interrupts the task at that moment; the clear message has to come before.
            allowed = self.execution_timeout.total_seconds()
            margin = 0.0 if self.deferrable else min(_WORKER_MARGIN, allowed / 10)
            execution_timeout_at = clock.now() + allowed - margin
        return Deadlines(started_at, started_at + self.timeout, execution_timeout_at, stops_job)

    def log_start(self, say: LogLine, awaited: str, policy: WaitPolicy, deadlines: Deadlines) -> None:
        """
        Log what is waited for, how often it is polled, and until when.

        :param say: writes a line into the log.
        :param awaited: what is waited for, as a line.
        """
        say(logging.INFO, awaited)
        for name in ("poke_interval", "analysis_poke_interval"):
            asked, used = getattr(self.policy, name), getattr(policy, name)
            if used != asked and not (name.startswith("analysis") and asked == self.policy.poke_interval):
                change = "raised" if used > asked else "lowered"
                say(logging.INFO, f"{name} is {change} from {asked:g} s to {used:g} s.")
        often = f"every {format_duration(policy.poke_interval)}"
        if policy.analysis_poke_interval != policy.poke_interval:
            often += f" ({format_duration(policy.analysis_poke_interval)} during its analysis)"
        if policy.slowest_poke_interval is not None:
            often += f", {format_duration(policy.slowest_poke_interval)} at most while nothing changes"
        until = format_time(deadlines.first, deadlines.started_at)
        say(logging.INFO, f"Polls {often}, until {until} at most.")
        if self.deferrable:
            say(logging.INFO, "Holds no worker meanwhile. Needs a running triggerer.")


def backstop(policy: WaitPolicy, ends_at: float) -> timedelta:
    """
    Return Airflow's own timeout, longer than the deadline of the wait: only a verdict says what was waited for.

    :param ends_at: the deadline of the wait, in seconds since 1970.
    """
    left = max(0.0, ends_at - clock.now())
    return timedelta(seconds=left + 2 * policy.poke_interval + _DEFER_TIMEOUT_MARGIN)
