"""
The log of the triggers, as Airflow's triggerer makes it: JSON lines, which are read here and thrown away.

Whoever waits writes a line about its first answer. That is how a first answer is noticed, whatever is behind it.
"""

from __future__ import annotations

import io
import re
import time
from typing import Any

# Warnings name jobs as well, but only because they cannot be seen.
_SAW_THE_JOB = re.compile(rb"\bjob ([0-9a-f]{8})[0-9a-f-]*: (?:PROCESSING|DONE)\b")


class TriggerLog(io.RawIOBase):
    """Notices the first line of each job that says where the job is."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[bytes] = set()
        self.last_first_look = 0.0
        """When a job was last seen for the first time."""

    @property
    def jobs_seen(self) -> int:
        """How many jobs were seen at least once."""
        return len(self._seen)

    def writable(self) -> bool:
        """Return true: it takes everything."""
        return True

    def write(self, line: Any) -> int:
        """Take a line."""
        found = _SAW_THE_JOB.search(line)
        if found and found[1] not in self._seen:
            self._seen.add(found[1])
            self.last_first_look = time.time()
        return len(line)


def log_as_in_the_triggerer() -> TriggerLog:
    """Let Airflow format every line as it does in its triggerer's process."""
    from airflow.sdk.log import configure_logging

    log = TriggerLog()
    configure_logging(json_output=True, output=log, sending_to_supervisor=True)
    return log
