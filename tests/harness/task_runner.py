"""
Runs a task through Airflow's own task runner, without a database.

Templates, XComs, deferral (through Airflow's serialisation), resumption and the state store are the real ones;
only the execution API behind them is played by :class:`ExecutionApi`.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import structlog
from airflow.sdk import DAG
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import DagRun, TaskInstance
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

from tests.harness.versions import deserialize, serialize

_LINK = "_link_"
_START = "2026-01-01T00:00:00Z"


@dataclass
class ExecutionApi:
    """
    Answers what the task runner asks.

    :param next_method: resume the task with this method instead of executing it.
    :param next_kwargs: with these arguments.
    :param first_reschedule: when the task was first rescheduled.
    :param max_tries: a user's clear makes it larger.
    :param state: what the task is, for Airflow.
    :param links: links of the task by class, which Airflow keeps among its XComs whatever ``do_xcom_push`` says.
    """

    next_method: str | None = None
    next_kwargs: dict[str, Any] | None = None
    first_reschedule: datetime | None = None
    max_tries: int = 0
    state: str = "running"
    xcoms: dict[str, Any] = field(default_factory=dict)
    links: dict[str, Any] = field(default_factory=dict)
    store: dict[str, Any] = field(default_factory=dict)
    rendered: dict[str, Any] = field(default_factory=dict)
    states: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, body = request.url.path, json.loads(request.content) if request.content else None
        name = path.rpartition("/")[2]
        if path.endswith("/run"):
            return httpx.Response(200, json=self._run_context())
        if path.endswith("/task-instances/states"):
            task_id = request.url.params["task_ids"]
            states = {} if self.state == "gone" else {task_id: self.state}  # with a DAG that was deleted
            return httpx.Response(200, json={"task_states": {"a_run": states}})
        if "/store/ti/" in path:
            return self._keep(self.store, request.method, name, body, lambda value: {"value": value["value"]})
        if "/xcoms/" in path and name.startswith(_LINK):
            link = name.removeprefix(_LINK)
            return self._keep(self.links, request.method, link, body, lambda value: {"key": name, "value": value})
        if "/xcoms/" in path:
            return self._keep(self.xcoms, request.method, name, body, lambda value: {"key": name, "value": value})
        if path.endswith("/rtif"):
            self.rendered = body
        if path.endswith("/state"):
            if body["state"] == "deferred" and self.state != "running":
                detail = {"reason": "invalid_state", "message": "not running", "previous_state": self.state}
                return httpx.Response(409, json={"detail": detail})
            self.states.append(body)
        if "/task-reschedules/" in path:
            start = self.first_reschedule and self.first_reschedule.isoformat()
            return httpx.Response(200, json=start)
        return httpx.Response(200, json={"message": "ok"})

    @staticmethod
    def _keep(kept, method, name, body, answer):
        if method in ("POST", "PUT"):
            kept[name] = body
            return httpx.Response(201, json={"message": "ok"})
        if name in kept:
            return httpx.Response(200, json=answer(kept[name]))
        return httpx.Response(404, json={"detail": {"reason": "not_found", "message": "none"}})

    def _run_context(self) -> dict[str, Any]:
        dag_run = dict.fromkeys(DagRun.model_fields) | {
            "dag_id": "a_dag",
            "run_id": "a_run",
            "logical_date": _START,
            "data_interval_start": None,
            "data_interval_end": None,
            "start_date": _START,
            "end_date": None,
            "state": "running",
            "run_type": "manual",
            "run_after": _START,
            "consumed_asset_events": [],
        }
        context = {
            "dag_run": dag_run,
            "max_tries": self.max_tries,
            "should_retry": False,
            "task_reschedule_count": 1 if self.first_reschedule else 0,
        }
        if self.next_method:
            context |= {"next_method": self.next_method, "next_kwargs": serialize(self.next_kwargs)}
        return context


@dataclass
class Ended:
    """How a task ended: its state, Airflow's message about it, what it threw, and its log."""

    state: str
    message: Any
    error: BaseException | None
    lines: list[dict[str, Any]]
    api: ExecutionApi

    @property
    def log(self) -> str:
        return "\n".join(str(line.get("event")) for line in self.lines)

    @property
    def returned(self) -> Any:
        return self.api.xcoms.get("return_value")


def run(task: Any, api: ExecutionApi | None = None, *, try_number: int = 1) -> Ended:
    """Run a task until it ends, defers or is rescheduled."""
    api = api or ExecutionApi()
    if not task.has_dag():
        task.dag = DAG("a_dag", schedule=None)
    instance = TaskInstance(
        id=uuid.uuid4(),
        task_id=task.task_id,
        dag_id="a_dag",
        run_id="a_run",
        try_number=try_number,
        map_index=-1,
        dag_version_id=uuid.uuid4(),
    )
    client = Client(base_url=None, token="", dry_run=True, transport=httpx.MockTransport(api))
    client.base_url = "http://execution-api"

    class Supervisor(InProcessTestSupervisor):
        """What ``run_task_in_process()`` starts; it takes a client of one's own only since Airflow 3.3."""

        @staticmethod
        def _api_client(dag=None):
            return client

    with structlog.testing.capture_logs() as lines:
        result = Supervisor.start(what=instance, task=task)
    client.close()
    return Ended(result.state.value, result.msg, result.error, list(lines), api)


def deferred_to(ended: Ended) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Trigger class, its arguments, and those of the method that follows, read from what Airflow stores."""
    assert ended.state == "deferred", ended.error
    stored = ended.api.states[-1]
    return stored["classpath"], deserialize(stored["trigger_kwargs"]), deserialize(stored["next_kwargs"])
