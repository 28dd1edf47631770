"""A real, throw-away Airflow on this machine: scheduler, DAG processor, API server and triggerer on SQLite."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from filelock import FileLock

from demo import process_family
from demo.airflow_rest import TIMEOUT, AirflowRest, AirflowRestError
from demo.process_family import MARK_VARIABLE, Family, Guard

PROJECT = Path(__file__).resolve().parent.parent

COMPONENTS = {
    "api-server": None,
    "scheduler": "SchedulerJob",
    "dag-processor": "DagProcessorJob",
    "triggerer": "TriggererJob",
}
"""The four components and the type of the row in Airflow's table of jobs that tells that one is up."""

# Without a log server the API server reads the same files from the disk that it shares with everybody here.
OWN_LOG_SERVER = {"scheduler", "triggerer"}

KEPT_ENVIRONMENT = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
}
"""What passes from the user's environment: no foreign setting or credential reaches the tasks."""

# The scheduler has heard from its executor that an attempt's process has ended, deferred or not.
_PROCESS_ENDED = re.compile(
    r"TaskInstance Finished: dag_id=(.+?), task_id=(.+?), run_id=(.+?), map_index=(-?\d+), .*?try_number=(\d+)"
)

# It then waits for the tasks that run before it ends, and they may run for as long as a job does.
_SCHEDULER_FAILED = b"Exception when executing SchedulerJob"


class AirflowDiedError(RuntimeError):
    """A component ended by itself or did not come up; the message shows the end of its log."""


@dataclass
class Component:
    """
    One started process of Airflow, with everything that it starts in turn.

    :param log: where its output goes.
    :param expected_to_run: false while a test has stopped it.
    """

    name: str
    process: subprocess.Popen[bytes]
    family: Family
    log: Path
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    expected_to_run: bool = True

    def tail(self, lines: int = 25) -> str:
        """Return the end of its log."""
        text = self.log.read_text(errors="replace").splitlines()
        return f"--- {self.name}: {self.log}\n" + "\n".join(text[-lines:])


