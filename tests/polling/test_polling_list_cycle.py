"""What following the list costs, and that nothing which may end is lost sight of."""

from __future__ import annotations

import logging
from unittest import mock

from airflow_sentinelhub.exceptions import Forbidden, InvalidPayload, RateLimited, ServiceUnavailable
from airflow_sentinelhub.polling import list_cycle
from tests.harness.virtual_time import run
from tests.polling.listed_jobs import Ears, add, ends_watch, follow_for, following, job_id
from tests.polling.scripted_account import OUTAGE, ScriptedAccount

HOUR = 3600.0


def watched(account, *watches, lasts=HOUR):
    async def scene():
        with following(account) as poller:
            await follow_for(lasts, poller, *watches)

    run(scene())


def quiet_account(jobs=250, **given):
    account = ScriptedAccount(**given)
    for number in range(jobs):
        add(account, number, "DONE")
    return account


def test_when_nothing_happens_a_look_costs_one_request():
    account = quiet_account()
    add(account, 250, "PROCESSING")
    add(account, 251, "CREATED")
    watched(account, ends_watch(Ears()))
    first = account.count("list", until=30)
    assert first == 3, "all pages, once"
    assert 58 <= account.count("list", since=30) <= 61
    assert account.count("get") == 0


def test_all_who_follow_share_it():
    account = quiet_account(jobs=50)
    watched(account, *(ends_watch(Ears(), description=f"{number}") for number in range(20)))
    assert 58 <= account.count() <= 62


def test_one_who_looks_more_often_does_not_hurt_the_others():
    account = quiet_account(jobs=50)
    add(account, 50, "PROCESSING", HOUR / 2, "DONE")
    slow, fast = Ears(), Ears()
    watched(account, ends_watch(slow, interval=600.0), ends_watch(fast, interval=30.0))
    assert slow.keys == fast.keys == ["50 DONE"]
    assert account.count() <= 120 + 6


def test_one_old_job_is_asked_for_by_itself():
    account = quiet_account()
    add(account, 3, "PROCESSING", HOUR / 2, "DONE")
    ears = Ears()
    watched(account, ends_watch(ears))
    assert ears.keys == ["3 DONE"]
    assert ears.heard[0][0] - HOUR / 2 < 61
    assert account.count("list", since=30) <= 61
    assert account.count("get") <= 32


def test_many_old_jobs_are_read_with_their_page():
    account = quiet_account()
    for number in range(40):
        add(account, number, "PROCESSING", HOUR / 2 + number, "DONE")
    ears = Ears()
    watched(account, ends_watch(ears))
    assert sorted(ears.keys) == sorted(f"{number} DONE" for number in range(40))
    assert account.count("get") <= 5
    assert account.count("list") <= 3 * 32 + 31


def test_jobs_of_which_nothing_is_expected_cost_little():
    account = quiet_account()
    for number in range(0, 100, 10):
        status, action = ("STOPPED", "STOP") if number % 20 else ("CREATED", "NONE")
        add(account, number, status, action=action)
    ears = Ears()
    watched(account, ends_watch(ears), lasts=2 * HOUR)
    assert ears.keys == []
    assert account.count() <= 121 + 12 * 2 * 2 + 3, "two looks at two pages more, every ten minutes"


def test_a_burst_of_new_jobs_is_seen_though_it_does_not_fit_on_a_page():
    account = quiet_account()
    for number in range(300, 550):
        add(account, number, "DONE", created=100.0 + number / 1000)
    ears = Ears()
    watched(account, ends_watch(ears))
    assert sorted(ears.keys) == [f"{number} DONE" for number in range(300, 550)]
    assert account.count("list", since=600) <= 3000 / 60 + 5 * 3 + 1, "and then costs little"


def test_a_job_that_comes_onto_the_list_late_is_found():
    account = quiet_account()
    for number in range(300, 450):
        add(account, number, "DONE", created=100.0 + number / 1000)
    late = add(account, 200, "DONE", created=99.0)
    account.jobs.pop(late.id)

    def trouble(now, what):
        if now > 400:
            account.jobs[late.id] = late

    account.trouble = trouble
    ears = Ears()
    watched(account, ends_watch(ears), lasts=1200)
    assert ears.keys.count("200 DONE") == 1


