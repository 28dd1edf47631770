"""
Process families: all that one Airflow component has started, found, signalled and ended as a whole.

A process group is not enough: Airflow gives each running task a group of its own, a ``BashOperator`` even gives
its command a session of its own, and killing the scheduler leaves both behind.

Run as a program this file is the guard: it ends the families that it was told of as soon as its standard input
closes, which happens however its parent dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

MARK_VARIABLE = "LOCAL_AIRFLOW_FAMILY"
"""The environment variable that a family inherits, whatever groups and sessions it forms."""


@dataclass(frozen=True)
class Family:
    """
    A process and all that descend from it.

    :param leader: the id of the first process, which leads a process group and a session.
    :param mark: the value of ``MARK_VARIABLE`` in its environment, used by nobody else.
    """

    leader: int
    mark: str


def members(families: Iterable[Family]) -> set[int]:
    """Return the ids of the living processes of these families."""
    leaders = {family.leader for family in families}
    marks = {family.mark for family in families}
    found: set[int] = set()
    parents: dict[int, int] = {}
    for process in psutil.process_iter() if leaders else ():
        with contextlib.suppress(OSError, psutil.Error), process.oneshot():
            # In a container without an init nobody reaps orphans, and a zombie would be waited for for ever.
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            parents[process.pid] = process.ppid()
            # Airflow renames some of its processes, and on Linux the name overwrites the environment.
            if os.getsid(process.pid) in leaders or process.environ().get(MARK_VARIABLE) in marks:
                found.add(process.pid)
    while children := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= children
    return found


def signal_all(families: Iterable[Family], signum: int) -> None:
    """Send a signal to every process of these families, and then to those that were born meanwhile."""
    families = list(families)
    reached: set[int] = set()
    while new := members(families) - reached:
        for pid in new:
            with contextlib.suppress(OSError):
                os.kill(pid, signum)
        reached |= new


def end(families: Iterable[Family], grace: float) -> None:
    """
    Ask the leaders' process groups to stop, and kill what is left.

    :param grace: seconds until SIGKILL; zero kills at once.
    """
    families = list(families)
    deadline = time.monotonic() + grace
    try:
        if grace > 0:
            signal_all(families, signal.SIGCONT)
            for family in families:
                with contextlib.suppress(OSError):
                    os.killpg(family.leader, signal.SIGTERM)
        while time.monotonic() < deadline and members(families):
            time.sleep(0.1)
    finally:
        # Held first: a parent that outlives its child by a moment would start the next one.
        signal_all(families, signal.SIGSTOP)
        while members(families):
            signal_all(families, signal.SIGKILL)
            time.sleep(0.02)


class Guard:
    """
    A small helper process that kills the families which it was told of if this process dies.

    This also covers SIGKILL, which no handler sees, and works where Linux's parent-death signal does not exist
    or would fire too early (it belongs to the thread that started the child).
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            encoding="utf-8",
        )

    def watch(self, family: Family) -> None:
        """Kill this family when this process dies."""
        self._tell(f"watch {family.leader} {family.mark}\n")

    def forget(self, family: Family) -> None:
        """Leave this family alone: it has ended, and its number may be given to somebody else."""
        self._tell(f"forget {family.leader} {family.mark}\n")

    def close(self) -> None:
        """End the guard, and with it whatever it still watches."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.write(line)
                self._process.stdin.flush()


def _guard() -> None:
    watched: set[Family] = set()
    for line in sys.stdin:
        verb, leader, mark = line.split()
        (watched.add if verb == "watch" else watched.discard)(Family(int(leader), mark))
    end(watched, grace=0)


if __name__ == "__main__":
    _guard()
