"""The processes of waits: started, asked and ended by the benchmark."""

from __future__ import annotations

import contextlib
import multiprocessing.connection
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.options import Options
from benchmarks.waits import CONNECTION, Spec

_ROOT = Path(__file__).resolve().parents[1]
_ANSWERED_WITHIN = 120.0
"""Seconds after which a process is given up that says nothing."""


class ProcessDiedError(RuntimeError):
    """A process that the benchmark needs has ended, or says nothing any more."""


def allow_many_files() -> None:
    """Let this process and those that it starts have as many connections as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Processes:
    """
    The processes of waits of one measurement, see :class:`benchmarks.waits.Waits`.

    :param stack: ends them.
    :param connection: the Airflow connection to the emulator.
    """

    def __init__(
        self, stack: contextlib.ExitStack, variant: str, waits: int, options: Options, connection: str
    ) -> None:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        self._name = f"The process of waits {variant!r}"
        self._errors = home / "errors"
        self._within = _ANSWERED_WITHIN + options.arrival_of(waits)
        self._pipes: list[multiprocessing.connection.Connection] = []
        in_each = 1 if variant == "sdk" else waits
        for first in range(0, waits, in_each):
            ours, theirs = multiprocessing.Pipe()
            self._pipes.append(stack.enter_context(ours))
            with theirs:  # open on one side alone: its end is noticed
                self._start(stack, variant, theirs.fileno(), _environment(connection, home))
            ours.send(Spec(range(first, first + in_each), options.arrivals_of(waits), options.interval))
        self._answers()

    def ask(self, command: str) -> list[Any]:
        """Send all of them a command, and return what each answers."""
        with contextlib.suppress(OSError):  # it has ended, which is noticed next
            for pipe in self._pipes:
                pipe.send(command)
        return self._answers()

    def sleep(self, seconds: float) -> None:
        """Let time pass, and notice at once if a process dies: nothing else is said unasked."""
        if multiprocessing.connection.wait(self._pipes, seconds):
            raise self._died("ended too soon")

    def _start(self, stack: contextlib.ExitStack, variant: str, pipe: int, environment: dict[str, str]) -> None:
        module = "benchmarks.waits_sdk" if variant == "sdk" else "benchmarks.waits_triggers"
        with self._errors.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(pipe), variant],
                cwd=_ROOT,
                env=environment,
                pass_fds=[pipe],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for the benchmark, which ends what it started
            )
        stack.callback(process.wait)
        stack.callback(process.kill)

    def _answers(self) -> list[Any]:
        answers = []
        for pipe in self._pipes:
            try:
                if not pipe.poll(self._within):
                    raise self._died(f"said nothing for {self._within:g} s")
                answers.append(pipe.recv())
            except (EOFError, OSError):
                raise self._died("ended too soon") from None
        return answers

    def _died(self, what: str) -> ProcessDiedError:
        said = self._errors.read_text(encoding="utf-8", errors="replace").splitlines()[-25:]
        return ProcessDiedError("\n".join([f"{self._name} {what}.", *said]))


def _environment(connection: str, home: Path) -> dict[str, str]:
    """Return the environment of a process of waits, with nothing of the user's Airflow and sentinelhub-py."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "SH_"))}
    return own | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "_AIRFLOW_PROCESS_CONTEXT": "client",
        f"AIRFLOW_CONN_{CONNECTION.upper()}": connection,
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1",
        # oauthlib, behind sentinelhub-py, refuses token URLs without TLS.
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
    }
