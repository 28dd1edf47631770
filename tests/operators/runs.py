"""A task that runs a whole job, attempt by attempt: the triggerer is played on the service's time."""

from __future__ import annotations

import json
from typing import Any

from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.triggers.run import SentinelHubBatchRunTrigger
from airflow_sentinelhub.waits.fetch import fetch_job
from airflow_sentinelhub.waits.wait import Wait, WaitSpec
from tests.harness.task_runner import Ended, ExecutionApi, deferred_to, run
from tests.operators.conftest import operator
from tests.operators.creations import posts

PAUSE = "airflow_sentinelhub.triggers.run.SentinelHubBatchRunPauseTrigger"
RUN = "airflow_sentinelhub.triggers.run.SentinelHubBatchRunTrigger"


class RunTask:
    """A task instance of the run operator."""

    def __init__(self, emulator, clock, api="process", **arguments):
        self.emulator, self.clock, self.api = emulator, clock, api
        self.arguments = {"request": sample_request(BatchApi(api)), **arguments}
        self.execution = ExecutionApi()
        self.attempts = 0
        self.deferrals: list[str] = []

    def attempt(self, **arguments: Any) -> Ended:
        """Run an attempt to its end; what it defers to happens at once, on the service's time."""
        self.begin(**arguments)
        return self.go_on()

    def begin(self, **arguments: Any) -> Ended:
        """Run an attempt until it ends or is deferred."""
        self.attempts += 1
        self.execution.xcoms.clear()  # as Airflow does
        self.execution.next_method = self.execution.next_kwargs = None
        self.given = {"task_id": "run", "sentinelhub_conn_id": "sh", **self.arguments, **arguments}
        self.lines = []
        return self._on_worker()

    def go_on(self, most: int = 50) -> Ended:
        for _ in range(most):
            if self.ended.state != "deferred":
                return self.ended
            self.wake()
        raise AssertionError("it waits on and on")

    def wake(self) -> Ended:
        """Let the trigger come to its event, and a worker take over."""
        classpath, kwargs, next_kwargs = deferred_to(self.ended)
        assert json.loads(json.dumps([kwargs, next_kwargs])) == [kwargs, next_kwargs]
        assert self.emulator.client_secret not in json.dumps([kwargs, next_kwargs])
        event = {PAUSE: self._pause, RUN: self._watch}[classpath](kwargs)
        self.execution.next_method = "execute_complete"
        self.execution.next_kwargs = {**next_kwargs, "event": event}
        return self._on_worker()

    def run_to_a_refusal(self, go: Any = None) -> Ended:
        """Run until Airflow refuses its deferral, which the task runner of the tests takes for a deferral."""
        known = len(self.execution.states)
        ended = (go or self.begin)()
        assert ended.state == "deferred", ended.error
        assert len(self.execution.states) == known, "it was deferred"
        return ended

    def unheard(self, reason: str) -> Ended:
        """Let Airflow's own timeout end the deferral, or the trigger crash."""
        self.execution.next_method, self.execution.next_kwargs = "__fail__", {"error": reason}
        return self._on_worker()

    def cleared(self) -> RunTask:
        self.execution.max_tries = self.attempts
        return self

    @property
    def job(self) -> dict[str, Any]:
        """The one job that it has created."""
        jobs = self.emulator.jobs()
        assert len(jobs) == posts(self.emulator) == 1
        return jobs[0]

    @property
    def counts(self):
        return self.execution.xcoms.get("counts")

    def _on_worker(self) -> Ended:
        task = operator("Run", api=self.api, **self.given)
        self.ended = run(task, self.execution, try_number=self.attempts)
        self.lines += self.ended.lines
        self.ended.lines = self.lines
        if self.ended.state == "deferred" and self.execution.states:
            self.deferrals.append(deferred_to(self.ended)[0].rpartition(".")[2])
        return self.ended

    def _pause(self, kwargs):
        self.emulator.advance(max(0.0, kwargs["until"] - self.clock.now()))
        return {"until": kwargs["until"]}

    def _watch(self, kwargs):
        trigger = SentinelHubBatchRunTrigger(**kwargs)
        terms = WaitSpec(trigger.api, trigger.request_id, trigger.goal, trigger.policy, trigger.deadlines)
        wait = Wait(terms, lambda level, text: self.lines.append({"event": text}))
        with SentinelHubHook("sh").get_conn(trigger.api) as client:
            while True:
                look = fetch_job(client, terms.job_id, status_only=wait.status_suffices)
                verdict = wait.update(look, self.clock.now())
                if verdict.is_final:
                    return verdict.to_json()
                self.emulator.advance(wait.next_delay(self.clock.now()))
