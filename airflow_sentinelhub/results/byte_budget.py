"""A number of bytes that several threads share: what bounds their memory, where a number of threads would not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ByteBudget:
    """
    Bytes that threads may hold at the same time.

    :param total: how many; one thread never takes more.
    """

    def __init__(self, total: int) -> None:
        self._left = total
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, number: int) -> Iterator[None]:
        """
        Hold bytes; waits until there are so many.

        A thread that holds some must not ask for more: two that do so would wait for each other.

        :param number: how many.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._left >= number)
            self._left -= number
        try:
            yield
        finally:
            with self._changed:
                self._left += number
                self._changed.notify_all()
