"""The trigger that waits for many batch jobs without holding a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import (
    GroupVerdict,
    Quorum,
    Until,
    group_error,
)
from airflow_sentinelhub.triggers.poller_client import (
    initial_state,
    internal_error_verdict,
    log_crash,
    summary,
    watch,
)
from airflow_sentinelhub.triggers.wait import FINAL_POLL_TIMEOUT, SentinelHubBaseTrigger, safe_event
from airflow_sentinelhub.waits.group_wait import GroupWait, GroupWaitSpec

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig

COALESCE_WINDOW = 1.0
"""Seconds for which what comes of one page of the list is taken in together."""

_FIRST_WORD = 10.0
_LONGEST_SILENCE = 60.0


class SentinelHubBatchGroupTrigger(SentinelHubBaseTrigger):
    """
    Waits until all, any or so many of some batch jobs are done, and fires one event with the verdict.

    Each job is watched as :class:`~airflow_sentinelhub.triggers.batch.SentinelHubBatchTrigger` does it, through
    the poller that all waits of the account share. The event carries ids and statuses, and no job. It only
    watches: whatever happens to the trigger, the jobs are left alone.

    :param request_ids: ids of the jobs, each once.
    :param until: ``all``, ``any``, or how many have to be done.
    :param fail_fast: with ``all``, give up with the first job that ends badly.
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
        request_ids: list[str],
        until: Until = "all",
        fail_fast: bool = True,
        start_grace: float | None = 3600.0,
        stall_timeout: float | None = None,
        outage_tolerance: float = 6 * 3600.0,
        max_cost_pu: float | None = None,
        fire_not_before: float = 0.0,
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
        self.request_ids = list(request_ids)
        self.quorum = Quorum(until, fail_fast)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return (
            "airflow_sentinelhub.triggers.group.SentinelHubBatchGroupTrigger",
            {
                **self.stored(),
                "request_ids": list(self.request_ids),
                "until": self.quorum.until,
                "fail_fast": self.quorum.fail_fast,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the verdict."""
        try:
            verdict = await self._wait()
        except Exception as error:
            # A trigger that crashes would be taken for a timeout by Airflow's soft_fail and skip the task.
            what = f"Waiting for {len(self.request_ids)} {self.api.display_name} jobs failed."
            log_crash(self.log, what, error)
            verdict = group_error(self.request_ids, self.api, summary(error))
        await self.wait_until_fire_time()
        event = safe_event(verdict.to_json())
        # Nothing may be awaited after the event: Airflow would cancel it as if by a user.
        yield event

    async def _wait(self) -> GroupVerdict:
        terms = GroupWaitSpec(self.api, self.request_ids, self.quorum, self.policy, self.deadlines)
        group = GroupWait(terms, self.log.log, stored=initial_state(self.deadlines.started_at))
        try:
            # A poll may hang, or queue for a thread: the deadline does not wait for it.
            async with asyncio.timeout(max(0.0, self.deadlines.first - clock.now()) + FINAL_POLL_TIMEOUT):
                await self._watch(group)
        except TimeoutError:
            group.timeout_verdict(clock.now())
        return group.finish(group.verdict(), clock.now())

    async def _watch(self, group: GroupWait) -> None:
        """Watch all jobs until enough is known of them."""
        connection = _SharedConnection(SentinelHubHook(self.sentinelhub_conn_id))
        one_ended = asyncio.Event()
        watching = [
            asyncio.create_task(self._watch_one(group, job_id, connection, one_ended)) for job_id in group.pending
        ]
        timeout = _FIRST_WORD
        try:
            while not group.verdict().is_final:
                try:
                    async with asyncio.timeout(timeout):
                        await one_ended.wait()
                except TimeoutError:
                    pass
                one_ended.clear()
                timeout = _LONGEST_SILENCE
                # Those that come with the same page of the list count as well.
                await asyncio.sleep(COALESCE_WINDOW)
                if not group.verdict().is_final:  # else the verdict says it
                    group.tell(clock.now())
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    async def _watch_one(
        self, group: GroupWait, job_id: str, connection: _SharedConnection, ended: asyncio.Event
    ) -> None:
        try:
            verdict = await watch(group.waits[job_id], connection.read, 0.0)
        except Exception as error:
            log_crash(self.log, f"Waiting for {self.api.display_name} job {job_id} failed.", error)
            verdict = internal_error_verdict(self.api, job_id, error)
        try:
            group.end(verdict, clock.now())
        finally:
            ended.set()


class _SharedConnection:
    """
    Reads an Airflow connection once for all that want it at about the same time.

    :param hook: the hook of the connection.
    """

    def __init__(self, hook: SentinelHubHook) -> None:
        self._hook = hook
        self._reading = asyncio.Lock()
        self._began = float("-inf")
        self._read: ClientConfig | SentinelHubError | None = None

    async def read(self) -> ClientConfig:
        """
        Return the connection as it is now: read after this was called.

        :raises SentinelHubError: it cannot be read, or makes no sense.
        """
        loop = asyncio.get_running_loop()
        wanted = loop.time()
        async with self._reading:
            if self._read is None or self._began < wanted:
                began = loop.time()
                try:
                    self._read = await self._hook.aget_config()
                except SentinelHubError as error:
                    self._read = error
                self._began = began  # now that it was read: a cancelled wait leaves what was there
            read = self._read
        if isinstance(read, SentinelHubError):
            raise read
        return read
