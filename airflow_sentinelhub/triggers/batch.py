"""The trigger that waits for a batch job without holding a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import TaskSuccessEvent, TriggerEvent

from airflow_sentinelhub import clock
from airflow_sentinelhub.jobs import Outcome, Verdict, WaitGoal
from airflow_sentinelhub.triggers.poller_client import initial_state, internal_error_verdict, log_crash, watch
from airflow_sentinelhub.triggers.wait import FINAL_POLL_TIMEOUT, SentinelHubBaseTrigger, safe_event
from airflow_sentinelhub.triggers.xcom import push_result
from airflow_sentinelhub.waits.wait import Wait, WaitSpec


class SentinelHubBatchTrigger(SentinelHubBaseTrigger):
    """
    Waits until a batch job is analysed or done, and fires one event with the verdict.

    It only watches: whatever happens to the trigger, the job is left alone.

    :param goal: ``analysis`` or ``completion``.
    :param request_id: id of the job.
    :param first_poll_after: when to poll for the first time.
    :param end_from_trigger: when the job is done, end the task at once, without another start of a worker.
    :param do_xcom_push: whether the job is then pushed as what the task returns.
    :param unknown: arguments of a newer version. All others are those of
        :class:`~airflow_sentinelhub.triggers.wait.SentinelHubBaseTrigger`.
    """

    def __init__(
        self,
        *,
        api: str,
        sentinelhub_conn_id: str,
        policy: Mapping[str, Any],
        deadlines: Mapping[str, Any],
        goal: str,
        request_id: str,
        start_grace: float | None = 3600.0,
        stall_timeout: float | None = None,
        outage_tolerance: float = 6 * 3600.0,
        max_cost_pu: float | None = None,
        fire_not_before: float = 0.0,
        first_poll_after: float = 0.0,
        end_from_trigger: bool = False,
        do_xcom_push: bool = True,
        **unknown: Any,
    ) -> None:
        super().__init__(
            api=api,
            sentinelhub_conn_id=sentinelhub_conn_id,
            policy=policy,
            deadlines=deadlines,
            start_grace=start_grace,
            stall_timeout=stall_timeout,
            outage_tolerance=outage_tolerance,
            max_cost_pu=max_cost_pu,
            fire_not_before=fire_not_before,
            **unknown,
        )
        self.goal = WaitGoal(goal)
        self.request_id = request_id
        self.first_poll_after = first_poll_after
        self.end_from_trigger = end_from_trigger
        self.do_xcom_push = do_xcom_push
        self.fired = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return (
            "airflow_sentinelhub.triggers.batch.SentinelHubBatchTrigger",
            {
                **self.stored(),
                "goal": self.goal.value,
                "request_id": self.request_id,
                "first_poll_after": self.first_poll_after,
                "end_from_trigger": self.end_from_trigger,
                "do_xcom_push": self.do_xcom_push,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the verdict."""
        try:
            verdict = await self._wait()
        except Exception as error:
            # A trigger that crashes would be taken for a timeout by Airflow's soft_fail and skip the task.
            log_crash(self.log, f"Waiting for {self.api.display_name} job {self.request_id} failed.", error)
            verdict = internal_error_verdict(self.api, self.request_id, error)
        await self.wait_until_fire_time()
        try:
            event = await self._event(verdict)
        except Exception as error:
            event = safe_event(internal_error_verdict(self.api, self.request_id, error).to_json())
        self.fired = True
        # Nothing may be awaited after the event: Airflow would cancel it as if by a user.
        yield event

    async def _event(self, verdict: Verdict) -> TriggerEvent:
        # What did not end well is for a worker: only there do retries, skips and callbacks see the exception.
        # dag.test() gives a trigger no task, and takes every event for an ordinary one.
        ends_here = self.end_from_trigger and verdict.outcome is Outcome.DONE and self.task_instance is not None
        if ends_here and (not self.do_xcom_push or await push_result(self.task_instance, verdict.job, self.log)):
            return TaskSuccessEvent()
        return safe_event(verdict.to_json())

    async def _wait(self) -> Verdict:
        terms = WaitSpec(self.api, self.request_id, self.goal, self.policy, self.deadlines)
        wait = Wait(terms, self.log.log, stored=initial_state(self.deadlines.started_at))
        try:
            # A poll may hang, or queue for a thread: the deadline does not wait for it.
            async with asyncio.timeout(max(0.0, self.deadlines.first - clock.now()) + FINAL_POLL_TIMEOUT):
                verdict = await watch(wait, self.read_connection, self.first_poll_after)
        except TimeoutError:
            verdict = wait.timeout_verdict()
        return wait.finish(verdict, clock.now())
