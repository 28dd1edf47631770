"""What a process of waits and the benchmark say to each other: commands, and one JSON object a line."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any


class Command(StrEnum):
    """What the benchmark asks of a process of waits; each is answered by a message of the same name."""

    BEGIN = "begin"
    """Let the waits begin; answered when all of them have."""
    WINDOW_BEGINS = "window begins"
    """Count processor time from here on."""
    WINDOW_ENDS = "window ends"
    """Return it, and the memory."""
    FINISH = "finish"
    """Return the rest."""


READY = "ready"
ENDED = "ended"


class Conversation:
    """The side of the process of waits. Its standard output belongs to the conversation from now on."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints
        self._lock = threading.Lock()

    def tell(self, what: str, **details: Any) -> None:
        """Send a message; any thread may."""
        with self._lock:
            self._out.write(json.dumps({"what": what, **details}) + "\n")
            self._out.flush()

    def listen(self, obey: Callable[[Command], object]) -> None:
        """
        Take commands from now on.

        :param obey: called for each of them, in a thread of its own.
        """
        threading.Thread(target=self._listen, args=[obey], daemon=True).start()

    def _listen(self, obey: Callable[[Command], object]) -> None:
        for line in sys.stdin:
            obey(Command(line.strip()))
        os._exit(1)  # the benchmark is gone, however it ended: nothing may outlive it
