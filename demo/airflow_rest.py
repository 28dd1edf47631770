"""The few calls of Airflow's REST API (v2) that the demo and the system tests need."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable
from json import dumps
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

FINISHED = ("success", "failed")
"""States in which a run stays unless it is cleared."""

FINAL = (*FINISHED, "upstream_failed", "skipped", "removed")
"""States in which a task instance stays unless it is cleared or marked."""

TIMEOUT = 300.0
"""Seconds after which something does not happen any more, also on a busy machine."""

# What takes longer is asked for less often.
_FIRST_TURN, _LONGEST_TURN = 0.25, 1.0
_LOGS_SHOWN, _LINES_SHOWN = 4, 12

# SQLite lets one write at a time, and Airflow gives up on it after a while: on a busy machine that happens.
_ATTEMPTS, _PAUSE = 5, 1.0


class AirflowRestError(RuntimeError):
    """
    Airflow's API answered with an error.

    :param status: the HTTP status.
    """

    def __init__(self, method: str, path: str, status: int, answer: str) -> None:
        super().__init__(f"{method} {path} was answered with {status}: {answer[:2000]}")
        self.status = status
        self.is_database = status == 500 and "Database error" in answer
        """Whether nothing was done, since the database was not to be had."""


class WaitedInVainError(RuntimeError):
    """What was waited for did not happen, or cannot happen any more; the message shows what did."""


class AirflowRest:
    """
    A client of one Airflow whose simple auth manager makes everybody an admin.

    :param base_url: where the API server listens, without ``/api/v2``.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc between us and localhost
        # After an error, Airflow 3.2 closes a connection that was kept for the next request.
        self._session.mount(base_url, HTTPAdapter(max_retries=Retry(total=3, backoff_factor=0.2)))
        self._token: str | None = None

    @property
    def ui_url(self) -> str:
        """The address of the user interface, to open in a browser."""
        return self.base_url

    def request(self, method: str, path: str, *, json: Any = None, params: dict[str, Any] | None = None) -> Any:
        """
        Send one request and return the decoded answer.

        :param path: below ``/api/v2``, for example ``/dags``.
        :raises AirflowRestError: the answer is an error.
        :raises requests.RequestException: the API server cannot be reached.
        """
        if self._token is None:
            self._token = self._send("GET", "/auth/token")["access_token"]
        headers = {"Authorization": f"Bearer {self._token}"}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._send(method, f"/api/v2{path}", json=json, params=params, headers=headers)
            except AirflowRestError as error:
                if not error.is_database or attempt == _ATTEMPTS:
                    raise
            time.sleep(_PAUSE)
        raise AssertionError("the last attempt returns or raises")

    def _send(self, method: str, path: str, **options: Any) -> Any:
        response = self._session.request(method, self.base_url + path, timeout=120, **options)
        if not response.ok:
            raise AirflowRestError(method, path, response.status_code, response.text)
        return response.json() if response.content else None

    # What is running

    def health(self) -> dict[str, dict[str, Any]]:
        """Return what ``monitor/health`` says of the database and of each component."""
        health: dict[str, dict[str, Any]] = self._send("GET", "/api/v2/monitor/health")
        return health

    def import_errors(self) -> dict[str, str]:
        """Return the traceback of each DAG file that cannot be imported, by file name."""
        errors = self.request("GET", "/importErrors", params={"limit": 100})["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def check(self) -> None:
        """Raise if waiting has become pointless; asked at every turn of a wait."""

    def wait_until(
        self,
        happened: Callable[[], object],
        what: str,
        *,
        possible: Callable[[], bool] = lambda: True,
        story: Callable[[], str] = lambda: "",
        timeout: float = TIMEOUT,
    ) -> None:
        """
        Wait until a condition holds.

        :param happened: the condition; asked four times a second at first and then less often, as each question
            costs the API server some time.
        :param what: says in the message what did not happen, for example ``"the task is not deferred"``.
        :param possible: whether it still can happen, asked at every fourth turn. If not, the wait ends.
        :param story: gives what the message shows besides.
        :param timeout: seconds.
        :raises WaitedInVainError: it did not happen in time, or cannot happen any more.
        """
        deadline = time.monotonic() + timeout
        for turn in itertools.count():
            if happened():
                return
            self.check()
            if turn % 4 == 3 and not possible():
                if happened():  # meanwhile
                    return
                raise WaitedInVainError(f"{what}, and that cannot change any more\n{story()}")
            if time.monotonic() > deadline:
                raise WaitedInVainError(f"{what} after {timeout:g} s\n{story()}")
            time.sleep(min(_FIRST_TURN * 1.2 ** min(turn, 99), _LONGEST_TURN))

    # DAG runs

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, *, timeout: float = TIMEOUT) -> str:
        """
        Start a run of a DAG, as soon as Airflow has read its file.

        :param conf: the configuration of the run.
        :param timeout: seconds to wait until Airflow knows the DAG.
        :return: the id of the run.
        :raises LookupError: Airflow does not know the DAG; the message shows the import errors.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                body = {"logical_date": None, "conf": conf or {}}
                return str(self.request("POST", f"/dags/{quote(dag_id)}/dagRuns", json=body)["dag_run_id"])
            except AirflowRestError as error:
                if error.status != 404:
                    raise
            self.check()
            errors = self.import_errors()
            if errors:
                deadline = min(deadline, time.monotonic() + 5)  # another file may yet bring the DAG
            if time.monotonic() > deadline:
                shown = "\n".join(f"{name}:\n{text}" for name, text in errors.items()) or "no import errors"
                raise LookupError(f"Airflow does not know the DAG {dag_id!r}\n{shown}")
            time.sleep(0.25)

    def dag_run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: queued, running, success or failed."""
        return str(self.request("GET", _run(dag_id, run_id))["state"])

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        state: str | None = None,
        *,
        timeout: float = TIMEOUT,
        on_tick: Callable[[], object] | None = None,
    ) -> str:
        """
        Wait until a run has ended.

        :param state: how it has to end. Default: well or badly.
        :param timeout: seconds.
        :param on_tick: called at every turn meanwhile.
        :return: ``success`` or ``failed``.
        :raises WaitedInVainError: it still runs or has ended otherwise; the message shows states and logs.
        """

        def over() -> bool:
            if on_tick:
                on_tick()
            return self.dag_run_state(dag_id, run_id) in FINISHED

        def story() -> str:
            return self.story(dag_id, run_id)

        self.wait_until(over, f"{dag_id} has not ended", story=story, timeout=timeout)
        ended = self.dag_run_state(dag_id, run_id)
        if state not in (None, ended):
            raise WaitedInVainError(f"{dag_id} has ended as {ended} and not as {state}\n{story()}")
        return ended

    def story(self, dag_id: str, run_id: str) -> str:
        """Return the states of a run's tasks, and the ends of the logs of those that have not succeeded."""
        tasks = self.task_instances(dag_id, run_id)
        states = Counter((task["task_id"], task["state"]) for task in tasks)
        told = [f"{dag_id} {run_id} is {self.dag_run_state(dag_id, run_id)}"]
        told += [
            f"  {task_id}: {state}" + f" ({count})" * (count > 1) for (task_id, state), count in states.items()
        ]
        logged = [task for task in tasks if task["try_number"] and task["state"] not in ("success", "skipped")]
        for task in logged[:_LOGS_SHOWN]:
            lines: list[dict[str, Any]] = []
            with contextlib.suppress(AirflowRestError, requests.RequestException):
                lines = self.log_lines(dag_id, run_id, task["task_id"], task["try_number"], task["map_index"])
            shown = [line for line in lines if line["level"] not in (None, "debug")][-_LINES_SHOWN:]
            told += [f"--- log of {_label(task)}, attempt {task['try_number']}"]
            told += [f"{line['timestamp']} {line['event']}" for line in shown]
            told += [str(line["error_detail"])[-2000:] for line in shown if line.get("error_detail")]
        return "\n".join(told)

    # Task instances

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return every task instance of a run as the API describes it."""
        found: list[dict[str, Any]] = []
        while True:
            params = {"limit": 100, "offset": len(found), "order_by": "id"}
            page = self.request("GET", f"{_run(dag_id, run_id)}/taskInstances", params=params)
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found

    def task_state(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str | None:
        """Return the state of one task instance; ``None`` is Airflow's word for not scheduled yet."""
        state: str | None = self.request("GET", _task(dag_id, run_id, task_id, map_index))["state"]
        return state

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        state: str,
        timeout: float = TIMEOUT,
        map_index: int = -1,
    ) -> None:
        """
        Wait until a task instance is in this state, for example ``deferred``.

        :raises WaitedInVainError: it is not after ``timeout`` seconds, or has ended in another state.
        """
        self.wait_until(
            lambda: self.task_state(dag_id, run_id, task_id, map_index) == state,
            f"{task_id} of {dag_id} is not {state}",
            possible=lambda: not self.has_ended(dag_id, run_id, task_id, map_index),
            story=lambda: self.story(dag_id, run_id),
            timeout=timeout,
        )

    def has_ended(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> bool:
        """Return whether a task instance's state is final, or it never gets one as its run is over."""
        state = self.task_state(dag_id, run_id, task_id, map_index)
        return state in FINAL or (state is None and self.dag_run_state(dag_id, run_id) in FINISHED)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """
        Return what a task left as XCom.

        :raises AirflowRestError: 404 when there is none.
        """
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}/xcomEntries/{quote(key)}"
        return self.request("GET", path, params={"map_index": map_index})["value"]

    def log_lines(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> list[dict[str, Any]]:
        """
        Return the log of one attempt, up to now: the worker's and the triggerer's lines, by time.

        Each line has ``timestamp`` (``None`` in Airflow's own header), ``level``, ``logger`` (``None`` where
        Airflow names none) and ``event``, and whatever else was logged with it, for example ``error_detail`` for
        a traceback.

        :return: nothing as long as the attempt has written nothing.
        """
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}/logs/{try_number}"
        params: dict[str, Any] = {"map_index": map_index, "full_content": True}
        lines: dict[str, dict[str, Any]] = {}
        while True:
            try:
                page = self.request("GET", path, params=params)
            except AirflowRestError as error:
                # Nothing (more) is written yet: Airflow 3.2 answers that with 500.
                if error.status not in (404, 500):
                    raise
                break
            known = len(lines)
            lines |= {dumps(line, sort_keys=True): line for line in page["content"]}
            # An attempt that is not over always has a continuation. Its end for now is an empty page, or, before
            # Airflow 3.2, the same lines again.
            if not page["continuation_token"] or len(lines) == known:
                break
            params = {"map_index": map_index, "token": page["continuation_token"]}
        return [{"timestamp": None, "level": None, "logger": None, **line} for line in lines.values()]

    def mark(self, dag_id: str, run_id: str, task_id: str, new_state: str, map_index: int = -1) -> None:
        """Mark a task instance as success, failed or skipped, as a user does in the UI."""
        self.request("PATCH", _task(dag_id, run_id, task_id, map_index), json={"new_state": new_state})

    def mark_run(self, dag_id: str, run_id: str, new_state: str) -> None:
        """Mark a whole run as success or failed, or queue it again."""
        self.request("PATCH", _run(dag_id, run_id), json={"state": new_state})

    def clear(self, dag_id: str, run_id: str, task_ids: list[str] | None = None, **options: Any) -> None:
        """
        Clear tasks of a run, so that they run again.

        :param task_ids: all tasks if left out.
        :param options: further fields of the request, for example ``include_downstream=True``.
        """
        body = {"dry_run": False, "only_failed": False, "reset_dag_runs": True, "dag_run_id": run_id, **options}
        if task_ids is not None:
            body["task_ids"] = task_ids
        self.request("POST", f"/dags/{quote(dag_id)}/clearTaskInstances", json=body)


def _run(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"


def _task(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}"
    return path if map_index < 0 else f"{path}/{map_index}"


def _label(task_instance: dict[str, Any]) -> str:
    task_id, map_index = task_instance["task_id"], task_instance["map_index"]
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"
