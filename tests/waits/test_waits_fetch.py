"""A look has every outcome as a value."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.exceptions import InvalidPayload, NotFound, ServiceUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob, MissingJob, Outcome, Verdict
from airflow_sentinelhub.waits.fetch import apis_to_ask, fetch_job, found_in_other_api

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
SEEN = BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID, "status": "PROCESSING"})


class ScriptedReader:
    """Answers with what it is given, and keeps what it was asked."""

    def __init__(self, answer, api=BatchApi.STATISTICAL):
        self.answer, self.api, self.asked = answer, api, []

    def get(self, job_id, *, budget=None):
        return self._answer("get", job_id, budget)

    def status(self, job_id, *, budget=None):
        return self._answer("status", job_id, budget)

    def _answer(self, *asked):
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer


def test_a_look_asks_once_and_never_sleeps():
    reader = ScriptedReader({"id": JOB_ID.upper(), "status": "PROCESSING"})
    assert fetch_job(reader, JOB_ID).raw_status == "PROCESSING"
    assert fetch_job(reader, JOB_ID, status_only=True).user_action is None
    assert reader.asked == [("get", JOB_ID, 0), ("status", JOB_ID, 0)]


@pytest.mark.parametrize("budget", [None, 30.0])
def test_who_may_block_lets_the_client_ask_again(budget):
    reader = ScriptedReader({"id": JOB_ID, "status": "DONE"})
    fetch_job(reader, JOB_ID, status_only=True, budget=budget)
    assert reader.asked == [("status", JOB_ID, budget), ("get", JOB_ID, budget)]


@pytest.mark.parametrize("error", [ServiceUnavailable("503"), InvalidPayload("no id")])
def test_trouble_is_a_value(error):
    assert fetch_job(ScriptedReader(error), JOB_ID) is error


def test_404_is_an_answer():
    said_by_the_service = NotFound("404", code="COMMON_NOT_FOUND")
    assert fetch_job(ScriptedReader(said_by_the_service), JOB_ID) == MissingJob(BatchApi.STATISTICAL, JOB_ID)


def test_404_of_a_gateway_says_nothing_of_the_job():
    page = NotFound("404")
    assert fetch_job(ScriptedReader(page), JOB_ID) is page


@pytest.mark.parametrize("answer", [[], {"id": "another"}, {"status": "DONE"}])
def test_an_answer_about_something_else_is_trouble(answer):
    assert isinstance(fetch_job(ScriptedReader(answer), JOB_ID), InvalidPayload)


@pytest.mark.parametrize(
    ("verdict", "asked"),
    [
        (Verdict(Outcome.NOT_FOUND, BatchApi.PROCESS_V1, JOB_ID), (BatchApi.PROCESS, BatchApi.STATISTICAL)),
        (Verdict(Outcome.NOT_FOUND, BatchApi.PROCESS, JOB_ID), (BatchApi.STATISTICAL, BatchApi.PROCESS_V1)),
        (Verdict(Outcome.NOT_FOUND, BatchApi.STATISTICAL, JOB_ID), (BatchApi.PROCESS, BatchApi.PROCESS_V1)),
        (
            Verdict(Outcome.WAITING, BatchApi.STATISTICAL, JOB_ID, missing=True, warn=True),
            (BatchApi.PROCESS, BatchApi.PROCESS_V1),
        ),
        (Verdict(Outcome.WAITING, BatchApi.STATISTICAL, JOB_ID, missing=True), ()),
        (Verdict(Outcome.WAITING, BatchApi.STATISTICAL, JOB_ID), ()),
        (Verdict(Outcome.FAILED, BatchApi.PROCESS_V1, JOB_ID), ()),
        (Verdict(Outcome.NOT_FOUND, BatchApi.PROCESS, JOB_ID, job=SEEN), ()),
    ],
)
def test_a_job_that_is_not_there_is_looked_for_once_in_the_other_apis(verdict, asked):
    assert apis_to_ask(verdict) == asked


@pytest.mark.parametrize(
    ("elsewhere", "says"),
    [
        (BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID}), "SentinelHubBatchProcessJobSensor"),
        (BatchJob.from_payload(BatchApi.STATISTICAL, {"id": JOB_ID}), "api='statistical'"),
        (MissingJob(BatchApi.PROCESS, JOB_ID), None),
        (ServiceUnavailable("503"), None),
    ],
)
def test_a_v1_job_that_belongs_to_another_api(elsewhere, says):
    verdict = found_in_other_api(Verdict(Outcome.NOT_FOUND, BatchApi.PROCESS_V1, JOB_ID, "as it was"), elsewhere)
    if says is None:
        assert verdict is None
        return
    assert verdict.outcome is Outcome.NOT_FOUND
    assert verdict.message.startswith("NOT FOUND in Batch Process v1: it is a Batch ")
    assert says in verdict.message
