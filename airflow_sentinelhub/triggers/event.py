"""Event trigger: starts DAGs when batch jobs end, also jobs that Airflow did not start."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import uuid
from collections.abc import AsyncIterator, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, read_filter
from airflow_sentinelhub.jobs.formatting import format_duration
from airflow_sentinelhub.jobs.intervals import to_seconds_required
from airflow_sentinelhub.jobs.restart_lock import parse_timestamp
from airflow_sentinelhub.triggers.asset_store import AssetCursorStore
from airflow_sentinelhub.triggers.poller_client import follow, log_crash
from airflow_sentinelhub.triggers.wait import safe_event
from airflow_sentinelhub.waits.completion_watch import (
    CompletionWatch,
    CompletionWatchSpec,
    Emit,
)
from airflow_sentinelhub.waits.cursor_store import CursorStore, InMemoryCursorStore

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import SharedStreamProducer

MIN_EVENT_SPACING = 10.0
"""
Seconds between the last event that is fired and the one before it.

Of events that come within one turn of the scheduler, Airflow 3.3 starts a run for the first alone, and the others
wait until another event comes (apache/airflow #54659). That one takes all of them along.
"""

_AFTER_A_CRASH = 60.0


class SentinelHubBatchEventTrigger(BaseEventTrigger):
    """
    Fires once for each end of a batch job, also of one that was started outside Airflow.

    It is made for Airflow's ``AssetWatcher``, which starts DAGs. A job that was stopped, or is PARTIAL, and is
    started again fires again at its next end. STOPPED and PARTIAL count when they are read a second time, a
    ``poll_interval`` later, as they may not last.

    The event's payload is the job as the service describes it, without its request, and under ``event``
    the ``api``, a ``key`` that names this end of this job, and ``may_be_repeated``: when the triggerer is killed
    in the seconds in which Airflow takes an event, it comes again after the restart, and this is true.

    With Airflow 3.3, what was fired is kept in the state store of the asset, so that ends which come while no
    triggerer runs are fired when one does. Below 3.3 they are not.

    :param api: ``process`` (default), ``statistical`` or ``process_v1``.
    :param sentinelhub_conn_id: the Airflow connection, read anew in the triggerer.
    :param statuses: the final statuses that count, one or several: of ``DONE``, ``FAILED``, ``STOPPED``
        (not v1), ``PARTIAL`` (statistical, v1) and ``CANCELED`` (v1). Default ``None``: every end.
    :param description: a text that the job's description contains; case matters. Default ``None``: any.
    :param description_pattern: a regular expression that is found in the description. Default ``None``: any.
    :param request_ids: the jobs, as a list of ids or jobs. Default ``None``: all jobs of the account.
    :param poll_interval: between two polls of the list of jobs, in seconds or as a ``timedelta``; never less than
        5 s, except on this machine.
    :param since: at its first poll ever, the trigger also fires for jobs that have ended already, if they were
        created from then on: a ``datetime`` with a time zone, or its ISO text. Default ``None``: for none of them.
        Without effect below Airflow 3.3.
    :raises ValueError: an argument makes no sense, or the filters can never match.
    :raises InvalidRequestId: an id is none.
    """

    def __init__(
        self,
        *,
        api: str = "process",
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        statuses: Sequence[str] | str | None = None,
        description: str | None = None,
        description_pattern: str | None = None,
        request_ids: Any = None,
        poll_interval: timedelta | float = 60.0,
        since: datetime | str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.api = BatchApi(api)
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.filter = read_filter(self.api, statuses, description, description_pattern, request_ids)
        self.poll_interval = to_seconds_required("poll_interval", poll_interval)
        if not 0 < self.poll_interval < math.inf:
            raise ValueError(f"poll_interval must be more than 0 s and finite; it is {self.poll_interval:g}")
        self.since = _moment(since)
        self._run_id = uuid.uuid4().hex
        self._watching: asyncio.Task[None] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again; Airflow compares triggers by it."""
        return (
            "airflow_sentinelhub.triggers.event.SentinelHubBatchEventTrigger",
            {**self._identity, "poll_interval": self.poll_interval, "since": self.since},
        )

    @property
    def _identity(self) -> dict[str, Any]:
        """The filter of this trigger. A cursor that was stored under another identity does not count."""
        ids = self.filter.request_ids
        return {
            "api": self.api.value,
            "sentinelhub_conn_id": self.sentinelhub_conn_id,
            "statuses": [status.value for status in self.filter.statuses],
            "description": self.filter.description,
            "description_pattern": self.filter.pattern.pattern if self.filter.pattern else None,
            "request_ids": None if ids is None else list(ids),
        }

    @property
    def cursor_key(self) -> str:
        """Under which name the state store of the asset keeps what was fired."""
        identity = json.dumps(self._identity, sort_keys=True)
        return f"sentinelhub_cursor_{hashlib.sha256(identity.encode()).hexdigest()[:16]}"

    def shared_stream_key(self) -> Hashable | None:
        """Ask Airflow 3.3 for a stream of this trigger's own, which tells when its events are stored."""
        if getattr(self, "asset_state_store", None) is None:
            return None
        return "SentinelHubBatchEventTrigger", self._run_id

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:  # noqa: ARG003
        """Make what hands events over; which they are does not matter to it."""
        from airflow_sentinelhub.triggers.event_ack import EventAcknowledger  # Airflow 3.3

        return EventAcknowledger()

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire for each end, and note it when Airflow has stored the event."""
        acknowledger = await anext(shared_stream)
        store = AssetCursorStore(self.asset_state_store, self.cursor_key)
        self._watching = asyncio.create_task(self._watch(store, acknowledger.hand_over))
        try:
            async for events in shared_stream:
                for event in events:
                    yield safe_event(event)
        finally:
            await self.cleanup()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire for each end, where Airflow offers no place to note it."""
        self.log.warning(
            "This Airflow keeps nothing for the triggers of assets (3.3 does): jobs that end while no triggerer "
            "runs start no DAG, and since has no effect."
        )
        self.since = None
        outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def tell(events: Sequence[dict[str, Any]]) -> None:
            for event in events:
                outgoing.put_nowait(event)

        self._watching = asyncio.create_task(self._watch(InMemoryCursorStore(), tell))
        try:
            while True:
                event = await outgoing.get()
                yield safe_event(event)
        finally:
            await self.cleanup()

    async def cleanup(self) -> None:
        """Stop looking."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, store: CursorStore, tell: Emit) -> None:
        terms = CompletionWatchSpec(
            self.api, self.filter, self.poll_interval, parse_timestamp(self.since), MIN_EVENT_SPACING
        )
        self.log.info(
            "Looking every %s for ends of %s jobs (connection %r).",
            format_duration(self.poll_interval),
            self.api.display_name,
            self.sentinelhub_conn_id,
        )
        while True:
            watch = CompletionWatch(terms, store, tell, self.log.log, writer=self._run_id)
            try:
                await follow(watch, SentinelHubHook(self.sentinelhub_conn_id).aget_config)
            except Exception as error:
                # An AssetWatcher that ends is started again at once, and again, so it goes on by itself.
                log_crash(self.log, f"Looking for ends of {self.api.display_name} jobs failed; it goes on.", error)
            await asyncio.sleep(_AFTER_A_CRASH)


def _moment(since: datetime | str | None) -> str | None:
    if since is None:
        return None
    try:
        moment = datetime.fromisoformat(since) if isinstance(since, str) else since
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).isoformat()
    except (ValueError, TypeError, AttributeError):
        pass
    raise ValueError(
        "since must be a datetime with a time zone, or its ISO text such as 2026-01-01T00:00:00+00:00; it is "
        f"{since!r}"
    )
