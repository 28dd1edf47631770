"""A triggerer of Airflow 3.3 for the triggers of assets, without its processes and its database."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager, suppress


class Database:
    """What survives a triggerer: the events of the asset, and its state store."""

    def __init__(self):
        self.events = []
        self.values = {}

    @property
    def in_flight(self):
        """How many ends are noted as being told; ``None`` before anything is noted."""
        return sum(len(json.loads(value)["in_flight"]) for value in self.values.values()) if self.values else None

    @property
    def keys(self):
        """The ends that were fired, without the jobs' ids."""
        return [event["event"]["key"].split()[1] for event in self.events]


class StateStore:
    """What Airflow gives a trigger: for each asset by its name."""

    def __init__(self, *databases):
        self._by_name = {f"asset {number}": _Accessor(each) for number, each in enumerate(databases)}


class _Accessor:
    def __init__(self, database):
        self._database = database

    async def aget(self, key, default=None):
        await asyncio.sleep(0)
        return json.loads(self._database.values.get(key, json.dumps(default)))

    async def aset(self, key, value):
        await asyncio.sleep(0)
        self._database.values[key] = json.dumps(value)


@asynccontextmanager
async def running(trigger, database, *, stores_after=1.0, confirms_after=1.0):
    """
    Run a trigger as Airflow's TriggerRunner does, and kill it at the end.

    :param stores_after: seconds until an event is in the database.
    :param confirms_after: seconds after that until the runner hears of it.
    """
    from airflow.triggers.shared_stream import SharedStreamManager  # Airflow 3.3

    manager = SharedStreamManager()
    trigger.asset_state_store = StateStore(database)
    under_way = set()

    async def store(event, seq):
        await asyncio.sleep(stores_after)
        database.events.append(json.loads(json.dumps(event.payload)))
        await asyncio.sleep(confirms_after)
        manager.confirm_persisted([seq])

    async def run():
        key = trigger.shared_stream_key()
        stream = manager.subscribe(trigger_id=1, trigger=trigger, key=key)
        try:
            async with aclosing(trigger.filter_shared_stream(stream)) as events:
                async for event in events:
                    seq = manager.bind_pending_event(trigger_id=1, key=key)
                    task = asyncio.create_task(store(event, seq))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
        finally:
            await manager.unsubscribe(1, key)
            await trigger.cleanup()

    task = asyncio.create_task(run())
    try:
        yield task
    finally:
        for each in [task, *under_way]:
            each.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.gather(*under_way, return_exceptions=True)
        await manager.stop_all()
