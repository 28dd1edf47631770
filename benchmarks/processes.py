"""The processes of waits: started, asked and ended by the benchmark."""

from __future__ import annotations

import multiprocessing.connection
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from benchmarks.options import Options
from benchmarks.waits import CONNECTION, Spec

_ROOT = Path(__file__).resolve().parents[1]
_ANSWERED_WITHIN = 120.0


class ProcessDiedError(RuntimeError):
    """A process that the benchmark needs has ended, or says nothing any more."""


class Processes:
    """The processes of waits of one measurement, see :class:`benchmarks.waits.Waits`; the stack ends them."""

    def __init__(self, stack: ExitStack, variant: str, waits: int, options: Options, connection: str) -> None:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        environment = _environment(connection, home)
        module = "benchmarks.waits_sdk" if variant == "sdk" else "benchmarks.waits_triggers"
        arrivals, in_each = options.arrivals_of(waits), 1 if variant == "sdk" else waits
        self._name = f"The process of waits {variant!r}"
        self._errors = home / "errors"
        self._within = _ANSWERED_WITHIN + waits / arrivals
        self._pipes: list[multiprocessing.connection.Connection] = []
        for first in range(0, waits, in_each):
            ours, theirs = multiprocessing.Pipe()
            with theirs, self._errors.open("ab") as errors:
                process = subprocess.Popen(
                    [sys.executable, "-m", module, str(theirs.fileno()), variant],
                    cwd=_ROOT,
                    env=environment,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    start_new_session=True,  # Ctrl-C is for the benchmark, which ends what it started
                )
            stack.callback(process.wait)
            stack.callback(process.kill)
            self._pipes.append(stack.enter_context(ours))
            ours.send(Spec(range(first, first + in_each), arrivals, options.interval))
        self._answers()

    def ask(self, command: str) -> list[Any]:
        """Send all of them a command, and return what each answers."""
        with suppress(OSError):  # it has ended, which is noticed next
            for pipe in self._pipes:
                pipe.send(command)
        return self._answers()

    def sleep(self, seconds: float) -> None:
        """Let time pass, and notice at once if a process dies: nothing else is said unasked."""
        if multiprocessing.connection.wait(self._pipes, seconds):
            raise self._died("ended too soon")

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
