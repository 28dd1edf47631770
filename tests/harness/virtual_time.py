"""
Time that jumps to the next event instead of passing, so that days cost milliseconds.

:class:`VirtualTime` is the clock, for everything that asks for the time. :class:`VirtualLoop` is an event loop on
it: its time stands still while a coroutine is ready or a thread works for it, so HTTP takes none, and jumps to the
next timer otherwise. So the order of events is the same in each run, however fast the machine is.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import threading
import time as real_time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from airflow_sentinelhub import clock

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""When virtual time begins, in seconds since 1970."""

_LONGEST_CALL = 300.0
"""Real seconds after which a thread that does not return is an error. No test's verdict depends on it."""

_NOT_BEFORE_ANOTHER_LOOK = 0.02


class VirtualTime:
    """
    A clock that passes only by :meth:`sleep`, and with the timers of a :class:`VirtualLoop`.

    It is a :class:`airflow_sentinelhub.clock.Clock`, and a source of seconds for an emulator.

    :param start: seconds since 1970 at its beginning.
    :param hanging: gives how many calls are under way in threads that get no answer, so that time need not stand
        still for them.
    """

    def __init__(self, start: float = START, hanging: Callable[[], int] = lambda: 0) -> None:
        self.start = start
        self.hanging = hanging
        self.is_unanswered: Callable[[], bool] = lambda: False
        """Return whether a thread that :meth:`wait` waits for never gets its answer."""
        self.pauses: list[float] = []
        """What was slept in threads, in order."""
        self._passed = 0.0

    def now(self) -> float:
        """Return the present, in seconds since 1970."""
        return self.start + self._passed

    def monotonic(self) -> float:
        """Return the seconds since the beginning."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Let time jump, and return at once."""
        self.pauses.append(seconds)
        self.advance(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let a thread work, in no time; only for one that gets no answer does time jump to its end."""
        began = real_time.monotonic()
        while not event.wait(_NOT_BEFORE_ANOTHER_LOOK):
            if self.is_unanswered():
                self.advance(seconds)
                return False
            assert real_time.monotonic() - began < _LONGEST_CALL, "a thread does not return"
        return True

    def advance(self, seconds: float) -> None:
        """Let time jump, without a note of it."""
        self._passed += max(0.0, seconds)

    def begin_anew(self) -> None:
        """Go back to the beginning."""
        self._passed = 0.0
        self.is_unanswered = lambda: False
        self.pauses.clear()


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Lets virtual time jump instead of waiting, unless a thread works for the loop."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time
        self.under_way = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        began = real_time.monotonic()
        while self.under_way and (timeout is None or timeout > 0):
            # Something is heard of as soon as a call returns; whether the others hang, only now and then.
            if events := super().select(_NOT_BEFORE_ANOTHER_LOOK):
                return events
            if timeout is not None and self.under_way <= self._time.hanging():
                break
            assert real_time.monotonic() - began < _LONGEST_CALL, "a thread does not return"
        if timeout is None:
            raise AssertionError("everything waits, for something that never happens")
        self._time.advance(timeout)
        return super().select(0) if self.under_way else []


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    An event loop in virtual time, whose calls in threads are real and take no time.

    :param time: the clock; default: one of its own.
    """

    def __init__(self, time: VirtualTime | None = None) -> None:
        self.clock = time or VirtualTime()
        self._virtual = _Selector(self.clock)
        self._workers = ThreadPoolExecutor(thread_name_prefix="virtual-loop")
        super().__init__(self._virtual)

    def time(self) -> float:
        # A timer that is due "now" must be, whatever the rounding.
        return self.clock.monotonic() + 1e-9

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        call = (executor or self._workers).submit(func, *args)
        self._virtual.under_way += 1
        answer = asyncio.wrap_future(call, loop=self)
        call.add_done_callback(lambda _: self._has_returned(answer))
        return answer

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._workers.shutdown()

    def _has_returned(self, answer: asyncio.Future[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.call_soon_threadsafe(self._note_return, answer)

    def _note_return(self, answer: asyncio.Future[Any]) -> None:
        if answer.done():
            self._virtual.under_way -= 1
        else:
            # A thread hands over its answer and calls back in either order: time may pass only after both.
            answer.add_done_callback(self._note_return)


def run_on_the_clock(scene: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the time that stands in for the clock of sensors, operators and triggers."""
    assert isinstance(clock._clock, VirtualTime), "the test has not replaced the clock"
    return run(scene, clock._clock)


def run(scene: Coroutine[Any, Any, T], time: VirtualTime | None = None) -> T:
    """
    Run a coroutine in virtual time; no task of it may be left behind.

    :param time: the clock; default: one that begins anew.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(time)) as runner:
        result = runner.run(scene)
        runner.run(asyncio.sleep(0.001))  # what was cancelled ends
        left = asyncio.all_tasks(runner.get_loop())
        assert not left, f"left behind: {left}"
        return result
