"""An event loop whose time passes only while everybody sleeps, so that days take no time."""

from __future__ import annotations

import asyncio
import contextlib
import selectors


class _Selector(selectors.SelectSelector):
    """Lets virtual time pass instead of waiting."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise AssertionError("everybody waits, for something that never happens")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self):
        # A timer that is due "now" must be, whatever the rounding.
        return self._virtual.now + 1e-9


def run(scene):
    """Run a coroutine in virtual time; nothing of it may be left behind."""
    loop = VirtualLoop()
    try:
        result = loop.run_until_complete(scene)
        loop.run_until_complete(asyncio.sleep(0.001))  # what was cancelled ends
        left = asyncio.all_tasks(loop)
        assert not left, f"left behind: {left}"
        return result
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                loop.run_until_complete(task)
        loop.close()
