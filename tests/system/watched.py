"""A job that is processed until a test ends it, and the run of a DAG that waits for it."""

from __future__ import annotations

from datetime import UTC, datetime

from demo.task_log import lines_of_package

PROCESSING = [{"status": "PROCESSING", "completionPercentage": 42}]


class Watched:
    """
    A job, and the run of a DAG of ``dags/chaos.py`` that waits for it.

    :param dag_id: the DAG.
    """

    def __init__(self, service, airflow, dag_id="wait"):
        self.service, self.airflow, self.dag_id = service, airflow, dag_id
        self.job_id = service.add_job("process", steps=PROCESSING)
        self.run_id = airflow.trigger(dag_id, {"request_id": self.job_id})

    def looks(self, since=""):
        """
        Count the answers that told of the job: to a request for it alone, or for the list of all jobs.

        :param since: only of requests that came after this time.
        """
        return sum(
            request["method"] == "GET"
            and request["status"] == 200
            and request["time"] > since
            and (self.job_id in request["path"] or request["path"].endswith("/batch/process"))
            for request in self.service.requests()["recent"]
        )

    @property
    def state(self):
        return self.airflow.task_state(self.dag_id, self.run_id, "wait")

    def until(self, happened, what):
        """Wait for something that needs the task to wait on."""
        self.airflow.wait_until(
            happened,
            what,
            possible=lambda: not self.airflow.has_ended(self.dag_id, self.run_id, "wait"),
            story=lambda: self.airflow.story(self.dag_id, self.run_id),
        )
        return self

    def until_watched(self):
        """
        Wait until somebody looks at the job again: twice from now on.

        One request may have been on its way from somebody who does not live any more.
        """
        since = now()
        return self.until(lambda: self.looks(since) >= 2, "nobody looks at the job")

    def until_deferred(self):
        """Wait until the task is deferred, and its job is looked at."""
        self.airflow.wait_until_deferred(self.dag_id, self.run_id, "wait")
        return self.until_watched()

    def until_told(self, *texts):
        """Wait until the log says one of these."""
        return self.until(
            lambda: any(text in line for text in texts for line in self.log()), f"the log does not say {texts}"
        )

    def end(self, **step):
        self.service.set_scenario(self.job_id, steps=[{"status": "DONE", "completionPercentage": 100, **step}])

    def ends_as(self, state):
        self.airflow.wait_for_run(self.dag_id, self.run_id, state)
        assert self.state == state

    def log(self, try_number=1):
        lines = self.airflow.log_lines(self.dag_id, self.run_id, "wait", try_number=try_number)
        return [line["event"] for line in lines_of_package(lines) if line["level"] != "debug"]

    def verdicts(self, try_number=1):
        return [line for line in self.log(try_number) if ", waited " in line]


def now():
    """The time as the emulator writes it beside a request."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def two_deferred(service, airflow):
    """Give two jobs that are watched: one will be done, the other will fail."""
    return [job.until_deferred() for job in [Watched(service, airflow), Watched(service, airflow)]]


def assert_right_verdicts(watched):
    """Let the jobs end, and see that their tasks say so, once."""
    good, bad = watched
    assert [job.state for job in watched] == ["deferred", "deferred"]
    good.end()
    bad.end(status="FAILED", error="Evalscript broken")
    good.ends_as("success")
    bad.ends_as("failed")
    assert good.airflow.xcom("wait", good.run_id, "wait")["status"] == "DONE"
    assert len(good.verdicts()) == 2, "the trigger's, and the worker repeats it"
    assert sum("Evalscript broken" in line for line in bad.log()) == 1, "the worker's is the exception"


def assert_nothing_was_stopped(service):
    """See that nobody asked the service to stop, start or change a job."""
    actions = service.requests()["actions"]
    assert not any(count for name, count in actions.items() if name != "create"), actions
