"""A look at many jobs: the list where it pays, and nobody is asked in vain when the service is away."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.exceptions import (
    Forbidden,
    InvalidCredentials,
    InvalidPayload,
    NotFound,
    RateLimited,
    ServiceUnavailable,
)
from airflow_sentinelhub.jobs import BatchApi, BatchJob, MissingJob
from airflow_sentinelhub.polling.fetch_many import fetch_jobs, whose
from airflow_sentinelhub.polling.list_index import ListIndex

AWAY = ServiceUnavailable("503")
UNREADABLE = ServiceUnavailable("truncated or broken JSON (200)")
UNREADABLE.unreadable = True


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
    looks = fetch_jobs(reader, ids(200))
    assert reader.asked == ["list", "list"]
    assert set(looks) == set(ids(200))
    assert all(isinstance(look, BatchJob) for look in looks.values())


def test_one_job_is_asked_for():
    reader = Reader(ids(3))
    assert fetch_jobs(reader, ["a1"])["a1"].status == "DONE"
    assert reader.asked == ["a1"]


def test_the_list_of_other_people_is_not_read_far():
    reader = Reader(ids(5000, "other") + ids(30))
    looks = fetch_jobs(reader, ids(30))
    assert reader.asked == ["list"] * 3 + ids(30)
    assert len(looks) == 30


def test_what_the_list_does_not_tell_is_asked_for():
    reader = Reader(ids(10))
    looks = fetch_jobs(reader, [*ids(10), "b"], bypass_list=["a3"])
    assert reader.asked == ["list", "a3", "b"]
    assert looks["b"] == MissingJob(BatchApi.PROCESS, "b")
    assert looks["a3"].raw_status == "DONE"


def test_ids_are_compared_without_case():
    assert set(fetch_jobs(Reader(["a0", "a1"]), ["A0", "A1"])) == {"A0", "A1"}


def test_an_account_that_may_not_list_asks_for_each():
    reader = Reader(ids(3), list_fails=Forbidden("403"))
    assert all(isinstance(look, BatchJob) for look in fetch_jobs(reader, ids(3)).values())


def test_when_the_service_is_away_one_job_that_is_asked_for_tells_it():
    reader = Reader(ids(200), list_fails=AWAY, fails=dict.fromkeys(ids(200), AWAY))
    assert set(fetch_jobs(reader, ids(200)).values()) == {AWAY}
    assert reader.asked[0] == "list"
    assert len(reader.asked) == 2


@pytest.mark.parametrize("error", [AWAY, UNREADABLE, InvalidPayload("no page"), ValueError("a bug")])
def test_a_list_that_fails_is_not_the_service_that_fails(error):
    reader, list_index = Reader(ids(20), list_fails=error), ListIndex(())
    assert all(isinstance(look, BatchJob) for look in fetch_jobs(reader, ids(20)).values())
    reader.asked.clear()
    looks = [
        fetch_jobs(reader, ids(20), list_index=list_index, now=now) for now in (0.0, 59.0, 61.0, 121.0, 182.0)
    ]
    assert all(isinstance(look, BatchJob) for each in looks for look in each.values())
    assert reader.asked.count("list") == 3, "at 0, 61 and 182 s: less and less often"
    reader.list_fails = None
    reader.asked.clear()
    fetch_jobs(reader, ids(20), list_index=list_index, now=1000.0)
    assert reader.asked == ["list"]


def test_one_job_with_its_own_trouble_does_not_hide_that_only_the_list_fails():
    reader = Reader(ids(10), list_fails=AWAY, fails={"a3": AWAY})
    seen = set()
    for _ in range(40):
        seen |= {job for job, look in fetch_jobs(reader, ids(10)).items() if isinstance(look, BatchJob)}
    assert seen == set(ids(10)) - {"a3"}


def test_what_concerns_the_account_leads_to_no_request_for_each_job():
    no_token = ServiceUnavailable("no token")
    no_token.of_account = True
    for error in (no_token, RateLimited("429"), InvalidCredentials("no")):
        reader = Reader(ids(20), list_fails=error)
        assert set(fetch_jobs(reader, ids(20)).values()) == {error}
        assert reader.asked == ["list"]


def test_a_job_that_cannot_be_read_harms_no_other():
    reader = Reader(ids(20), fails={"b": UNREADABLE})
    looks = fetch_jobs(reader, [*ids(20), "b"])
    assert isinstance(looks.pop("b"), InvalidPayload)
    assert all(isinstance(look, BatchJob) for look in looks.values())
    reader = Reader(ids(3), list_fails=UNREADABLE, fails=dict.fromkeys(ids(3), UNREADABLE))
    assert not any(isinstance(look, InvalidPayload) for look in fetch_jobs(reader, ids(3)).values())


@pytest.mark.parametrize(
    ("fails", "kind"),
    [
        (None, InvalidPayload),
        (Forbidden("403", code="COMMON_INSUFFICIENT_PERMISSIONS"), InvalidPayload),
        (AWAY, ServiceUnavailable),
        (ValueError("a bug"), ServiceUnavailable),
    ],
)
def test_the_list_tells_whose_trouble_an_answer_is_that_cannot_be_read(fails, kind):
    assert type(whose(Reader(ids(3), list_fails=fails), UNREADABLE)) is kind
    missing = MissingJob(BatchApi.PROCESS, "a")
    assert whose(Reader(ids(3), list_fails=fails), missing) is missing


def test_when_it_goes_away_meanwhile_three_requests_tell_it():
    reader = Reader(ids(50), list_fails=Forbidden("403"), fails=dict.fromkeys(ids(50)[10:], AWAY))
    looks = fetch_jobs(reader, ids(50))
    assert len(reader.asked) == 1 + 10 + 3
    assert set(map(id, list(looks.values())[10:])) == {id(AWAY)}
    assert len(looks) == 50


@pytest.mark.parametrize("budget", [0, None])
def test_a_job_of_which_nothing_can_be_heard_has_its_own_trouble(budget):
    reader = Reader(ids(4), list_fails=Forbidden("403"), fails={"a1": AWAY})
    looks = fetch_jobs(reader, ids(4), budget=budget)
    assert [isinstance(look, BatchJob) for look in looks.values()] == [True, False, True, True]
    assert reader.budgets == {budget}
