"""A stop by a process that is about to end: one request, a second one only after a refusal."""

from __future__ import annotations

import logging

import pytest

from airflow_sentinelhub.exceptions import BadRequest, Conflict, Forbidden, NotFound, ServiceUnavailable
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.waits.quick_stop import stop_now

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
NOW = 1_800_000_000.0
NOT_FOUND = NotFound("404", code="COMMON_NOT_FOUND")
AWAY = ServiceUnavailable("503")


class ScriptedClient:
    """Answers a stop and a poll as it is told, and keeps what it was asked."""

    api = BatchApi.PROCESS

    def __init__(self, stop, job):
        self._stop, self._job, self.asked = stop, job, []

    def stop(self, job_id, *, budget=None):
        self.asked.append(("stop", job_id, budget))
        if self._stop is not None:
            raise self._stop

    def get(self, job_id, *, budget=None):
        self.asked.append(("get", job_id, budget))
        if isinstance(self._job, Exception):
            raise self._job
        return {"id": job_id, **self._job}


def job(status, action="START"):
    return {"status": status, "userAction": action}


@pytest.mark.parametrize(
    ("stop", "then", "level", "flags", "said"),
    [
        (None, None, logging.WARNING, {"accepted"}, "Stop accepted"),
        (Conflict("409"), job("PROCESSING"), logging.ERROR, {"again"}, "COULD NOT BE STOPPED"),
        (BadRequest("400"), job("ANALYSING"), logging.ERROR, {"again"}, "COULD NOT BE STOPPED"),
        (BadRequest("400"), job("DONE"), logging.INFO, set(), "DONE"),
        (BadRequest("400"), job("STOPPED", "STOP"), logging.INFO, set(), "STOPPED"),
        (BadRequest("400"), job("PROCESSING", "STOP"), logging.INFO, {"accepted"}, "PROCESSING"),
        (NOT_FOUND, NOT_FOUND, logging.INFO, {"missing"}, "gone, 404"),
        (BadRequest("400"), AWAY, logging.ERROR, set(), "503"),
        (AWAY, None, logging.ERROR, {"again"}, "503"),
        (Forbidden("403"), None, logging.ERROR, set(), "403"),
    ],
)
def test_what_comes_of_it(stop, then, level, flags, said):
    client = ScriptedClient(stop, then)
    result = stop_now(client, JOB_ID, 5.0, NOW)
    assert {name for name in ("again", "missing", "accepted") if getattr(result, name)} == flags
    assert (result.level, said in result.line) == (level, True), result.line
    assert client.asked == [("stop", JOB_ID, 5.0), *([("get", JOB_ID, 5.0)] if then else [])]


@pytest.mark.parametrize("stop", [AWAY, Forbidden("403"), BadRequest("400")])
def test_a_job_that_may_go_on_is_named_with_what_to_do(stop):
    line = stop_now(ScriptedClient(stop, job("PROCESSING")), JOB_ID, 5.0, NOW).line
    assert line.startswith("COULD NOT BE STOPPED")
    assert f"(Batch Process {JOB_ID})" in line.splitlines()[0]
    assert "SentinelHubBatchStopOperator" in line
