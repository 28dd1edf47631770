"""The benchmark's own processes: the waits, started, asked and ended by their process id."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import resource
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.conversation import ENDED, READY, Command
from benchmarks.spec import CONNECTION_VARIABLE, Spec

ROOT = Path(__file__).resolve().parent.parent
ANSWERED_WITHIN = 120.0
"""Seconds after which a process is given up that says nothing."""


class ProcessDiedError(RuntimeError):
    """A process that the benchmark needs has ended, or says nothing any more."""


def ended(process: subprocess.Popen[str]) -> None:
    """End a process that may have ended already; no other is touched."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def environment(connection: str, home: Path) -> dict[str, str]:
    """
    Give the environment of a process of waits: nothing of the user's Airflow and sentinelhub-py is in it.

    :param connection: the Airflow connection to the emulator.
    :param home: an empty folder.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "SH_"))}
    return own | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "_AIRFLOW_PROCESS_CONTEXT": "client",
        CONNECTION_VARIABLE: connection,
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1",
        # oauthlib, behind sentinelhub-py, refuses token URLs without TLS.
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
    }


def allow_many_files() -> None:
    """Let this process and those that it starts have as many connections as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class WaitingProcess:
    """
    A process of waits for the duration of a ``with`` block.

    :param variant: whose waits: the module is ``benchmarks.waits_<variant>``.
    :param spec: which waits.
    :param environment: its environment.
    :param errors: a new file for its error output.
    """

    def __init__(self, variant: str, spec: Spec, environment: Mapping[str, str], errors: Path) -> None:
        self._name = f"The process of waits {variant!r}"
        self._command = [sys.executable, "-m", f"benchmarks.waits_{variant}", spec.as_argument()]
        self._environment = environment
        self._errors = errors
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.ended: list[dict[str, Any]] = []
        """The waits that have ended: ``job_id``, ``outcome`` and ``at``, in seconds since 1970."""

    def __enter__(self) -> Self:
        with self._errors.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is for the benchmark, which ends what it started
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._reader.join()
        ended(self._process)

    def ready(self) -> None:
        """Wait until it can begin."""
        self._expect(READY, ANSWERED_WITHIN)

    def tell(self, command: Command) -> None:
        """Send a command; :meth:`answer` returns what comes of it."""
        assert self._process.stdin is not None  # noqa: S101 - for mypy
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def answer(self, command: Command, within: float = ANSWERED_WITHIN) -> dict[str, Any]:
        """
        Wait for the answer to a command.

        :param within: seconds.
        :raises ProcessDiedError: there is none.
        """
        return self._expect(command, within)

    def check(self) -> None:
        """Raise ``ProcessDiedError`` if it has ended."""
        if self._process.poll() is not None:
            raise self._died()

    def _expect(self, what: str, within: float) -> dict[str, Any]:
        try:
            message = self._messages.get(timeout=within)
        except queue.Empty:
            raise ProcessDiedError(f"{self._name} said nothing for {within:g} s.\n{self._tail()}") from None
        if message is None:
            raise self._died()
        if message["what"] != what:
            raise ProcessDiedError(f"{self._name} was to say {what!r} and said {message}.")
        return message

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - for mypy
        for line in self._process.stdout:
            message = json.loads(line)
            if message["what"] == ENDED:
                self.ended.append(message)
            else:
                self._messages.put(message)
        self._messages.put(None)

    def _died(self) -> ProcessDiedError:
        return ProcessDiedError(f"{self._name} ended too soon.\n{self._tail()}")

    def _tail(self) -> str:
        return "\n".join(self._errors.read_text(errors="replace").splitlines()[-25:])