def test_a_job_that_is_gone_is_forgotten_after_a_second_look():
    account = quiet_account()
    add(account, 3, "PROCESSING", gone_at=HOUR / 2)
    ears = Ears()
    watched(account, ends_watch(ears))
    assert account.count(f"get {job_id(3)}", since=HOUR / 2) == 2
    assert [line for line in ears.lines if "not there any more" in line] == [
        f"Batch Process job {job_id(3)} is not there any more, so its end will not be told."
    ]


def test_an_outage_is_said_once_and_ends_that_came_meanwhile_are_told():
    account = quiet_account()
    add(account, 250, "PROCESSING", 1000, "FAILED")
    account.trouble = lambda now, what: OUTAGE if 600 <= now < 2400 else None
    ears = Ears()
    watched(account, ends_watch(ears))
    assert ears.keys == ["250 FAILED"]
    assert 2400 <= ears.heard[0][0] < 2400 + 121
    said, over = ears.lines
    assert said.startswith("503. Ends of Batch Process jobs are told when it is over")
    assert over.startswith("Batch Process answers again, after ")
    assert account.count("list", since=600, until=2400) <= 31


def test_a_429_is_waited_out_and_not_even_mentioned():
    account = quiet_account()
    add(account, 250, "PROCESSING", 1000, "DONE")
    account.trouble = lambda now, what: RateLimited("429", retry_after=30) if 990 < now < 1100 else None
    ears = Ears()
    watched(account, ends_watch(ears))
    assert ears.keys == ["250 DONE"]
    assert ears.lines == []


def test_nonsense_and_a_forbidden_list_end_nothing():
    for error in (InvalidPayload("no JSON"), Forbidden("403"), RuntimeError("ours")):
        account = quiet_account()
        add(account, 250, "PROCESSING", 1000, "DONE")

        def trouble(now, what, error=error):
            return error if 500 < now < 1500 else None

        account.trouble = trouble
        ears = Ears()
        watched(account, ends_watch(ears))
        assert ears.keys == ["250 DONE"]
        assert len(ears.lines) == 2


def test_one_job_that_cannot_be_asked_for_does_not_hide_the_others():
    account = quiet_account()
    add(account, 3, "PROCESSING", fails=Forbidden("403"))
    add(account, 250, "PROCESSING", 1000, "DONE")
    ears = Ears()
    watched(account, ends_watch(ears))
    assert ears.keys == ["250 DONE"]


def test_requests_for_single_jobs_are_not_sent_one_after_another_into_an_outage():
    account = quiet_account()
    for number in (3, 103):
        add(account, number, "PROCESSING")
    account.trouble = lambda now, what: ServiceUnavailable("503") if what.startswith("get") and now > 500 else None
    watched(account, ends_watch(Ears()))
    assert account.count("get", since=500) <= 3000 / 60 + 3


def test_a_limit_that_is_declared_is_kept():
    account = quiet_account(limit=10, declared=10)
    for number in range(0, 250, 9):
        add(account, number, "PROCESSING", 1800 + number, "DONE")
    ears = Ears()
    watched(account, ends_watch(ears), lasts=2 * HOUR)
    assert len(ears.keys) == len(set(ears.keys)) == 28
    assert not account.refused


class EndlessAccount(ScriptedAccount):
    """One whose list goes on and on behind the jobs that there are, with a new token for each page."""

    ends_with = None

    def list(self, *, budget=None):
        yield from super().list(budget=budget)
        number = 10**9
        while True:
            self._ask("list")
            if self.ends_with is not None:
                raise self.ends_with
            yield [
                {"id": job_id(number + each), "status": "DONE", "created": "2020-01-01T00:00:00Z"}
                for each in range(self.page_size)
            ]
            number += self.page_size


def followed_endlessly(account):
    for number in range(50):
        add(account, number, "DONE")
    add(account, 50, "PROCESSING", HOUR / 2, "DONE")
    ears, lines = Ears(), []
    watch = ends_watch(ears)
    watch._say = lambda level, line: lines.append((level, line))
    watched(account, watch)
    return ears, [line for level, line in lines if level >= logging.WARNING]


