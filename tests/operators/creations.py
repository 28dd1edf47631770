"""A task that creates a job, attempt by attempt, and what the service saw of it."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.creation_tag import tag_of
from tests.harness.task_runner import ExecutionApi, run
from tests.harness.versions import needs_airflow
from tests.operators.conftest import operator

every_api = pytest.mark.parametrize("api", list(BatchApi))
with_store = needs_airflow("3.3", "remembers what an attempt left")


class Task:
    """A task instance, attempt by attempt."""

    def __init__(self, emulator, api="process", **arguments):
        self.emulator, self.api = emulator, api
        self.arguments = {"request": sample_request(BatchApi(api)), **arguments}
        self.execution = ExecutionApi()
        self.attempts = 0

    def attempt(self, **arguments):
        self.attempts += 1
        self.execution.xcoms.clear()  # as Airflow does
        arguments = {"task_id": "create", "sentinelhub_conn_id": "sh", **self.arguments, **arguments}
        task = operator("Create", api=self.api, **arguments)
        return run(task, self.execution, try_number=self.attempts)

    def succeeds(self, **arguments):
        ended = self.attempt(**arguments)
        assert ended.state == "success", ended.error
        return ended.returned["id"]

    def cleared(self):
        self.execution.max_tries = self.attempts
        return self

    @property
    def jobs(self):
        """Ids of the jobs at the service that carry the task's tag, oldest first."""
        found = []
        for job in self.emulator.jobs():
            tag = tag_of(job)
            if tag and (tag.dag_id, tag.run_id, tag.task_id) == ("a_dag", "a_run", "create"):
                found.append(job["id"])
        return found


def posts(emulator):
    return emulator.requests()["actions"]["create"]


def requests_of(emulator):
    return sum(count for api, count in emulator.requests()["by_api"].items() if api != "token")


def changed(api):
    request = sample_request(BatchApi(api))
    place = request["aggregation"] if api == "statistical" else request["processRequest"]
    place["evalscript"] += "\n// changed"
    return request


def died(monkeypatch, task):
    """Run an attempt whose worker dies while it waits for the answer."""
    from airflow_sentinelhub.client.batch import BatchClient

    class Killed(BaseException):
        pass

    create = BatchClient.create

    def dies(self, body):
        create(self, body)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(BatchClient, "create", dies)
        assert task.attempt().state != "success"


def died_before_the_end(monkeypatch, task):
    """Run an attempt whose worker dies when the id is kept, and before it has handed the job on."""

    def dies(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("airflow_sentinelhub.operators.job_creation.JobCreator.finish", dies)
        assert task.attempt().state != "success"
