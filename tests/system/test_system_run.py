"""
A real Airflow in which tasks that run a whole job are killed, evicted, cleared and frozen.

However that is done, each job is created once and started once, and only who wants it stopped has it stopped.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from airflow_sentinelhub.jobs.creation_tag import tag_of
from demo.task_log import lines_of_package
from tests.harness.shared_airflow import HELD

pytestmark = pytest.mark.system

TASK = "run"
ENDLESS = {"queued_seconds": 0, "analysis_seconds": 0, "ready_seconds": 0, "processing_seconds": 1e7}


class Asked:
    """What was asked of the service by POST; it keeps only its latest requests, so it is read again and again."""

    def __init__(self, service):
        self._service = service
        self._seen = set()

    def look(self):
        for each in self._service.requests()["recent"]:
            if each["method"] == "POST" and "/batch" in each["path"]:
                self._seen.add((each["time"], each["path"]))
        return [path for _, path in self._seen]

    def of(self, job_id):
        return Counter(path.rpartition("/")[2] for path in self.look() if job_id in path)


class Run:
    """A run of a DAG whose one task runs a job."""

    def __init__(self, world, dag_id, **conf):
        self.service, self.airflow, self._asked = world.service, world.airflow, world.asked
        self.dag_id, self.folder = dag_id, world.folder / f"{dag_id}-{len(world.runs)}"
        self.folder.mkdir()
        self.run_id = self.airflow.trigger(dag_id, {"folder": str(self.folder), **conf})
        world.runs.append(self)

    def jobs(self, index=-1):
        """The ids of its jobs, oldest first."""
        return [
            job["id"]
            for job in self.service.jobs()
            if (tag := tag_of(job)) and (tag.run_id, tag.map_index) == (self.run_id, index)
        ]

    def job(self, index=-1):
        [job_id] = self.jobs(index)
        return self.service.job(job_id)

    def asked(self, index=-1):
        """What was asked for its job."""
        return dict(self._asked.of(self.job(index)["id"]))

    def state(self, index=-1):
        return self.airflow.task_state(self.dag_id, self.run_id, TASK, index)

    def triggerer(self):
        """The id of the triggerer that has its trigger."""
        [task] = self.airflow.task_instances(self.dag_id, self.run_id)
        return task["triggerer_job"] and task["triggerer_job"]["id"]

    def is_taken_from(self, triggerer):
        """Wait until another triggerer has its trigger, and has looked at the job."""
        self.until(lambda: self.triggerer() not in (None, triggerer), "no other triggerer takes it", index=-1)
        looks = self._looks
        self.until(lambda: self._looks > looks, "nobody looks at its job", index=-1)
        return self.triggerer()

    @property
    def _looks(self):
        counts = self.service.requests()["by_path"]
        return sum(count for path, count in counts.items() if path.startswith("GET /api/v2/batch/process"))

    def until(self, happened, what, *, index=None):
        """
        Wait for something.

        :param index: of the task that it takes: without it, nothing can be known when it has ended.
        """

        def it_has():
            self._asked.look()
            return happened()

        self.airflow.wait_until(
            it_has,
            what,
            possible=lambda: index is None or not self.airflow.has_ended(self.dag_id, self.run_id, TASK, index),
            story=lambda: self.airflow.story(self.dag_id, self.run_id),
        )
        return self

    def runs(self, state, index=-1):
        """Wait until its job is processed and the task in this state, with no process left if it is deferred."""

        def it_does():
            jobs = self.jobs(index)
            return jobs and self.service.job(jobs[-1])["status"] == "PROCESSING" and self.state(index) == state

        self.until(it_does, f"its job is not processed while the task is {state}", index=index)
        if state == "deferred":
            self.airflow.wait_until_deferred(self.dag_id, self.run_id, TASK, index)
        return self

    def runs_into_the_fault(self, api):
        """Wait until the fault of this API is used up."""
        return self.until(
            lambda: all(fault["api"] != api for fault in self.service.faults()),
            "it does not ask for that",
            index=-1,
        )

    def processes(self, attempt=1, index=-1):
        """The processes of an attempt, and those that look after them, in the order of their start."""
        note = self.folder / f"{index}-{attempt}"
        lines = note.read_text(encoding="utf-8").splitlines() if note.exists() else []
        return [tuple(map(int, line.split())) for line in lines]

    def kill_worker(self, attempt=1):
        """Kill the process of an attempt as the kernel does when memory runs out."""
        os.kill(self.processes(attempt)[-1][0], signal.SIGKILL)

    def mark(self, state, index=-1):
        self.airflow.mark(self.dag_id, self.run_id, TASK, state, index)

    def clear(self):
        self.airflow.clear(self.dag_id, self.run_id, [TASK])

    def stop_now(self, index=-1, **scenario):
        self.service.set_scenario(self.jobs(index)[-1], {"processing_seconds": 0, **scenario})
        return self

    def ends_as(self, state):
        self.airflow.wait_for_run(self.dag_id, self.run_id, state, on_tick=self._asked.look)

    def returned(self, index=-1):
        return self.airflow.xcom(self.dag_id, self.run_id, TASK, map_index=index)

    def log(self, attempt=1, index=-1):
        lines = self.airflow.log_lines(self.dag_id, self.run_id, TASK, attempt, index)
        told = [line for line in lines_of_package(lines) if line["level"] != "debug"]
        return "\n".join(str(line["event"]) for line in told)

    def tells(self, text, attempt=1, index=-1):
        """Wait until its log says so."""
        return self.until(lambda: text in self.log(attempt, index), f"its log does not say {text!r}")

    def was_stopped(self, index=-1):
        self.until(lambda: self.job(index)["userAction"] == "STOP", "its job goes on")
        assert self.asked(index) == {"start": 1, "stop": 1}

    def goes_on(self, index=-1):
        job = self.job(index)
        assert (job["status"], job["userAction"], self.asked(index)) == ("PROCESSING", "START", {"start": 1})


class World:
    """Airflow, the service, and what runs."""

    def __init__(self, service, airflow, folder):
        self.service, self.airflow, self.folder = service, airflow, folder
        self.asked, self.runs = Asked(service), []


@pytest.fixture(scope="module")
def world(service, airflow, tmp_path_factory):
    service.forget_requests()
    service.clear_faults()
    service.default_scenario(ENDLESS)
    yield World(service, airflow, tmp_path_factory.mktemp("runs"))
    service.clear_faults()
    service.configure(hidden_fields=[], restart_seconds=1800.0)
    service.default_scenario(HELD)


@pytest.fixture(scope="module")
def killed(world):
    """Tasks whose workers are killed while they create a job, before they start it, and as they start it."""
    world.service.fault("hang", carried_out=True, method="POST", api="statistical", path="/batch$")
    world.service.fault("hang", method="GET", api="process_v1", path="/process/[^/]+$")
    world.service.fault("hang", carried_out=True, method="POST", api="process", path="/start$")
    runs = {
        "creating": Run(world, "run_once_statistical"),
        "created": Run(world, "run_once_v1"),
        "starting": Run(world, "run_once"),
    }
    for name, api in {"creating": "statistical", "created": "process_v1", "starting": "process"}.items():
        runs[name].runs_into_the_fault(api).kill_worker()
    return runs


@pytest.fixture(scope="module")
def runs(world, killed):
    """All others, side by side."""
    dags = ["verified", "on_worker", "and_leave", "many", "changing", "briefly", "briefly_and_leave"]
    return {
        **killed,
        **{name: Run(world, f"run_{name}") for name in dags},
        **{name: Run(world, "run_once") for name in ("failed", "run_failed", "cleared", "watched", "bought")},
        "worker_killed": Run(world, "run_on_worker"),
        "lingering": Run(world, "run_once", linger=True),
    }


@pytest.mark.parametrize("name", ["creating", "created", "starting"])
def test_the_worker_is_killed_before_the_task_is_deferred(runs, name):
    run = runs[name].runs("deferred").stop_now()
    run.ends_as("success")
    assert len(run.processes(1)) == 1
    assert len(run.processes(2)) == 2
    assert run.returned()["id"] == run.job()["id"]
    assert run.asked() == {"start": 1}
    assert "Goes on with the job that is there" in run.log(2)


def test_the_worker_is_killed_while_it_verifies(world, runs):
    run = runs["verified"].runs("deferred")
    world.service.fault("hang", method="GET", api="process_v1", path="/tiles")
    run.stop_now().runs_into_the_fault("process_v1").kill_worker()
    run.ends_as("success")
    assert run.returned()["id"] == run.job()["id"]
    assert run.asked() == {"start": 1}
    assert "Verified: 12 of 12 tiles delivered" in run.log(2)


def test_the_worker_is_killed_before_airflow_knows_of_the_end(runs):
    run = runs["lingering"].runs("deferred").stop_now()
    run.until((run.folder / "lingers").exists, "it did not come to its end", index=-1)
    run.kill_worker()
    run.ends_as("success")
    assert run.returned()["id"] == run.job()["id"]
    assert run.asked() == {"start": 1}


def test_a_worker_that_waits_is_evicted_and_then_killed(runs):
    run = runs["worker_killed"].runs("running")
    run.tells("Waiting until")
    os.kill(run.processes()[0][1], signal.SIGTERM)
    run.tells("The worker is told to end; the task is running. ")
    assert f"The job is left as it is (Batch Process {run.job()['id']})" in run.log()
    run.goes_on()
    run.kill_worker()
    run.until(lambda: run.processes(2), "it is not retried", index=-1).stop_now()
    run.ends_as("success")
    assert run.asked() == {"start": 1}


def test_it_is_marked_failed_while_it_is_deferred(runs):
    run = runs["failed"].runs("deferred")
    run.mark("failed")
    run.was_stopped()
    run.tells("This task was killed (it is failed)")
    run.tells("Stop accepted")


def test_its_dag_run_is_marked_failed_and_the_service_takes_its_time(world, runs):
    """Airflow meanwhile cancels the trigger again every second."""
    run = runs["run_failed"].runs("deferred")
    world.service.fault("slow", method="POST", api="process", path="/stop$", seconds=4)
    run.airflow.mark_run(run.dag_id, run.run_id, "failed")
    run.was_stopped()
    run.tells("This task was killed (it is failed): the job is asked to stop (Batch Process")


def test_it_is_marked_failed_on_its_worker(runs):
    run = runs["on_worker"].runs("running")
    run.tells("Waiting until")
    run.mark("failed")
    run.was_stopped()
    run.tells("This task was killed.")


def test_the_user_wants_the_job_to_be_left(runs):
    run = runs["and_leave"].runs("deferred")
    run.mark("failed")
    run.tells("LEFT AS IT IS, on_kill='leave'")
    run.goes_on()


def test_it_is_cleared_while_it_is_deferred(runs):
    run = runs["cleared"].runs("deferred")
    run.clear()
    run.until(lambda: len(run.processes(2)) == 1, "it does not begin again", index=-1).runs("deferred")
    run.tells("was left alone")
    run.goes_on()
    run.stop_now()
    run.ends_as("success")
    assert run.returned()["id"] == run.job()["id"]


def test_it_is_cleared_and_asks_for_another_job(world, runs):
    run = runs["changing"].runs("deferred")
    [first] = run.jobs()
    run.clear()
    run.until(lambda: len(run.jobs()) == 2, "it does not begin again", index=-1).runs("deferred").stop_now()
    run.ends_as("success")
    second = run.jobs()[1]
    assert run.returned()["id"] == second
    assert world.asked.of(first) == {"start": 1, "stop": 1}
    assert world.asked.of(second) == {"start": 1}


@pytest.mark.parametrize(("name", "asked"), [("briefly", {"stop": 1}), ("briefly_and_leave", {})])
def test_time_is_up(runs, name, asked):
    run = runs[name]
    run.ends_as("failed")
    assert run.asked() == {"start": 1, **asked}
    assert len(run.processes(2)) == 0, "it is not retried"
    assert run.returned()["id"] == run.job()["id"]


def test_one_of_three_mapped_tasks_is_marked_failed_and_another_a_success(runs):
    run = runs["many"]
    for index in range(3):
        run.runs("deferred", index)
    run.mark("success", 0)
    run.mark("failed", 1)
    run.was_stopped(1)
    run.tells("was left alone", index=0)
    run.goes_on(0)
    run.goes_on(2)
    assert run.state(2) == "deferred"
    run.stop_now(2).until(lambda: run.state(2) == "success", "it does not end")
    assert run.returned(2)["id"] == run.job(2)["id"]


def test_a_killed_task_that_is_cleared_goes_on_with_its_job(world, runs):
    run = runs["failed"]
    job_id = run.job()["id"]
    # Without these fields the lock is not known, and the service's answer decides.
    world.service.configure(hidden_fields=["lastUpdated", "userActionUpdated"], restart_seconds=0)
    run.until(lambda: run.job()["status"] == "STOPPED", "its job does not end").clear()
    run.runs("deferred").stop_now()
    run.ends_as("success")
    assert run.returned()["id"] == job_id == run.job()["id"]
    assert run.asked() == {"start": 2, "stop": 1}


def test_a_job_that_failed_is_bought_again_by_a_clear_and_by_no_retry(runs):
    run = runs["bought"].runs("deferred").stop_now(end="FAILED")
    run.ends_as("failed")
    assert len(run.jobs()) == 1
    assert not run.processes(2), "it is not retried"
    run.clear()
    run.until(lambda: len(run.jobs()) == 2, "the clear creates no other job", index=-1)
    run.runs("deferred").stop_now()
    run.ends_as("success")


def test_a_finished_task_that_is_cleared_runs_anew(world, runs):
    run = runs["starting"]
    [first] = run.jobs()
    attempt = 3
    run.clear()
    run.until(lambda: len(run.jobs()) == 2, "it does not begin again", index=-1).runs("deferred").stop_now()
    run.ends_as("success")
    second = run.jobs()[1]
    assert run.returned()["id"] == second
    assert (world.asked.of(first), world.asked.of(second)) == ({"start": 1}, {"start": 1})
    assert "begins anew" in run.log(attempt)


def test_the_triggerer_is_stopped_killed_and_frozen(world, runs):
    run, airflow = runs["watched"].runs("deferred"), world.airflow
    airflow.stop("triggerer")
    outage = world.service.fault(status=503, times=None, api="process")
    airflow.start("triggerer")
    run.tells("waiting on until")
    world.service.clear_faults(outage)
    killed = run.triggerer()
    airflow.kill("triggerer")
    airflow.start("triggerer")
    first = run.is_taken_from(killed)
    airflow.freeze("triggerer")
    try:
        airflow.start("triggerer", "-2")
        run.is_taken_from(first)
    finally:
        airflow.thaw("triggerer")
    run.tells("The task is deferred: the job was left alone (Batch Process")
    run.goes_on()
    run.stop_now().ends_as("success")
    airflow.stop("triggerer-2")


def test_every_job_was_asked_for_once(world, runs):
    created = [path for path in world.asked.look() if path.endswith(("/process", "/batch"))]
    assert len(created) == sum(len(run.jobs(index)) for run in world.runs for index in (-1, 0, 1, 2))
