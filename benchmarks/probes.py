"""What is read in a process of waits: memory, and how late its event loop is."""

from __future__ import annotations

import asyncio
import gc
import math
from array import array
from collections.abc import Sequence
from typing import TypedDict

import psutil

_TICK = 0.02


class Lag(TypedDict):
    """How late an event loop was, in seconds, and how often that was looked at."""

    p50: float
    p99: float
    max: float
    samples: int


class LagProbe:
    """
    Sleeps 20 ms again and again on an event loop, and keeps by how much each sleep was too long.

    It begins when it is told to, and can be paused: it wakes the processor 50 times a second, which costs more
    than some of what is measured.
    """

    def __init__(self) -> None:
        self._late = array("d")
        self._on = asyncio.Event()

    async def run(self) -> None:
        """Go on for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._on.wait()
            due = clock() + _TICK
            await asyncio.sleep(_TICK)
            self._late.append(max(0.0, clock() - due))

    def pause(self) -> None:
        """Look no more until :meth:`resume`."""
        self._on.clear()

    def resume(self) -> None:
        """Look from now on."""
        self._on.set()

    def take(self) -> Lag | None:
        """Return what was seen since the last time; ``None`` if that was nothing."""
        seen, self._late = sorted(self._late), array("d")
        if not seen:
            return None
        return Lag(p50=percentile(seen, 50), p99=percentile(seen, 99), max=seen[-1], samples=len(seen))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """
    Give the smallest value that so many percent do not exceed.

    :param ordered: at least one value, the smallest first.
    """
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def resident_memory() -> int:
    """Bytes of this process in memory, after everything that is garbage has gone."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def private_memory() -> int:
    """Bytes that would be free without this process: no library that others have loaded, too."""
    gc.collect()
    return int(psutil.Process().memory_full_info().uss)
