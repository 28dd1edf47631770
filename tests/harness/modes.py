"""
Runs a sensor to its end in each mode in which Airflow can run it.

It waits on the clock of sensors and triggers: in virtual time (fixture ``virtual_emulator``) a day costs no time.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

from airflow_sentinelhub import clock
from tests.harness import virtual_time
from tests.harness.task_runner import Ended, ExecutionApi, deferred_to, run
from tests.harness.versions import AIRFLOW

T = TypeVar("T")

MODES = {
    "deferred": {"deferrable": True},
    "poke": {"deferrable": False, "mode": "poke"},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "reschedule below 3.3": {"deferrable": False, "mode": "reschedule"},
}
if AIRFLOW < (3, 3):
    del MODES["reschedule"]  # there is only the other one


def run_to_the_end(make_sensor: Any, mode: str, **arguments: Any) -> Ended:
    """
    Run a sensor until it succeeds, fails or is skipped.

    :param make_sensor: gives a new sensor, as Airflow does in each process.
    :param mode: a key of ``MODES``.
    """
    api, lines = ExecutionApi(), []
    for _ in range(500):
        sensor = make_sensor(**arguments, **MODES[mode])
        if mode == "reschedule below 3.3":
            forget_the_state_store(sensor)
        ended = run(sensor, api)
        lines += ended.lines
        ended.lines = lines
        if ended.state == "deferred":
            event, trigger_lines = fire(ended)
            lines += trigger_lines
            api.next_method, api.next_kwargs = "execute_complete", {**deferred_to(ended)[2], "event": event}
        elif ended.state == "up_for_reschedule":
            api.first_reschedule = api.first_reschedule or datetime.fromtimestamp(clock.now(), UTC)
            # Airflow wipes XComs before it starts a rescheduled task again.
            api.xcoms.clear()
            clock.sleep(max(0.0, ended.message.reschedule_date.timestamp() - clock.now()))
        else:
            return ended
    raise AssertionError("the wait goes on and on")


def fire(ended: Ended) -> tuple[Any, list[dict[str, Any]]]:
    """Run the trigger that a task deferred to, as the triggerer makes it; give its event and its log."""
    import structlog

    classpath, kwargs, _ = deferred_to(ended)
    assert classpath.startswith("airflow_sentinelhub.triggers.")
    module, _, name = classpath.rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**kwargs)

    async def first_event() -> Any:
        events = [event async for event in trigger.run()]
        assert len(events) == 1
        return events[0].payload

    with structlog.testing.capture_logs() as lines:
        event = run_in_event_loop(first_event())
    return event, list(lines)


def forget_the_state_store(sensor: Any) -> None:
    """Take away what Airflow below 3.3 does not have."""
    execute = sensor.execute

    def without_store(context: Any) -> Any:
        context.pop("task_state_store", None)
        return execute(context)

    object.__setattr__(sensor, "execute", without_store)


def run_in_event_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time if that has replaced the clock, otherwise in real time."""
    if isinstance(clock._clock, virtual_time.VirtualTime):
        return virtual_time.run(coroutine, clock._clock)
    return asyncio.run(coroutine)
