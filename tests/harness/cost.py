"""How the cost of a function grows with its input, whatever the machine and its load."""

from __future__ import annotations

import time
from collections.abc import Callable

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
