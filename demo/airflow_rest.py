"""The few calls of Airflow's REST API (v2) that the demo and the system tests need."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import requests

FINISHED = ("success", "failed")

# SQLite lets one write at a time, and Airflow gives up on it after five seconds: on a busy machine that happens.
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


class AirflowRest:
    """
    A client of one Airflow whose simple auth manager makes everybody an admin.

    :param base_url: where the API server listens, without ``/api/v2``.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc between us and localhost
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
        response = self._session.request(method, self.base_url + path, timeout=30, **options)
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

    # DAG runs

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, *, timeout: float = 60) -> str:
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
        timeout: float = 120,
        on_tick: Callable[[], object] | None = None,
    ) -> str:
        """
        Wait until a run has ended, well or badly.

        :param timeout: seconds.
        :param on_tick: called about twice a second meanwhile.
        :return: ``success`` or ``failed``.
        :raises TimeoutError: it still runs; the message shows the state of its tasks.
        """
        deadline = time.monotonic() + timeout
        while (state := self.dag_run_state(dag_id, run_id)) not in FINISHED:
            if on_tick:
                on_tick()
            self.check()
            if time.monotonic() > deadline:
                tasks = {_label(ti): ti["state"] for ti in self.task_instances(dag_id, run_id)}
                raise TimeoutError(f"{dag_id} {run_id} is still {state} after {timeout:g} s; tasks: {tasks}")
            time.sleep(0.5)
        return state

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
        timeout: float = 60,
        map_index: int = -1,
    ) -> None:
        """
        Wait until a task instance is in this state, for example ``deferred``.

        :raises TimeoutError: it is in another state after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while (current := self.task_state(dag_id, run_id, task_id, map_index)) != state:
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{task_id} is {current} and not {state} after {timeout:g} s")
            time.sleep(0.2)

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

        Each line has ``timestamp`` (``None`` in Airflow's own header), ``level``, ``logger`` and ``event``, and
        whatever else was logged with it, for example ``error_detail`` for a traceback.
        """
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id)}/logs/{try_number}"
        params: dict[str, Any] = {"map_index": map_index, "full_content": True}
        lines: list[dict[str, Any]] = []
        while True:
            page = self.request("GET", path, params=params)
            lines += page["content"]
            # An attempt that is not over always has a continuation; an empty page is its end for now.
            if not page["continuation_token"] or not page["content"]:
                break
            params = {"map_index": map_index, "token": page["continuation_token"]}
        return [{"timestamp": None, "level": None, "logger": None, **line} for line in lines]

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
