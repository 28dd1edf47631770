"""Base of the triggers that wait for batch jobs, and how their arguments are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_sentinelhub import clock
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, Deadlines, WaitPolicy
from airflow_sentinelhub.jobs.untrusted_json import DOCUMENT, clean
from airflow_sentinelhub.triggers.poller_client import intern

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig

MIN_DEFERRAL = 10.0
"""
Seconds that a task should stay deferred at least.

If the report of the end of the process that deferred arrives after the trigger has fired, Airflow fails the task
(apache/airflow #71580, #72716). The report takes up to ``[workers] min_heartbeat_interval`` (5 seconds), and a
little more.
"""

FINAL_POLL_TIMEOUT = 30.0
"""Seconds beyond the deadline for which a poll may take that is under way then."""


def safe_event(payload: dict[str, Any]) -> TriggerEvent:
    """
    Return what a trigger yields: an event that Airflow can encode, whatever the service sent.

    What cannot be encoded raises outside of every handler and ends the triggerer's process, and again after each
    restart. The payload was cleaned when it was read; this is the last line of defence.

    :param payload: plain JSON.
    """
    return TriggerEvent(clean(payload, redact=None, limits=DOCUMENT))  # type: ignore[no-untyped-call]


def wait_kwargs(policy: WaitPolicy, deadlines: Deadlines) -> dict[str, Any]:
    """
    Return what a wait does and when it ends as arguments of :class:`SentinelHubBaseTrigger`.

    What an operator takes from a template stays at the top, under the operator's name: when a task starts from its
    trigger, Airflow renders nothing that lies deeper.

    :param policy: how often to poll and how patient to be.
    :param deadlines: when to give up.
    """
    return {
        "policy": {name: getattr(policy, name) for name in _IN_POLICY},
        "deadlines": deadlines.to_json(),
        **{name: getattr(policy, name) for name in _TEMPLATED},
    }


_IN_POLICY = ("poke_interval", "analysis_poke_interval", "slowest_poke_interval", "allow_partial")
_TEMPLATED = ("start_grace", "stall_timeout", "outage_tolerance", "max_cost_pu")


class SentinelHubBaseTrigger(BaseTrigger):
    """
    Waits for batch jobs; its subclasses say for which, and fire one event with the verdict.

    All arguments are plain JSON without a secret, since Airflow stores them in clear. All times are seconds.
    Deadlines are absolute (seconds since 1970), so that a restart of the triggerer does not postpone them.

    :param api: ``process``, ``statistical`` or ``process_v1``.
    :param sentinelhub_conn_id: the Airflow connection, read anew in the triggerer.
    :param policy: ``poke_interval`` and ``analysis_poke_interval`` between two polls of a job;
        ``slowest_poke_interval`` at most, while the job hardly moves; ``allow_partial``, whether a PARTIAL job is
        good enough.
    :param deadlines: ``started_at``; ``timeout_at``, when to give up for good; ``execution_timeout_at``, when to
        give up this attempt; ``stops_job``, whether the task stops the job then, which the trigger only says.
    :param start_grace: how long a job need not have been started; ``None``: as long as it takes.
    :param stall_timeout: how long a job may show no change; ``None``: as long as it takes.
    :param outage_tolerance: for how long the service may give no usable answer.
    :param max_cost_pu: processing units above which a job is given up; ``None``: any number.
    :param fire_not_before: when the event may be fired at the earliest, in seconds since 1970.
    :param unknown: arguments of a newer version, which a row in the database may hold after a downgrade.
    """

    def __init__(
        self,
        *,
        api: str,
        sentinelhub_conn_id: str,
        policy: Mapping[str, Any],
        deadlines: Mapping[str, Any],
        start_grace: float | None = 3600.0,
        stall_timeout: float | None = None,
        outage_tolerance: float = 6 * 3600.0,
        max_cost_pu: float | None = None,
        fire_not_before: float = 0.0,
        **unknown: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.api = BatchApi(api)
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.policy = intern(
            WaitPolicy(
                **{name: policy[name] for name in _IN_POLICY if name in policy},
                start_grace=start_grace,
                stall_timeout=stall_timeout,
                outage_tolerance=outage_tolerance,
                max_cost_pu=max_cost_pu,
            )
        )
        self.deadlines = Deadlines.from_json(deadlines)
        self.fire_not_before = fire_not_before
        if unknown:
            self.log.debug("Arguments of another version are ignored: %s", ", ".join(unknown))

    def stored(self) -> dict[str, Any]:
        """Return the arguments that all waits have."""
        return {
            "api": self.api.value,
            "sentinelhub_conn_id": self.sentinelhub_conn_id,
            **wait_kwargs(self.policy, self.deadlines),
            "fire_not_before": self.fire_not_before,
        }

    async def wait_until_fire_time(self) -> None:
        """Wait until the event may be fired."""
        await asyncio.sleep(min(max(0.0, self.fire_not_before - clock.now()), MIN_DEFERRAL))

    async def read_connection(self) -> ClientConfig:
        """Read the connection, by a hook that is made for it: thousands of waits need none most of the time."""
        return await SentinelHubHook(self.sentinelhub_conn_id).aget_config()
