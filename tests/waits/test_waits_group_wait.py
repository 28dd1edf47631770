"""Many waits with one story: few lines, whatever happens to how many jobs."""

from __future__ import annotations

import logging
import re

import pytest

from airflow_sentinelhub.exceptions import Forbidden, InvalidCredentials, ServiceUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob, Deadlines, MissingJob, Outcome, Quorum, WaitPolicy
from airflow_sentinelhub.waits import group_progress_log
from airflow_sentinelhub.waits.group_wait import GroupWait, GroupWaitSpec

API = BatchApi.PROCESS
POLICY = WaitPolicy(poke_interval=120.0, analysis_poke_interval=10.0)
DAY, BEGAN = 86_400.0, 1_000_000.0


class Group:
    """A group of jobs, with a log and a clock."""

    def __init__(self, jobs, quorum=None, policy=POLICY):
        self.now, self.lines = BEGAN, []
        self.ids = [f"{number:03}" for number in range(jobs)]
        terms = GroupWaitSpec(API, self.ids, quorum or Quorum("all", False), policy, Deadlines(BEGAN, BEGAN + DAY))
        self.wait = GroupWait(terms, lambda level, text: self.lines.append((level, text)), jitter=lambda: 0.0)

    def update(self, ids, look):
        for job_id in ids:
            seen = look if isinstance(look, Exception) else look(job_id)
            verdict = self.wait.waits[job_id].update(seen, self.now)
            if verdict.is_final:
                self.wait.end(verdict, self.now)

    def tell(self, after=0.0):
        """Let time pass, and give the lines that are new."""
        self.now += after
        self.wait.tell(self.now)
        return self.told()

    def told(self):
        lines, self.lines = self.lines, []
        return [text for _, text in lines]

    def end(self):
        self.wait.finish(self.wait.verdict(), self.now)
        return self.lines


def job(status, **payload):
    def look(job_id):
        given = {"id": job_id, "status": status, "userAction": "START", **payload}
        return BatchJob.from_payload(API, given)

    return look


def test_numbers_when_jobs_end_and_every_ten_minutes():
    group = Group(12)
    assert group.tell() == [], "nothing is known yet"
    group.update(group.ids[:4], job("PROCESSING", completionPercentage=41, costPU=300))
    group.update(group.ids[4:6], job("PROCESSING", completionPercentage=96))
    group.update(group.ids[6:7], job("ANALYSING"))
    pending = "6 PROCESSING (41 to 96 %), 5 not seen yet, 1 ANALYSING"
    assert group.tell() == [f"0 of 12 done, 12 pending: {pending}; 1,200 PU (Batch Process)"]
    group.update(group.ids[6:], job("PROCESSING", completionPercentage=7))
    assert group.tell(after=300) == [], "a status that changes is no news by itself"
    group.update(group.ids[:3], job("DONE", costPU=301))
    assert group.tell(after=1) == ["3 of 12 done, 9 pending: 9 PROCESSING (7 to 96 %); 1,203 PU (Batch Process)"]
    group.update(group.ids[3:4], job("DONE", costPU=301))
    assert group.tell(after=10) == [], "jobs that end shortly after one another are told together"
    assert len(group.tell(after=20)) == 1
    assert group.tell(after=599) == []
    assert len(group.tell(after=1)) == 1


def test_two_hundred_jobs_that_end_within_an_hour_are_a_page_of_lines():
    group = Group(200)
    for job_id in group.ids:
        group.update([job_id], job("DONE"))
        group.tell(after=18)
    assert len(group.lines) + len(group.told()) <= 200 * 18 / group_progress_log.MIN_SUMMARY_INTERVAL + 1


def test_a_job_that_ends_badly_has_a_line_of_its_own():
    group = Group(3)
    group.update(["001"], job("FAILED", error="Evalscript broken " + "x" * 900))
    [line] = group.told()
    assert line.startswith("FAILED: Evalscript broken")
    assert len(line) <= 400


def test_warnings_about_many_jobs_are_few_lines():
    group = Group(200)
    group.update(group.ids, job("CREATED", userAction="NONE"))
    lines = group.tell()
    named = [re.match(r"Not started yet: .*\(Batch Process (\d+)\)", line) for line in lines]
    assert [found and found[1] for found in named] == ["000", "001", "002", "003", "004", None, None]
    assert len(lines) == group_progress_log.WARNINGS_AT_ONCE + 2
    assert "195 more jobs to look at (Batch Process)\n005, 006" in lines[-2]
    assert "and 185 others" in lines[-2]
    for _ in range(9):
        group.update(group.ids, job("CREATED", userAction="NONE"))
        assert group.tell(after=60) == []
    group.update(group.ids, job("CREATED", userAction="NONE"))
    assert group.tell(after=60) == ["0 of 200 done, 200 pending: 200 CREATED (Batch Process)"]
    group.update(group.ids, job("CREATED", userAction="NONE"))
    assert len(group.tell()) == group_progress_log.WARNINGS_AT_ONCE + 1


def test_a_warning_about_a_job_that_has_ended_since_is_not_told():
    group = Group(2)
    group.update(["000"], job("STOPPED"))
    group.now += 120
    group.update(["000"], job("STOPPED"))
    [ended] = group.told()
    assert "STOPPED" in ended
    assert "once more" not in "".join(group.tell())