class LocalAirflow(AirflowRest):
    """
    A whole Airflow for the duration of a ``with`` block.

    Every file lies below ``home``; nothing of the user's own Airflow is read or written, and no process outlives
    the block, nor this process if it is killed.

    :param home: a new or empty folder; becomes ``AIRFLOW_HOME``.
    :param dags_folder: where the DAG files are.
    :param connections: Airflow connections by id, as a URI or as JSON.
    :param env: further environment variables of all components; they win over those set here.
    :param database: a database that an older one of the same version has made, and nobody uses: a copy of it is
        taken instead of making one. If there is no such file, what is made is copied to there.
    :param python: the interpreter in whose environment Airflow is installed.
    :param boot_timeout: seconds until all four components must be healthy.
    :raises FileExistsError: on entering, when ``home`` holds the database of an older one.
    :raises AirflowDiedError: on entering, when a component dies or is not healthy in time.
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        *,
        connections: Mapping[str, str],
        env: Mapping[str, str] | None = None,
        database: Path | None = None,
        python: str = sys.executable,
        boot_timeout: float = TIMEOUT,
    ) -> None:
        self.home = home.resolve()
        self.dags_folder = dags_folder.resolve()
        self.component_logs = self.home / "logs-of-components"
        self._python = python
        self._boot_timeout = boot_timeout
        self._made_database = database
        self._connections = connections
        self._extra_env = env or {}
        self._components: dict[str, Component] = {}
        self._guard: Guard | None = None
        self._ended: set[tuple[str, ...]] = set()
        self._read_of_scheduler = 0
        self._scheduler_failed = False
        self._ports = _free_ports(3)
        self._secrets = {
            "CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "API__SECRET_KEY": secrets.token_hex(32),
            "API_AUTH__JWT_SECRET": secrets.token_hex(64),
        }
        super().__init__(f"http://127.0.0.1:{self._ports[0]}")

    def __enter__(self) -> Self:
        deadline = time.monotonic() + self._boot_timeout
        try:
            self._make_home()
            with _interrupt_later():
                self._guard = Guard()
            # The API server imports for ten seconds before it looks at the database.
            self._launch("api-server")
            self._make_database(deadline)
            for name in COMPONENTS.keys() - {"api-server"}:
                self._launch(name)
            self._wait_until_healthy(deadline)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, grace: float = 5) -> None:
        """
        End every process that was started here; harmless when nothing runs.

        :param grace: seconds that the components get to end by themselves.
        """
        running = [component.family for component in self._components.values() if component.expected_to_run]
        self._session.close()  # the API server waits for its open connections
        try:
            process_family.end(running, grace)
        finally:
            for component in self._components.values():
                component.process.wait()
            self._components.clear()
            if self._guard:
                self._guard.close()
                self._guard = None

    # Tasks

    # A test asks for a state hundreds of times. The API server takes 20 ms of processor time for each answer, so
    # the question goes to the database.

    def dag_run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: queued, running, success or failed."""
        row = self._database_row("SELECT state FROM dag_run WHERE dag_id = ? AND run_id = ?", dag_id, run_id)
        return str(row[0]) if row else super().dag_run_state(dag_id, run_id)

    def task_state(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str | None:
        """Return the state of one task instance; ``None`` is Airflow's word for not scheduled yet."""
        query = "SELECT state FROM task_instance WHERE dag_id = ? AND run_id = ? AND task_id = ? AND map_index = ?"
        row = self._database_row(query, dag_id, run_id, task_id, map_index)
        return row[0] if row else super().task_state(dag_id, run_id, task_id, map_index)

    def _database_row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        address = (self.home / "airflow.db").as_uri()
        with contextlib.closing(sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=60)) as database:
            row: tuple[Any, ...] | None = database.execute(query, values).fetchone()
        return row

    def wait_until_deferred(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
        """
        Wait until a task is deferred, and its scheduler knows that the worker has let go of it.

        Airflow takes the end of the process that deferred for the end of the task if it hears of it only after the
        trigger has fired, and fails the task (issues 71580 and 72716). So a test lets a job go on after this.

        :raises WaitedInVainError: it ends without, or is not deferred in time.
        """
        self.wait_for_task(dag_id, run_id, task_id, "deferred", map_index=map_index)
        self.wait_until_let_go(dag_id, run_id, task_id, map_index)

    def wait_until_let_go(self, dag_id: str, run_id: str, task_id: str, map_index: int | None = None) -> None:
        """
        Wait until the scheduler knows that the workers of deferred tasks have ended.

        :param map_index: which of mapped tasks; ``None``: all of them.
        """

        def attempts() -> set[tuple[str, ...]]:
            return {
                (dag_id, task_id, run_id, str(task["map_index"]), str(task["try_number"]))
                for task in self.task_instances(dag_id, run_id)
                if task["task_id"] == task_id and map_index in (None, task["map_index"])
            }

        self.wait_until(
            lambda: attempts() <= self._ended_processes(),
            f"the process that deferred {task_id} of {dag_id} has not ended",
            story=lambda: self.story(dag_id, run_id),
        )

    def _ended_processes(self) -> set[tuple[str, ...]]:
        """DAG, task, run, map index and attempt of the processes that the scheduler knows to have ended."""
        self._read_scheduler()
        return self._ended

    def _read_scheduler(self) -> None:
        """Read what the scheduler has logged since the last time."""
        log = self.component_logs / "scheduler.log"
        if not log.exists():
            return
        with log.open("rb") as lines:
            lines.seek(self._read_of_scheduler)
            new = lines.read()
        new = new[: new.rfind(b"\n") + 1]
        self._read_of_scheduler += len(new)
        self._ended |= {found.groups() for found in _PROCESS_ENDED.finditer(new.decode(errors="replace"))}
        self._scheduler_failed = self._scheduler_failed or _SCHEDULER_FAILED in new

    # The components, for tests that disturb them

    def start(self, name: str, suffix: str = "", *, timeout: float = TIMEOUT) -> None:
        """
        Start a component again, or a second one of its kind, and wait until it is up.

        :param name: ``scheduler``, ``dag-processor``, ``api-server`` or ``triggerer``.
        :param suffix: tells a second instance from the first: ``start("triggerer", "-2")`` is from then on known
            as ``triggerer-2``.
        :raises AirflowDiedError: it died, or is not up after ``timeout`` seconds.
        """
        component = self._launch(name, suffix)
        deadline = time.monotonic() + timeout
        while not self._is_up(component, COMPONENTS[name]):
            self.check()
            if time.monotonic() > deadline:
                raise AirflowDiedError(f"{component.name} is not up after {timeout:g} s\n{component.tail()}")
            time.sleep(0.2)

    def stop(self, name: str, grace: float = 30) -> None:
        """Ask a component to stop (SIGTERM), wait, and kill what is left of it after ``grace`` seconds."""
        self._end(name, grace)

    def kill(self, name: str) -> None:
        """Kill a component and all its processes at once (SIGKILL), running tasks and triggers included."""
        self._end(name, grace=0)

    def freeze(self, name: str) -> None:
        """
        Hold all processes of a component (SIGSTOP), as a machine that hangs or lost the network.

        It is done while they do not write to the database: SQLite lets one write at a time, and a process that is
        held while it writes holds up all others.
        """
        family = self._components[name].family
        process_family.signal_all([family], signal.SIGSTOP)
        while not self._is_writable():
            process_family.signal_all([family], signal.SIGCONT)
            time.sleep(random.uniform(0.0, 0.2))  # not always at the same point of what it does
            process_family.signal_all([family], signal.SIGSTOP)

    def _is_writable(self) -> bool:
        database = sqlite3.connect(self.home / "airflow.db", timeout=1, isolation_level=None)
        with contextlib.closing(database):
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            database.rollback()
        return True

    def thaw(self, name: str) -> None:
        """Let a frozen component go on (SIGCONT)."""
        process_family.signal_all([self._components[name].family], signal.SIGCONT)

    def running(self, name: str) -> bool:
        """Whether the component's first process lives; a frozen one does."""
        component = self._components.get(name)
        return component is not None and component.process.poll() is None

    def check(self) -> None:
        """
        Raise if a component has ended that nobody stopped.

        :raises AirflowDiedError: with the end of its log.
        """
        for component in self._components.values():
            if component.expected_to_run and (status := component.process.poll()) is not None:
                raise AirflowDiedError(f"{component.name} ended by itself with {status}\n{component.tail()}")
        self._read_scheduler()
        if self._scheduler_failed:
            raise AirflowDiedError(f"The scheduler has failed: {self.component_logs / 'scheduler.log'}")

    # How they are started and ended

    def environment(self, component: str = "") -> dict[str, str]:
        """
        Return the environment of a component.

        :param component: one of ``COMPONENTS``; without it, of what else uses this Airflow.
        """
        env = {
            name: value for name, value in os.environ.items() if name in KEPT_ENVIRONMENT or name.startswith("LC_")
        }
        for name in ("NO_PROXY", "no_proxy"):  # tasks talk to the API server over HTTP
            env[name] = ",".join(filter(None, [env.get(name), "127.0.0.1", "localhost"]))
        env["PATH"] = os.pathsep.join(filter(None, [str(Path(self._python).parent), env.get("PATH")]))
        env["PYTHONPATH"] = str(PROJECT)
        env["PYTHONUNBUFFERED"] = "1"
        if sys.platform == "darwin":
            env["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"  # Airflow forks with threads running
        api, worker_logs, trigger_logs = (str(port) for port in self._ports)
        # SQLite lets one write at a time. On a busy machine a write waits longer than the default, which is five
        # seconds, and a scheduler that cannot write ends. The API server can hold the lock itself: its event loop
        # then waits, for a row of its audit log, for a write that only this loop can end. That costs this time.
        lock_timeout = 10 if component == "api-server" else 120
        settings = {
            "CORE__DAGS_FOLDER": str(self.dags_folder),
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "CORE__TEST_CONNECTION": "Enabled",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.base_url}/execution/",
            "CORE__HOSTNAME_CALLABLE": f"{__name__}.hostname",
            "API__HOST": "127.0.0.1",
            "API__PORT": api,
            "API__BASE_URL": self.base_url,
            "API__WORKERS": "1",
            "LOGGING__WORKER_LOG_SERVER_PORT": worker_logs,
            "LOGGING__TRIGGER_LOG_SERVER_PORT": trigger_logs,
            "LOGGING__COLORED_CONSOLE_LOG": "False",
            # A file that is new or has changed is seen within seconds; parsing all of them again and again, as is
            # the default, takes a tenth of a core.
            "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            # A file that changes within 30 seconds would else be taken up only when it is parsed again.
            "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
            # A worker may notice only after this many seconds that its task has deferred. If the trigger fires
            # before that, Airflow takes the resumed task for a dead one and fails it (issues 71580 and 72716).
            "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            # On a busy machine all takes longer, and no task, file or triggerer is given up for that.
            "WORKERS__EXECUTION_API_TIMEOUT": "60",
            "WORKERS__MAX_FAILED_HEARTBEATS": "60",
            "CORE__DAGBAG_IMPORT_TIMEOUT": "300",
            "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
            "API__LOG_FETCH_TIMEOUT_SEC": "60",
            "TRIGGERER__RUNNER_HEALTH_CHECK_THRESHOLD": "300",
            # A triggerer that died is noticed after ten seconds instead of thirty.
            "TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout={lock_timeout}",
            # The database was migrated a moment ago: four times one second saved.
            "DATABASE__CHECK_MIGRATIONS": "False",
        }
        env |= {f"AIRFLOW__{name}": value for name, value in (settings | self._secrets).items()}
        env |= {f"AIRFLOW_CONN_{conn_id.upper()}": value for conn_id, value in self._connections.items()}
        return env | {"AIRFLOW_HOME": str(self.home), **self._extra_env}

    def _make_home(self) -> None:
        if (self.home / "airflow.db").exists():
            raise FileExistsError(
                f"{self.home} holds an older Airflow; its keys are gone, so remove the folder first"
            )
        self.component_logs.mkdir(parents=True, exist_ok=True)
        # Airflow would write one with all defaults, two processes at a time; everything is in the environment.
        (self.home / "airflow.cfg").touch()

    def _launch(self, name: str, suffix: str = "", *options: str) -> Component:
        full_name = name + suffix
        if self.running(full_name):
            raise ValueError(f"{full_name} is running already")
        if name in OWN_LOG_SERVER and suffix:
            options = (*options, "--skip-serve-logs")  # the port is the first one's
        log = self.component_logs / f"{full_name}.log"
        command = [self._python, "-m", "airflow", *name.split(), *options]
        mark = secrets.token_hex(8)
        with log.open("ab") as output, _interrupt_later():
            process = subprocess.Popen(
                command,
                cwd=self.home,
                env=self.environment(name) | {MARK_VARIABLE: mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            component = self._components[full_name] = Component(full_name, process, Family(process.pid, mark), log)
            if self._guard:
                self._guard.watch(component.family)
        return component

    def _end(self, name: str, grace: float) -> None:
        component = self._components[name]
        component.expected_to_run = False
        process_family.end([component.family], grace)
        component.process.wait()
        if self._guard:
            self._guard.forget(component.family)

    def _make_database(self, deadline: float) -> None:
        own, made = self.home / "airflow.db", self._made_database
        if made is None:
            self._migrate(deadline)
            return
        with FileLock(f"{made}.lock"):  # the others wait, as it takes all of them longer if each makes one
            if not made.exists():
                self._migrate(deadline)
                # Not a copy of the file, as part of it may lie in its write-ahead log.
                with (
                    contextlib.closing(sqlite3.connect(own)) as source,
                    contextlib.closing(sqlite3.connect(made)) as copy,
                ):
                    source.backup(copy)
                return
        shutil.copy(made, own)

    def _migrate(self, deadline: float) -> None:
        migration = self._launch("db migrate")
        try:
            status = migration.process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            status = None
        if status != 0:
            raise AirflowDiedError(f"the database could not be made (exit status {status})\n{migration.tail()}")
        self._end(migration.name, grace=0)
        del self._components[migration.name]

    def _wait_until_healthy(self, deadline: float) -> None:
        while not all(self._is_up(component, COMPONENTS[name]) for name, component in self._components.items()):
            self.check()
            if time.monotonic() > deadline:
                tails = "\n".join(component.tail() for component in self._components.values())
                raise AirflowDiedError(f"Airflow is not healthy after {self._boot_timeout:g} s\n{tails}")
            time.sleep(0.2)

    def _is_up(self, component: Component, job_type: str | None) -> bool:
        """
        Whether this very process has reported.

        ``monitor/health`` alone would still call a component healthy that was killed a few seconds ago.
        """
        try:
            health = self.health()
            if job_type is None:
                # Airflow builds the API that the tasks talk to on its first request. That takes longer than a
                # task waits for an answer.
                self._session.get(f"{self.base_url}/execution/health", timeout=60)
                return bool(health["metadatabase"]["status"] == "healthy")
            since = {"job_type": job_type, "job_state": "running", "start_date_gte": component.started.isoformat()}
            jobs: list[Any] = self.request("GET", "/jobs", params=since)["jobs"]
        except (requests.RequestException, AirflowRestError):
            return False
        return bool(jobs)


def hostname() -> str:
    """Airflow's ``[core] hostname_callable``: log servers are asked by this name, which needs no DNS."""
    return "127.0.0.1"


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def _interrupt_later() -> Iterator[None]:
    """Hold back Ctrl-C, so that none falls between the start of a process and the note that it was started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda signum, _frame: seen.append(signum))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if seen:
            raise KeyboardInterrupt
