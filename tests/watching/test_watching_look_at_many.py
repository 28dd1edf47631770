"""A look at many jobs: the list where it pays, and nobody is asked in vain when the service is away."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.exceptions import Forbidden, NotFound, ServiceUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob, MissingJob
from airflow_sentinelhub.watching import look_at_many

AWAY = ServiceUnavailable("503")


class Reader:
    """A client of an account with jobs, newest first; ``asked`` has what was asked for."""

    api = BatchApi.PROCESS

    def __init__(self, jobs, *, page=100, list_fails=None, fails=None):
        self.jobs, self.page, self.list_fails, self.fails = jobs, page, list_fails, fails or {}
        self.asked, self.budgets = [], set()

    def list(self, *, budget=None):
        self.budgets.add(budget)
        for start in range(0, len(self.jobs), self.page):
            self.asked.append("list")
            if self.list_fails:
                raise self.list_fails
            yield [{"id": job_id, "status": "PROCESSING"} for job_id in self.jobs[start : start + self.page]]

    def get(self, job_id, *, budget=None):
        self.budgets.add(budget)
        self.asked.append(job_id)
        if error := self.fails.get(job_id):
            raise error
        if job_id not in self.jobs:
            raise NotFound("404", code="COMMON_NOT_FOUND")
        return {"id": job_id, "status": "DONE"}


def ids(count, prefix="a"):
    return [f"{prefix}{number}" for number in range(count)]


def test_two_hundred_jobs_are_two_pages():
    reader = Reader(ids(200))
    looks = look_at_many(reader, ids(200))
    assert reader.asked == ["list", "list"]
    assert set(looks) == set(ids(200))
    assert all(isinstance(look, BatchJob) for look in looks.values())


def test_one_job_is_asked_for():
    reader = Reader(ids(3))
    assert look_at_many(reader, ["a1"])["a1"].status == "DONE"
    assert reader.asked == ["a1"]


def test_the_list_of_other_people_is_not_read_far():
    reader = Reader(ids(5000, "other") + ids(30))
    looks = look_at_many(reader, ids(30))
    assert reader.asked == ["list"] * 3 + ids(30)
    assert len(looks) == 30


def test_what_the_list_does_not_tell_is_asked_for():
    reader = Reader(ids(10))
    looks = look_at_many(reader, [*ids(10), "b"], certain=["a3"])
    assert reader.asked == ["list", "a3", "b"]
    assert looks["b"] == MissingJob(BatchApi.PROCESS, "b")
    assert looks["a3"].word == "DONE"


def test_ids_are_compared_without_case():
    assert set(look_at_many(Reader(["a0", "a1"]), ["A0", "A1"])) == {"A0", "A1"}


def test_an_account_that_may_not_list_asks_for_each():
    reader = Reader(ids(3), list_fails=Forbidden("403"))
    assert all(isinstance(look, BatchJob) for look in look_at_many(reader, ids(3)).values())


def test_when_the_service_is_away_one_request_tells_it():
    reader = Reader(ids(200), list_fails=AWAY)
    assert set(look_at_many(reader, ids(200)).values()) == {AWAY}
    assert reader.asked == ["list"]


def test_when_it_goes_away_meanwhile_three_requests_tell_it():
    reader = Reader(ids(50), list_fails=Forbidden("403"), fails=dict.fromkeys(ids(50)[10:], AWAY))
    looks = look_at_many(reader, ids(50))
    assert len(reader.asked) == 1 + 10 + 3
    assert set(map(id, list(looks.values())[10:])) == {id(AWAY)}
    assert len(looks) == 50


@pytest.mark.parametrize("budget", [0, None])
def test_a_job_of_which_nothing_can_be_heard_has_its_own_trouble(budget):
    reader = Reader(ids(4), list_fails=Forbidden("403"), fails={"a1": AWAY})
    looks = look_at_many(reader, ids(4), budget=budget)
    assert [isinstance(look, BatchJob) for look in looks.values()] == [True, False, True, True]
    assert reader.budgets == {budget}