def test_an_outage_is_over_when_all_jobs_are_seen_again():
    group = Group(200)
    group.update(group.ids, ServiceUnavailable("The service answers 503."))
    group.tell()
    group.update(group.ids[:199], job("PROCESSING"))
    assert "again" not in "".join(group.tell(after=60)), "one is still not seen"
    group.update(group.ids[199:], job("PROCESSING"))
    assert "The service answers again, after 20 min (Batch Process)" in group.tell(after=1140)
    assert "answers again" not in "".join(group.tell(after=600))


def test_an_outage_is_told_when_it_begins_and_every_ten_minutes():
    group, lines = Group(200), []
    for _ in range(30):
        group.update(group.ids, ServiceUnavailable("The service answers 503."))
        lines += group.tell(after=60)
    outage = [line for line in lines if re.search(r"\b503\b", line)]
    assert len(outage) == 3
    assert outage[0].startswith(
        "200 of 200 jobs not seen (Batch Process)\nThe service answers 503. Waiting on, until"
    )
    assert "200 of 200 jobs not seen for 10 min now" in outage[1]


def test_jobs_that_are_given_up_in_an_outage_are_no_sign_that_it_is_over():
    group = Group(2, policy=WaitPolicy(poke_interval=60.0, analysis_poke_interval=60.0, outage_tolerance=120.0))
    group.update(group.ids, job("PROCESSING"))
    for _ in range(3):
        group.update(["000"], ServiceUnavailable("The service answers 503."))
        group.tell(after=60)
    group.update(["000"], ServiceUnavailable("The service answers 503."))
    assert group.wait.pending == ["001"]
    assert "answers again" not in "".join(group.told() + group.tell(after=60))


def test_another_kind_of_trouble_is_told_at_once():
    group = Group(3)
    group.update(group.ids, ServiceUnavailable("The service answers 503."))
    assert len(group.tell()) == 1
    group.update(["001"], Forbidden("The service says 403."))
    [line] = group.tell(after=1)
    assert "403.\nIt is asked once more before this counts." in line


def test_credentials_that_are_refused_end_all_waits_with_one_line():
    group = Group(200)
    group.update(group.ids, InvalidCredentials("The client secret is refused."))
    assert len(group.told()) == 1
    assert group.wait.verdict().outcome is Outcome.INVALID_CREDENTIALS
    assert group.tell() == ["0 of 200 done, 200 out of sight (Batch Process)"]


def test_each_job_is_judged_by_the_rule_for_one():
    """STOPPED and a 404 of a job that was seen count when they are read twice."""
    group = Group(2, Quorum())
    group.update(group.ids, job("PROCESSING"))
    group.update(["000"], job("STOPPED"))
    group.update(["001"], lambda job_id: MissingJob(API, job_id))
    assert not group.wait.verdict().is_final
    assert group.wait.waits["000"].next_request(group.now).bypass_list
    group.now += 120
    group.update(["000"], job("STOPPED"))
    assert group.wait.verdict().outcome is Outcome.STOPPED
    assert group.wait.pending == ["001"]


def test_the_end_is_a_verdict_and_a_table():
    group = Group(4)
    group.update(["000"], job("DONE", completionPercentage=100, costPU=1234, description="NDVI of Corsica"))
    group.update(["001"], job("DONE", completionPercentage=100, costPU=1234))
    group.update(["002"], job("FAILED", completionPercentage=42, costPU=7))
    group.update(["003"], job("PROCESSING", completionPercentage=42.4))
    group.now += DAY
    group.wait.timeout_verdict(group.now)
    group.told()
    [(level, verdict), (_, table)] = group.end()
    assert level == logging.ERROR
    assert verdict.startswith("FAILED: 2 of 4 done, 1 failed, 1 pending (Batch Process)")
    assert "FAILED without a reason (Batch Process 002)" in verdict
    assert table.splitlines() == [
        "Jobs:",
        "FAILED         42 %         7 PU  002",
        "PROCESSING     42 %               003",
        "DONE          100 %     1,234 PU  000  NDVI of Corsica",
        "DONE          100 %     1,234 PU  001",
    ]


def test_the_table_of_many_jobs_is_cut_and_says_so():
    group = Group(200, Quorum("any"))
    group.update(["150"], job("FAILED"))
    group.update(["199"], job("DONE"))
    group.told()
    [(level, verdict), (_, table)] = group.end()
    assert level == logging.INFO
    assert verdict == "1 of 200 done, 1 failed, 198 pending: 198 not seen yet, waited 0 s (Batch Process)"
    rows = table.splitlines()
    assert len(rows) == group_progress_log.TABLE_ROWS + 2
    assert rows[1].startswith("FAILED ")
    assert rows[1].endswith(" 150")
    assert rows[-1] == "and 170 more"
    assert len(table) < 3000


def test_the_table_says_why_a_job_is_given_up_that_does_not_look_like_it():
    group = Group(1, policy=WaitPolicy(poke_interval=1.0, analysis_poke_interval=1.0, start_grace=1.0))
    for _ in range(4):
        group.update(["000"], job("CREATED", userAction="NONE"))
        group.now += 1
    group.told()
    [_, (_, table)] = group.end()
    assert table == "Jobs:\nCREATED, not started                     000"


@pytest.mark.parametrize("seen", [True, False])
def test_time_is_up(seen):
    group = Group(2, Quorum())
    if seen:
        group.update(group.ids, job("PROCESSING", completionPercentage=5))
    group.now += DAY
    group.wait.timeout_verdict(group.now)
    assert group.told() == [], "the verdict tells it"
    assert group.wait.verdict().outcome is Outcome.TIMEOUT
    assert "0 of 2 done, 2 pending" in group.end()[0][1]