def test_a_list_without_an_end_is_read_so_far_and_what_is_seen_of_it_counts(monkeypatch):
    monkeypatch.setattr(list_cycle, "MOST_PAGES", 20)
    account = EndlessAccount(page_size=10)
    ears, warnings = followed_endlessly(account)
    assert ears.keys == ["50 DONE"]
    assert account.count("list", until=60) == 20
    assert account.count("list") < 20 * 10 + 61, "all of it at the first look, and each time it is looked back"
    assert "goes on and on" in warnings[0]
    assert len(warnings) < 10


def test_a_list_that_the_client_gives_up_counts_as_far_as_it_was_read():
    account = EndlessAccount(page_size=10)
    account.ends_with = InvalidPayload("a list without an end")
    ears, warnings = followed_endlessly(account)
    assert ears.keys == ["50 DONE"]
    assert "goes on and on" in warnings[0]


def test_a_list_of_which_nothing_can_be_read_is_trouble():
    account = EndlessAccount(page_size=10)

    def no_list(*, budget=None):
        account._ask("list")
        raise InvalidPayload("a list without an end")

    account.list = no_list
    ears, warnings = followed_endlessly(account)
    assert ears.keys == []
    assert "without an end" in warnings[0]


def unreadable(job):
    """What the service says of this job cannot be read."""
    from airflow_sentinelhub.jobs import BatchJob

    read = BatchJob.from_payload.__func__

    def from_payload(cls, api, payload, **given):
        if payload.get("id") == job.id and job.broken:
            raise ValueError("Invalid IPv6 URL")
        return read(cls, api, payload, **given)

    job.broken = True
    return mock.patch.object(BatchJob, "from_payload", classmethod(from_payload))


def test_a_job_that_cannot_be_read_hides_no_other_and_its_end_is_told_when_it_can():
    account = quiet_account(jobs=50)
    add(account, 51, "PROCESSING", 1000, "DONE")
    odd = add(account, 52, "PROCESSING", 1000, "FAILED", created=100.0)

    def trouble(now, what):
        if now > 2000:
            odd.broken = False

    account.trouble = trouble
    ears = Ears()
    with unreadable(odd):
        watched(account, ends_watch(ears))
    assert ears.keys == ["51 DONE", "52 FAILED"]
    assert ears.heard[0][0] < 1100
    assert [line for line in ears.lines if "cannot be read" in line] == [
        f"Batch Process job {odd.id}: what the service says of it cannot be read (ValueError: Invalid IPv6 URL). "
        f"The end of Batch Process job {odd.id} is told when it can be read."
    ]


def test_jobs_that_are_known_by_their_ids_are_asked_for_while_only_the_list_fails():
    account = quiet_account(jobs=50)
    for number in range(60, 90):
        add(account, number, "PROCESSING", 1000, "DONE")
    account.trouble = lambda now, what: OUTAGE if what == "list" else None
    ears = Ears()
    watched(account, ends_watch(ears, request_ids=[job_id(number) for number in range(60, 90)]))
    assert sorted(ears.keys) == [f"{number} DONE" for number in range(60, 90)]
    assert max(at for at, *_ in ears.heard) < 1200
    assert account.count("list") < 10, "tried again, less and less often"


def test_a_new_job_that_is_404_for_minutes_is_waited_for():
    account = quiet_account(jobs=5)
    odd = add(account, 60, "PROCESSING", 1000, "DONE", created=200.0)
    ears = Ears()
    watched(account, ends_watch(ears, request_ids=[odd.id]))
    assert ears.keys == ["60 DONE"]


def test_a_job_whose_request_always_fails_keeps_no_other_from_being_asked_for():
    account = quiet_account(jobs=5)
    poison = add(account, 60, "PROCESSING", fails=ServiceUnavailable("500 for this job only"))
    fine = add(account, 61, "PROCESSING", 1000, "DONE")
    account.trouble = lambda now, what: Forbidden("403") if what == "list" else None
    ears = Ears()
    watched(account, ends_watch(ears, request_ids=[poison.id, fine.id]))
    assert ears.keys == ["61 DONE"]
