"""How the cost of a function grows with its input, whatever the machine and its load."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

RUNS = 5


def growth(call: Callable[[str], object], make: Callable[[int], str], size: int) -> float:
    """
    Compare the CPU time that four times as much text costs: about 4 if it is linear, 16 if it is quadratic.

    Only the CPU time of this thread counts, and the shortest of several runs.

    :param call: what is measured.
    :param make: makes a text of that many characters.
    :param size: of the smaller text; should cost more than the clock's resolution.
    """
    return _cost(call, make(4 * size)) / max(_cost(call, make(size)), 20e-6)


def _cost(call: Callable[[str], object], text: str) -> float:
    spent = []
    for _ in range(RUNS):
        began = time.thread_time()
        call(text)
        spent.append(time.thread_time() - began)
    return min(spent)


def lines_run(call: Callable[[], object]) -> int:
    """
    Count the lines of Python that a call runs, which is the same number on every machine.

    What runs in C, such as reading JSON, counts as one line.

    :param call: what is measured.
    """
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count
