"""A real Airflow whose workers are killed while they create a job: in the end there is one, asked for once."""

from __future__ import annotations

import os
import signal

import pytest

from tests.harness.shared_airflow import STAGE
from tests.harness.versions import needs_airflow

pytestmark = pytest.mark.system

DAG, TASK = "create_once", "create_job"


class Creation:
    """A run that creates a job, among other people's."""

    def __init__(self, service, airflow, folder, **conf):
        self.service, self.airflow, self.folder = service, airflow, folder
        self.name = folder.name
        self.run_id = airflow.trigger(DAG, {"folder": str(folder), "name": self.name, **conf})

    def until(self, happened, what):
        """Wait for something that needs the task to go on."""
        self.airflow.wait_until(
            happened,
            what,
            possible=lambda: not self.airflow.has_ended(DAG, self.run_id, TASK),
            story=lambda: self.airflow.story(DAG, self.run_id),
        )

    def kill_worker(self, attempt=1):
        """Kill the process of an attempt as the kernel does when memory runs out."""
        os.kill(int((self.folder / f"attempt-{attempt}").read_text(encoding="utf-8")), signal.SIGKILL)

    @property
    def state(self):
        return self.airflow.task_state(DAG, self.run_id, TASK)

    @property
    def posts(self):
        return self.service.requests()["actions"]["create"]

    @property
    def jobs(self):
        # Other files leave jobs of other APIs, whose requests are elsewhere.
        described = ((job["id"], job.get("request", {}).get("description", "")) for job in self.service.jobs())
        return [job_id for job_id, description in described if description.startswith(self.name)]

    @property
    def lists_read(self):
        """How often the list of jobs was asked for."""
        return self.service.requests()["by_path"].get("GET /api/v2/batch/process", 0)

    def succeeds(self):
        self.airflow.wait_for_run(DAG, self.run_id, "success")

    @property
    def returned(self):
        return self.airflow.xcom(DAG, self.run_id, TASK)["id"]

    def story(self, attempt):
        lines = self.airflow.log_lines(DAG, self.run_id, TASK, try_number=attempt)
        return "\n".join(str(line["event"]) for line in lines)


@pytest.fixture
def service_among_others(service):
    service.add_foreign_jobs("process", 20)
    service.configure(foreign_jobs_per_page=2)
    service.forget_requests()
    yield service
    service.clear_faults()
    service.configure(foreign_jobs_per_page=0, list_lag_seconds=0)


@pytest.fixture
def create(service_among_others, airflow, tmp_path):
    return lambda **conf: Creation(service_among_others, airflow, tmp_path, **conf)


@pytest.mark.parametrize(
    "there", ["at once", pytest.param("later", marks=needs_airflow("3.3", "knows that a job was asked for"))]
)
def test_the_worker_is_killed_in_the_middle_of_the_post(service_among_others, create, there):
    service = service_among_others
    # The job is there, its answer never comes, and the list may show it only when the next attempt looks for it.
    service.configure(list_lag_seconds=STAGE if there == "later" else 0)
    service.fault(method="POST", path="/process$", kind="hang", carried_out=True)
    creation = create()
    creation.until(lambda: creation.jobs, "no job was asked for")
    creation.kill_worker()
    if there == "later":
        before = creation.lists_read
        creation.until(lambda: creation.lists_read >= before + 2, "the next attempt does not go on looking for it")
        service.advance(STAGE)
    creation.succeeds()
    assert creation.jobs == [creation.returned]
    assert creation.posts == 1
    assert "Goes on with the job that is there" in creation.story(attempt=2)


def test_the_worker_is_killed_before_airflow_knows_of_the_success(create):
    creation = create(linger=True)
    creation.until((creation.folder / "lingers").exists, "it did not come to its end")
    creation.kill_worker()
    creation.succeeds()
    assert creation.jobs == [creation.returned]
    assert creation.posts == 1


@needs_airflow("3.3", "tells a clear from a retry")
def test_a_task_that_is_cleared_after_its_success_begins_anew(airflow, create):
    creation = create()
    creation.succeeds()
    first = creation.returned
    airflow.clear(DAG, creation.run_id, [TASK])
    creation.until((creation.folder / "attempt-2").exists, "it did not begin again")
    creation.succeeds()
    assert creation.jobs == [first, creation.returned]
    assert creation.posts == 2
    assert "begins anew" in creation.story(attempt=2)
