"""The trigger that waits for a batch job without holding a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, Deadlines, Goal, Outcome, Policy, Verdict
from airflow_sentinelhub.triggers.result import push_result
from airflow_sentinelhub.triggers.watch import crashed, one_of_each, remembered, watch
from airflow_sentinelhub.watching import Terms, Wait

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig

SETTLING_TIME = 10.0
"""
Seconds that a task should stay deferred at least.

Airflow takes the end of the process that deferred for the end of the task if its report arrives after the trigger
has fired, and fails the task (apache/airflow #71580, #72716). The report takes up to
``[workers] min_heartbeat_interval`` (5 seconds), and then some.
"""

_LAST_LOOK = 30.0


class SentinelHubBatchTrigger(BaseTrigger):
    """
    Waits until a batch job is analysed or done, and fires one event with the verdict.

    All arguments are plain JSON without a secret, since Airflow stores them in clear. All times are seconds.
    Deadlines are absolute (seconds since 1970), so that a restart of the triggerer does not postpone them.
    It only watches: whatever happens to the trigger, the job is left alone.

    :param api: ``process``, ``statistical`` or ``process_v1``.
    :param goal: ``analysis`` or ``completion``.
    :param request_id: id of the job.
    :param sentinelhub_conn_id: the Airflow connection, read anew in the triggerer.
    :param poke_interval: between two looks at the job.
    :param analysis_poke_interval: the same during its analysis.
    :param slowest_poke_interval: the same at most, while the job hardly moves; ``None``: ``poke_interval``.
    :param started_at: when the wait began.
    :param timeout_at: when to give up, for good.
    :param execution_timeout_at: when to give up this attempt; ``None``: never.
    :param allow_partial: a PARTIAL job is good enough.
    :param start_grace: how long nobody needs to have started the job; ``None``: as long as it takes.
    :param stall_timeout: how long the job may show no change; ``None``: as long as it takes.
    :param outage_tolerance: for how long the service may give no usable answer.
    :param first_look_after: when to look for the first time.
    :param fire_not_before: when the event may be fired at the earliest, in seconds since 1970.
    :param end_from_trigger: when the job is done, end the task at once, without another start of a worker.
    :param do_xcom_push: whether the job is then pushed as what the task returns.
    :param max_cost_pu: processing units above which the job is given up; ``None``: any number.
    :param stops_at_timeout: whether the task stops the job when time is up; the trigger only says so.
    :param unknown: arguments of a newer version, which a row in the database may hold after a downgrade.
    """

    def __init__(
        self,
        *,
        api: str,
        goal: str,
        request_id: str,
        sentinelhub_conn_id: str,
        poke_interval: float,
        analysis_poke_interval: float,
        started_at: float,
        timeout_at: float,
        execution_timeout_at: float | None = None,
        allow_partial: bool = False,
        start_grace: float | None = 3600.0,
        stall_timeout: float | None = None,
        outage_tolerance: float = 6 * 3600.0,
        first_look_after: float = 0.0,
        fire_not_before: float = 0.0,
        slowest_poke_interval: float | None = None,
        end_from_trigger: bool = False,
        do_xcom_push: bool = True,
        max_cost_pu: float | None = None,
        stops_at_timeout: bool = False,
        **unknown: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.api = BatchApi(api)
        self.goal = Goal(goal)
        self.request_id = request_id
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.policy = one_of_each(
            Policy(
                poll_interval=poke_interval,
                analysis_poll_interval=analysis_poke_interval,
                allow_partial=allow_partial,
                start_grace=start_grace,
                stall_timeout=stall_timeout,
                outage_tolerance=outage_tolerance,
                slowest_poll_interval=slowest_poke_interval,
                max_cost_pu=max_cost_pu,
            )
        )
        self.deadlines = Deadlines(started_at, timeout_at, execution_timeout_at, stops_at_timeout)
        self.first_look_after = first_look_after
        self.fire_not_before = fire_not_before
        self.end_from_trigger = end_from_trigger
        self.do_xcom_push = do_xcom_push
        self.fired = False
        if unknown:
            self.log.debug("Arguments of another version are ignored: %s", ", ".join(unknown))

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what the triggerer needs to make this trigger again."""
        return (
            "airflow_sentinelhub.triggers.batch.SentinelHubBatchTrigger",
            {
                "api": self.api.value,
                "goal": self.goal.value,
                "request_id": self.request_id,
                "sentinelhub_conn_id": self.sentinelhub_conn_id,
                "poke_interval": self.policy.poll_interval,
                "analysis_poke_interval": self.policy.analysis_poll_interval,
                "started_at": self.deadlines.started_at,
                "timeout_at": self.deadlines.timeout_at,
                "execution_timeout_at": self.deadlines.execution_timeout_at,
                "allow_partial": self.policy.allow_partial,
                "start_grace": self.policy.start_grace,
                "stall_timeout": self.policy.stall_timeout,
                "outage_tolerance": self.policy.outage_tolerance,
                "first_look_after": self.first_look_after,
                "fire_not_before": self.fire_not_before,
                "slowest_poke_interval": self.policy.slowest_poll_interval,
                "end_from_trigger": self.end_from_trigger,
                "do_xcom_push": self.do_xcom_push,
                "max_cost_pu": self.policy.max_cost_pu,
                "stops_at_timeout": self.deadlines.stops_job,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the verdict."""
        try:
            verdict = await self._wait()
        except Exception as error:
            # A trigger that crashes would be taken for a timeout by Airflow's soft_fail and skip the task.
            self.log.exception("Waiting for %s job %s failed.", self.api.display_name, self.request_id)
            verdict = crashed(self.api, self.request_id, error)
        await asyncio.sleep(min(max(0.0, self.fire_not_before - time.time()), SETTLING_TIME))
        event = await self._event(verdict)
        self.fired = True
        # Nothing may be awaited after the event: Airflow would cancel it as if by a user.
        yield event

    async def _event(self, verdict: Verdict) -> TriggerEvent:
        # What did not end well is for a worker: only there do retries, skips and callbacks see the exception.
        # dag.test() gives a trigger no task, and takes every event for an ordinary one.
        ends_here = self.end_from_trigger and verdict.outcome is Outcome.DONE and self.task_instance is not None
        if ends_here and (not self.do_xcom_push or await push_result(self.task_instance, verdict.job, self.log)):
            return TaskSuccessEvent()
        return TriggerEvent(verdict.to_json())  # type: ignore[no-untyped-call]

    async def _wait(self) -> Verdict:
        terms = Terms(self.api, self.request_id, self.goal, self.policy, self.deadlines)
        wait = Wait(terms, self.log.log, stored=remembered(self.deadlines.started_at))
        try:
            # A look may hang, or queue for a thread: the deadline does not wait for it.
            async with asyncio.timeout(max(0.0, self.deadlines.first - time.time()) + _LAST_LOOK):
                verdict = await watch(wait, self._read_connection, self.first_look_after)
        except TimeoutError:
            verdict = wait.overdue()
        wait.tell_end(verdict, time.time())
        return verdict

    async def _read_connection(self) -> ClientConfig:
        # By a hook that is made for it: thousands of waits need none most of the time.
        return await SentinelHubHook(self.sentinelhub_conn_id).aget_config()
