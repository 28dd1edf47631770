"""A task's log is read as each version of Airflow answers it."""

from __future__ import annotations

import pytest

from demo.airflow_rest import AirflowRest, AirflowRestError
from demo.task_log import lines_of_package

FIRST = {"timestamp": "12:00", "level": "info", "logger": "airflow_sentinelhub.x", "event": "Waiting"}
SECOND = {"timestamp": "12:01", "level": "info", "logger": "airflow_sentinelhub.x", "event": "DONE"}
ENOUGH = 10


class Scripted(AirflowRest):
    """An Airflow whose log endpoint gives these answers; an integer is a status that is an error."""

    def __init__(self, *answers):
        super().__init__("http://127.0.0.1:1")
        self.answers, self.asked = list(answers), 0

    def request(self, method, path, **_):
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        assert self.asked < ENOUGH, "it asks without end"
        if isinstance(answer, int):
            raise AirflowRestError(method, path, answer, "Internal Server Error")
        lines, goes_on = answer
        return {"content": lines, "continuation_token": "more" if goes_on else None}


@pytest.mark.parametrize(
    ("answers", "events"),
    [
        pytest.param([([FIRST, SECOND], False)], ["Waiting", "DONE"], id="it is over"),
        pytest.param([([FIRST], True), ([SECOND], False)], ["Waiting", "DONE"], id="two pages"),
        pytest.param([([FIRST], True), ([], True)], ["Waiting"], id="it goes on, and the page is empty"),
        pytest.param([([FIRST], True), ([FIRST], True)], ["Waiting"], id="3.1: the same page again"),
        pytest.param([500], [], id="3.2: nothing is written yet"),
        pytest.param([([FIRST], True), 500], ["Waiting"], id="3.2: nothing more is written yet"),
        pytest.param([404], [], id="there is no log yet"),
    ],
)
def test_all_that_is_written_is_read_once(answers, events):
    assert [line["event"] for line in Scripted(*answers).log_lines("dag", "run", "task")] == events


def test_another_error_is_raised():
    with pytest.raises(AirflowRestError, match="403"):
        Scripted(403).log_lines("dag", "run", "task")


@pytest.mark.parametrize(
    ("line", "is_ours"),
    [
        ({"logger": "airflow_sentinelhub.triggers.batch.SentinelHubBatchTrigger"}, True),
        ({"logger": "airflow.task.operators.airflow_sentinelhub.sensors.batch.SentinelHubBatchJobSensor"}, True),
        ({"logger": "airflow.stats", "filename": "wait.py"}, False),
        ({"logger": None, "filename": "progress_log.py"}, True),
        ({"logger": None, "filename": "triggerer_job_runner.py"}, False),
        ({"logger": None, "filename": "__init__.py"}, False),
        ({"logger": None}, False),
    ],
)
def test_what_the_provider_has_written(line, is_ours):
    assert lines_of_package([line]) == ([line] if is_ours else [])
