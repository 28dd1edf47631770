"""One poller for many waits, in virtual time: what it asks, whom it tells, and what it leaves alone."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
from itertools import pairwise

import pytest

from airflow_sentinelhub.exceptions import (
    Forbidden,
    InvalidCredentials,
    RateLimited,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_sentinelhub.jobs import BatchApi, BatchJob, MissingJob, Outcome
from airflow_sentinelhub.polling.poller import BATCH_WINDOW
from airflow_sentinelhub.polling.requester import AdmissionQueue
from airflow_sentinelhub.waits.observation import PollRequest
from tests.harness.virtual_time import run
from tests.polling.polled_waits import Log, polling, wait_for, watch_for
from tests.polling.scripted_account import OUTAGE, ScriptedAccount


def ids(count):
    return [f"job-{number}" for number in range(count)]


def account_with(count, **given):
    account = ScriptedAccount(**given)
    for number, job_id in enumerate(ids(count)):
        account.add(job_id, created=-10_000.0 - number)
    return account


def watched(account, duration, jobs=None, **given):
    """Let waits for all jobs look for so long, and give their logs."""

    async def scene():
        with polling(account) as poller:
            return await watch_for(duration, poller, jobs or list(account.jobs), **given)

    return run(scene())


# What it costs.


def test_one_wait_alone_asks_as_a_plain_loop_does():
    account = account_with(1)
    log = watched(account, 3600)["job-0"]
    assert account.count("list") == 0
    assert account.count("get") == 60
    assert set(map(round, log.gaps)) == {60}


def test_many_waits_share_pages():
    account = account_with(1000)
    logs = watched(account, 3600)
    assert account.count(until=60) == 10
    assert account.count() == 10 * 60
    assert all(50 <= len(log.looks) <= 70 for log in logs.values())


def test_waits_that_began_at_different_times_come_together():
    account = account_with(20)
    logs = watched(account, 3600, stagger=2.9)
    assert account.count(since=600, until=1200) == 10
    for log in logs.values():
        assert all(47.5 <= gap <= 72 for gap in log.gaps)


@pytest.mark.parametrize("intervals", [(10, 60, 120), (30, 70, 110)])
def test_every_wait_keeps_its_own_interval(intervals):
    account = account_with(30)

    async def scene():
        logs = {}
        with polling(account) as poller:
            tasks = []
            for number, job_id in enumerate(account.jobs):
                log = logs[job_id] = Log()
                interval = float(intervals[number % 3])
                tasks.append(asyncio.create_task(wait_for(poller, job_id, interval=interval, log=log)))
                await asyncio.sleep(1.7)
            await asyncio.sleep(3600)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return logs

    for number, log in enumerate(run(scene()).values()):
        interval = intervals[number % 3]
        gaps = log.gaps
        assert all(0.8 * interval - 1 <= gap <= 1.2 * interval + 1 for gap in gaps), (interval, gaps)


def test_a_triggerer_that_restarts_asks_once_for_all_that_come_within_a_moment():
    account = account_with(100)

    async def scene():
        with polling(account) as poller:
            return await watch_for(30, poller, list(account.jobs), stagger=0.01)

    logs = run(scene())
    assert account.count() == 1
    assert all(len(log.looks) == 1 for log in logs.values())


def test_newcomers_are_waited_for_while_they_keep_coming_but_not_for_ever():
    account = account_with(300)
    logs = watched(account, 40, stagger=0.1)
    first = [log.looks[0][0] - number * 0.1 for number, log in enumerate(logs.values())]
    assert max(first) < 7
    assert account.count() < 30


def test_a_restart_with_the_oldest_jobs_first_costs_a_few_sweeps_of_the_list():
    account = account_with(1000)
    watched(account, 60, ids(1000)[::-1], stagger=0.02)
    assert account.count("list") <= 60
    assert account.count("get") <= 5


def test_a_newcomer_that_is_in_a_hurry_does_not_wait_for_others():
    account = account_with(1)
    assert watched(account, 10, interval=0.5)["job-0"].looks[0][0] < 0.5 + 0.3 < BATCH_WINDOW


def test_a_search_for_jobs_that_are_deep_in_the_list_costs_no_cycle_more_than_a_page():
    account = account_with(100, page_size=10)
    for number in range(350):
        account.add(f"other-{number}", created=-float(number))
    watched(account, 1200, ids(100))  # and every cycle is counted
    assert account.count(since=600, until=1200) == 10 * 45


def test_jobs_that_vanish_from_the_list_all_at_once_cost_no_cycle_more_than_a_page():
    account = account_with(40, page_size=10)
    for number in range(200):
        account.add(f"other-{number}", created=300.0)
    watched(account, 600, ids(40))
    assert account.count(since=120, until=180) == 4


def test_newcomers_in_a_hurry_gather_for_one_of_their_intervals():
    account = account_with(2)

    async def scene():
        with polling(account) as poller:
            return await watch_for(1.9, poller, ids(2), stagger=0.5, interval=1.0)

    run(scene())
    assert account.asked[0][1] == "list"


def test_two_waits_for_one_job_cost_one_request():
    account = account_with(1)

    async def scene():
        with polling(account) as poller:
            subscriptions = [poller.subscribe("job-0", 1.0), poller.subscribe("JOB-0", 1.0)]
            return await asyncio.gather(*(subscription.next(PollRequest(0.0)) for subscription in subscriptions))

    assert [look.raw_status for look in run(scene())] == ["PROCESSING"] * 2
    assert account.count() == 1


def test_jobs_that_hardly_move_are_asked_for_less_often():
    account = account_with(1)
    log = watched(account, 7200, slowest_poke_interval=180.0)["job-0"]
    assert [round(gap) for gap in log.gaps[:10]] == [60] * 10
    assert round(log.gaps[15]) == 120
    assert round(log.gaps[-1]) == 180


def test_statistical_jobs_are_asked_for_lightly_where_that_will_do():
    account = ScriptedAccount(api=BatchApi.STATISTICAL)
    account.add("job", created=-100.0, life=[(-100.0, "PROCESSING"), (200.0, "DONE")])

    async def scene():
        with polling(account) as poller:
            return await wait_for(poller, "job", api=BatchApi.STATISTICAL)

    log = run(scene())
    assert log.verdict.outcome is Outcome.DONE
    assert not log.verdict.job.status_only
    assert [what.split()[0] for _, what in account.asked] == ["get", "status", "status", "status", "status", "get"]


# What is believed.


def test_a_job_that_is_done_on_the_list_is_done():
    account = account_with(3)
    account.add("done", created=-1.0, life=[(-1.0, "PROCESSING"), (100.0, "DONE")])

    async def scene():
        with polling(account) as poller:
            others = asyncio.create_task(watch_for(400, poller, ids(3)))
            log = await wait_for(poller, "done")
            await others
            return log

    log = run(scene())
    assert log.verdict.outcome is Outcome.DONE
    assert account.count("get done") == 0
    assert 100 < log.ended_at < 172


@pytest.mark.parametrize(("status", "outcome"), [("STOPPED", Outcome.STOPPED), ("PARTIAL", Outcome.PARTIAL)])
def test_what_may_not_last_is_confirmed_by_a_request_of_its_own_an_interval_later(status, outcome):
    account = account_with(3)
    account.add("odd", created=-1.0, life=[(-1.0, "PROCESSING"), (100.0, status)])

    async def scene():
        with polling(account) as poller:
            others = asyncio.create_task(watch_for(400, poller, ids(3)))
            log = await wait_for(poller, "odd")
            await others
            return log

    log = run(scene())
    assert log.verdict.outcome is outcome
    assert account.count("get odd") == 1
    assert log.gaps[-1] >= 60


def test_a_list_is_not_certain_enough_for_a_confirmation():
    account = account_with(3, lag=50.0)
    account.jobs["job-2"].life = [(-1e6, "STOPPED"), (-10.0, "PROCESSING")]

    async def scene():
        wanted = [PollRequest(0.0), PollRequest(0.0), PollRequest(0.0, bypass_list=True)]
        with polling(account) as poller:
            waits = [poller.subscribe(job_id, 1.0).next(look) for job_id, look in zip(ids(3), wanted, strict=True)]
            return await asyncio.gather(*waits)

    assert run(scene())[2].raw_status == "PROCESSING"
    assert [what for _, what in account.asked] == ["list", "get job-2"]


def test_a_lagging_list_does_not_stop_a_job_that_was_started_again():
    account = account_with(3, lag=30.0)
    account.add("odd", created=-99.0, life=[(-99.0, "PROCESSING"), (100.0, "STOPPED"), (110.0, "PROCESSING")])

    async def scene():
        with polling(account) as poller:
            return await watch_for(600, poller, [*ids(3), "odd"])

    assert run(scene())["odd"].verdict is None


def test_a_job_that_is_not_on_the_list_is_missing_only_if_a_request_says_so():
    account = account_with(3, lag=200.0)
    account.add("new", created=1.0)

    async def scene():
        with polling(account) as poller:
            logs = await watch_for(150, poller, [*ids(3), "new", "never"])
            return logs, account.count("get new"), account.count("get never")

    logs, for_new, for_never = run(scene())
    assert for_new
    assert for_never
    assert {type(look) for _, look in logs["new"].looks} == {BatchJob}
    assert {type(look) for _, look in logs["never"].looks} == {MissingJob}


def test_a_job_that_vanishes_is_asked_for_twice():
    account = account_with(3)
    account.add("odd", created=-1000.0, gone_at=100.0)

    async def scene():
        with polling(account) as poller:
            return await watch_for(600, poller, [*ids(3), "odd"])

    log = run(scene())["odd"]
    assert log.verdict.outcome is Outcome.NOT_FOUND
    assert account.count("get odd") == 2


def test_jobs_of_others_that_appear_between_the_pages_hide_nobody():
    account = account_with(250, page_size=100)

    async def scene():
        async def others():
            for number in range(100_000):
                await asyncio.sleep(0.05)
                account.add(f"other-{number}", created=account.now)

        busy = asyncio.create_task(others())
        with polling(account) as poller:
            logs = await watch_for(600, poller, ids(250))
        busy.cancel()
        return logs

    for log in run(scene()).values():
        assert {type(look) for _, look in log.looks} == {BatchJob}
        assert all(45 <= gap <= 80 for gap in log.gaps)


def test_a_look_belongs_only_to_who_asked_before_the_request_was_sent():
    account = account_with(2, latency=10.0)

    async def scene():
        with polling(account) as poller:
            early = [poller.subscribe(job_id, 1.0) for job_id in ids(2)]
            looks = [asyncio.create_task(subscription.next(PollRequest(0.0))) for subscription in early]
            await asyncio.sleep(4)  # the list is under way
            late = asyncio.create_task(poller.subscribe("job-1", 1.0).next(PollRequest(0.0)))
            await asyncio.gather(*looks)
            assert not late.done()
            await late

    run(scene())
    assert [what for _, what in account.asked] == ["list", "get job-1"]


# Weather.


def test_an_outage_is_asked_about_once_in_a_while_for_all():
    account = account_with(1000)
    account.trouble = lambda now, what: OUTAGE if 100 <= now < 1900 else None
    logs = watched(account, 3600)
    during = account.count(since=100, until=1900)
    assert during < 60, "about one a minute after the first pauses"
    for log in logs.values():
        told = [line for line in log.lines if "Not seen" in line or "again" in line]
        assert 4 <= len(told) <= 5, "when it begins, each 10 min, and when it ends"
        assert "answers again" in told[-1]
        assert log.verdict is None
    assert account.count("get", since=1900) <= 2, "one to see whether it is over, and the list tells the rest"
    assert account.count(since=3000, until=3600) == 100, "all is as before"


def test_after_a_short_outage_the_list_is_not_to_blame():
    account = account_with(100)
    account.trouble = lambda now, what: OUTAGE if 100 <= now < 125 else None
    watched(account, 400)
    assert account.count("get", since=125) <= 2


def test_a_list_that_stays_away_when_all_else_is_back_keeps_nobody_waiting():
    account = account_with(50)
    account.trouble = lambda now, what: OUTAGE if now >= 100 and (what == "list" or now < 400) else None
    logs = watched(account, 900)
    assert all(isinstance(log.looks[-1][1], BatchJob) for log in logs.values())
    assert account.count("list", since=500) < 10


def test_a_429_in_the_search_for_jobs_does_not_pass_for_the_end_of_the_list():
    account = account_with(100)
    answers = iter([RateLimited("429", retry_after=2.0)])
    account.trouble = lambda now, what: next(answers, None)
    watched(account, 300)
    assert account.count("get") == 0


def test_an_outage_that_outlasts_the_tolerance_ends_the_waits_and_says_that_the_jobs_were_left_alone():
    account = account_with(5)
    account.trouble = lambda now, what: OUTAGE if now >= 100 else None
    logs = watched(account, 3600, outage_tolerance=1000.0)
    for log in logs.values():
        assert log.verdict.outcome is Outcome.UNAVAILABLE
        assert 1000 < log.ended_at < 1300


def test_one_job_that_always_fails_does_not_disturb_the_others():
    account = account_with(50)
    account.jobs["job-7"].fails = ServiceUnavailable("500 for this job only")
    account.trouble = lambda now, what: Forbidden("403 for the list") if what == "list" else None
    logs = watched(account, 1200)
    for job_id, log in logs.items():
        if job_id != "job-7":
            assert {type(look) for _, look in log.looks} == {BatchJob}
            assert all(45 <= gap <= 73 for gap in log.gaps)
    assert {type(look) for _, look in logs["job-7"].looks} == {ServiceUnavailable}


def test_a_forbidden_list_means_a_request_for_each_job(caplog):
    account = account_with(10)
    account.trouble = lambda now, what: Forbidden("No listing.") if what == "list" else None
    watched(account, 1200)
    assert account.count("list") <= 6
    assert account.count("get") == 10 * 20
    assert "each job is asked for by itself" in caplog.text


def test_403_for_one_job_fails_that_wait_only_after_a_second_reading():
    account = account_with(10)
    account.jobs["job-3"].fails = Forbidden("Not yours.")
    account.jobs["job-3"].created = 1e9  # not on the list either
    logs = watched(account, 600)
    assert logs["job-3"].verdict.outcome is Outcome.FORBIDDEN
    assert len(logs["job-3"].looks) == 2
    assert all(log.verdict is None for job_id, log in logs.items() if job_id != "job-3")


def test_credentials_that_never_worked_end_all_waits_with_one_request():
    account = account_with(100)
    account.trouble = lambda now, what: InvalidCredentials("Wrong secret.")
    logs = watched(account, 60)
    assert {log.verdict.outcome for log in logs.values()} == {Outcome.INVALID_CREDENTIALS}
    assert account.count() == 1


def test_credentials_that_worked_are_tried_again_a_minute_later():
    account = account_with(100)
    account.trouble = lambda now, what: InvalidCredentials("Wrong secret.") if now >= 100 else None
    logs = watched(account, 600)
    assert {log.verdict.outcome for log in logs.values()} == {Outcome.INVALID_CREDENTIALS}
    assert account.count(since=100) <= 4
    account = account_with(100)
    account.trouble = lambda now, what: InvalidCredentials("A hiccup.") if 100 <= now < 130 else None
    logs = watched(account, 600)
    assert {log.verdict for log in logs.values()} == {None}
    assert account.count("get") <= 4, "nobody has to confirm them job by job"


def test_tokens_that_are_refused_for_a_while_are_weather():
    account = account_with(30)
    account.trouble = lambda now, what: Unauthorized("401") if 100 <= now < 400 else None
    logs = watched(account, 1200)
    assert {log.verdict for log in logs.values()} == {None}
    assert account.count(since=100, until=400) < 40


def test_answers_that_are_no_json_are_weather():
    account = account_with(30)
    garbage = ServiceUnavailable("truncated or broken JSON (200)")
    account.trouble = lambda now, what: garbage if what == "list" and 100 <= now < 400 else None
    logs = watched(account, 900)
    assert not [look for log in logs.values() for _, look in log.looks if not isinstance(look, BatchJob)]


def test_a_429_makes_everybody_slower_and_is_nobodys_trouble():
    account = account_with(1000)
    account.trouble = lambda now, what: RateLimited("429", retry_after=20.0) if 118 <= now < 123 else None
    logs = watched(account, 600)
    assert account.count(since=118, until=123) == 1
    for log in logs.values():
        assert {type(look) for _, look in log.looks} == {BatchJob}
        assert max(log.gaps) < 60 + 20 + 5


def test_a_storm_of_429_is_weather():
    account = account_with(100)
    account.trouble = lambda now, what: RateLimited("429", retry_after=5.0) if 100 <= now < 700 else None
    logs = watched(account, 1200)
    assert account.count(since=100, until=700) < 40
    assert {log.verdict for log in logs.values()} == {None}
    assert all(any(re.search(r"\b429\b", line) for line in log.lines) for log in logs.values())


def test_a_declared_limit_is_kept_to_and_nobody_starves():
    account = account_with(100, limit=30, declared=30)
    account.trouble = lambda now, what: Forbidden("No listing.") if what == "list" else None
    logs = watched(account, 1800)
    assert not account.refused
    for log in logs.values():
        assert max(log.gaps) < 100 / 30 * 60 + 70


def test_a_limit_that_nobody_declared_lets_nobody_starve_either():
    account = account_with(100, limit=30)
    account.trouble = lambda now, what: Forbidden("No listing.") if what == "list" else None
    logs = watched(account, 1800)
    for log in logs.values():
        seen = [at for at, look in log.looks if isinstance(look, BatchJob)]
        assert max(later - earlier for earlier, later in pairwise(seen)) < 420


def test_the_apis_of_an_account_ask_in_turn():
    busy = account_with(200, declared=30)
    busy.trouble = lambda now, what: Forbidden("No listing.") if what == "list" else None
    quiet = ScriptedAccount(api=BatchApi.STATISTICAL)
    quiet.rate_limiter = busy.rate_limiter
    quiet.add("other", created=-1.0)

    async def scene():
        lane = AdmissionQueue()
        with polling(busy, lane=lane) as poller, polling(quiet, lane=lane) as other:
            everybody = asyncio.create_task(watch_for(1200, poller, ids(200)))
            log = Log()
            one = asyncio.create_task(wait_for(other, "other", log=log, api=BatchApi.STATISTICAL))
            await everybody
            one.cancel()
            await asyncio.gather(one, return_exceptions=True)
            return log

    assert max(run(scene()).gaps) < 60 + 62


# Who hurts whom.


def test_an_error_of_ours_is_told_as_trouble_and_leaves_nobody_waiting(caplog):
    account = account_with(10)

    def broken(now, what):
        if 100 < now < 200:
            raise RuntimeError("a bug")

    account.trouble = broken
    logs = watched(account, 600)
    assert {log.verdict for log in logs.values()} == {None}
    assert any("a bug" in line for line in logs["job-0"].lines)
    assert isinstance(logs["job-0"].looks[-1][1], BatchJob)
    assert "A poll failed unexpectedly" in caplog.text


def test_log_lines_of_the_poller_land_in_nobodys_task_log():
    account = account_with(10)
    account.trouble = lambda now, what: Forbidden("No listing.") if what == "list" else None
    task = contextvars.ContextVar("task", default="nobody")
    whose = []

    class Handler(logging.Handler):
        def emit(self, record):
            whose.append(task.get())

    async def scene():
        task.set("the first")
        with polling(account) as poller:
            await watch_for(100, poller, ids(10))

    logger = logging.getLogger("airflow_sentinelhub.polling")
    handler = Handler()
    logger.addHandler(handler)
    try:
        run(scene())
    finally:
        logger.removeHandler(handler)
    assert set(whose) == {"nobody"}


@pytest.mark.parametrize("latency", [0.2, 7.0])
def test_a_wait_that_is_cancelled_at_any_moment_hurts_no_other(latency):
    """Each time at another moment: while it gathers, is due, is asked for by list or by itself, or rests."""
    for tenth in range(0, 900, 3):
        account = account_with(3, latency=latency)

        async def scene(account=account, tenth=tenth):
            with polling(account) as poller:
                victim = asyncio.create_task(wait_for(poller, "job-0", interval=20.0))
                others = asyncio.create_task(watch_for(120, poller, ids(3)[1:], interval=20.0))
                await asyncio.sleep(tenth / 10)
                victim.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await victim
                return await others

        for log in run(scene()).values():
            assert {type(look) for _, look in log.looks} == {BatchJob}
            assert len(log.looks) >= (5 if latency < 1 else 3)


def test_nobody_is_asked_for_whom_nobody_waits_any_more():
    account = account_with(100, latency=1.0)
    account.trouble = lambda now, what: Forbidden("No listing.") if what == "list" else None

    async def scene():
        with polling(account) as poller:
            await watch_for(5.0, poller, ids(100))
            await asyncio.sleep(60)

    run(scene())
    assert account.count() < 40


def test_the_last_look_comes_at_the_deadline():
    account = account_with(5)
    logs = watched(account, 600, lasts=300.0)
    for log in logs.values():
        assert log.verdict.outcome is Outcome.TIMEOUT
        assert 300 <= log.ended_at < 302


def test_the_deadline_is_kept_in_an_outage():
    account = account_with(5)
    account.trouble = lambda now, what: OUTAGE if now > 100 else None
    logs = watched(account, 600, lasts=300.0)
    for log in logs.values():
        assert log.verdict.outcome is Outcome.TIMEOUT
        assert 300 <= log.ended_at < 302
