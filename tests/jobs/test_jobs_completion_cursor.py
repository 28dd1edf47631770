"""Which ends are new: what is remembered, and how little that takes."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest

from airflow_sentinelhub.jobs import BatchApi, Completion, CompletionCursor, JobReading, ListedJob
from airflow_sentinelhub.jobs.completion import LINGERS
from airflow_sentinelhub.jobs.completion_cursor import LATE, MOST_CLOSED, MOST_OPEN, fingerprint

NOW = 1_700_000_000.0
DONE, FAILED = Completion("DONE", final=True), Completion("FAILED", final=True)


def job_id(number):
    return str(uuid.UUID(int=number))


def reading(number, end=None, created=None, **fields):
    """A job of that number, created as many hours after the beginning of it all."""
    payload = {"id": job_id(number), "status": end.name.partition(" ")[0] if end else "PROCESSING", **fields}
    return JobReading(
        ListedJob(ListedJob.from_payload(BatchApi.PROCESS, payload).job, moment(number, created)), end
    )


def moment(number, created=None):
    return NOW + 3600.0 * number if created is None else created


def stop(number):
    return Completion(f"STOPPED USER_ACTION STOP@{number}", final=False)


def follow(*looks, told_from=None, mark=None, tell=True):
    """The news of each look; a look is a list of readings."""
    mark = mark or CompletionCursor()
    news = []
    for look in looks:
        mark, new = mark.review(look, NOW, told_from)
        news.append([each.key.removeprefix("00000000-0000-0000-0000-0000000000") for each in new])
        if tell:
            mark = CompletionCursor.from_json(json.loads(json.dumps(mark.emitted(new).to_json())))
    return news


# Looks at the list, one after another, and what each of them brings. A job is a number, the higher the newer; D, F
# and S1, S2 are its ends: DONE, FAILED, and its first and second stop.
TABLE = {
    "ended before the first look": ("1D | 1D", "- | -"),
    "ends": ("1 | 1D | 1D", "- | 1D | -"),
    "comes and ends between two looks": ("1 | 2D 1", "- | 2D"),
    "the first job ever": (" | 1D | 1D", "- | 1D | -"),
    "an old job ends": ("9 1 | 1F", "- | 1F"),
    "is not on the page for a while": ("2 1 | 2 | 1D", "- | - | 1D"),
    "an ended one leaves the page": ("1 | 1D | 2 | 1D", "- | 1D | - | -"),
    "is there twice": ("1 | 1D 1D | 1D", "- | 1D | -"),
    "was stopped before": ("1S1 | 1S1", "- | -"),
    "is stopped": ("1 | 1S1 | 1S1", "- | 1S1 | -"),
    "is restarted and done": ("1S1 | 1 | 1D", "- | - | 1D"),
    "is done at once after a stop": ("1S1 | 1D | 1D", "- | 1D | -"),
    "is stopped again": ("1S1 | 1S2 | 1S2", "- | 1S2 | -"),
    "an old state is shown once more": ("1 | 1D | 1 | 1D", "- | 1D | - | -"),
    "the same, of an old job": ("9 1 | 1D | 1 | 1D", "- | 1D | - | -"),
    "an old stop is shown once more": ("9 1S1 | 1D | 1S1 | 1D", "- | 1D | - | -"),
    "two at once, oldest first": ("2 1 | 2D 1F", "- | 1F 2D"),
}


def parse(word):
    number, end = int(word[0]), word[1:]
    return reading(number, stop(end[1]) if end.startswith("S") else {"D": DONE, "F": FAILED, "": None}[end])


@pytest.mark.parametrize("what", TABLE)
def test_what_is_new(what):
    looks, news = ([column.split() for column in text.split("|")] for text in TABLE[what])
    expected = [[f"0{word[0]} {parse(word).end.name}" for word in words if word != "-"] for words in news]
    assert follow(*[[parse(word) for word in words] for words in looks]) == expected


def test_a_job_without_a_time_of_creation_is_known_once_it_was_seen():
    def seen(number, end=None):
        return JobReading(ListedJob(reading(number, end).listed.job), end)

    assert follow([seen(1)], [seen(1, DONE), seen(2, DONE)], [seen(1, DONE)]) == [[], ["01 DONE"], []]


def test_what_comes_onto_the_list_late_is_new():
    late = reading(2, DONE, created=moment(2))
    newer = reading(3, created=moment(2) + LATE)
    assert follow([reading(1)], [newer], [newer, late], [newer, late]) == [[], [], ["02 DONE"], []]


def test_what_was_never_seen_and_is_older_than_all_of_it_has_ended_before():
    assert follow([reading(5)], [reading(5), reading(1, DONE)], [reading(5), reading(1)]) == [[], [], []]


@pytest.mark.parametrize(("hours", "news"), [(0, ["01 DONE", "02 DONE"]), (2, ["02 DONE"]), (3, [])])
def test_ends_before_the_first_look_are_news_from_a_moment_on(hours, news):
    look = [reading(2, DONE), reading(1, DONE)]
    assert follow(look, look, told_from=moment(hours)) == [news, []]


def test_what_was_not_told_is_news_again():
    done = [reading(1, DONE)]
    assert follow([reading(1)], done, done, tell=False) == [[], ["01 DONE"], ["01 DONE"]]


def test_a_partial_job_that_was_just_restarted_is_not_partial_again_yet():
    def partial(asked):
        action = datetime.fromtimestamp(asked, UTC).isoformat()
        end = Completion(f"PARTIAL None START@{action}", final=False)
        return reading(1, end, userAction="START", userActionUpdated=action)

    mark, _ = CompletionCursor().review([partial(NOW - 9000)], NOW)
    restarted = partial(NOW)
    assert mark.review([restarted], NOW + 60)[1] == []
    assert mark.review([restarted], NOW + LINGERS)[1] != []
    assert mark.review([reading(1, DONE)], NOW + 60)[1] != []


def test_what_is_about_to_be_told_is_remembered_until_it_is_told():
    mark, news = CompletionCursor().review([reading(1)], NOW)
    mark, news = mark.review([reading(1, DONE)], NOW)
    begun = mark.mark_in_flight(news)
    assert begun.in_flight == {fingerprint(news[0].key)}
    assert not begun.emitted(news).in_flight
    assert begun.review([reading(1, DONE)], NOW)[1] == news, "it may not have been told"


def test_a_job_that_is_gone_is_forgotten():
    mark, _ = CompletionCursor().review([reading(2), reading(1)], NOW)
    assert set(mark.without({job_id(1)}).pending) == {job_id(2)}


def test_nothing_changes_when_nothing_happens():
    look = [reading(3), reading(2, DONE), reading(1, stop(1))]
    mark, _ = CompletionCursor().review(look, NOW)
    assert mark.review(look, NOW + 60)[0] == mark


def test_it_stays_small():
    """Below the 64 KB above which Airflow warns, whatever the account is like."""
    stopped = [reading(number, stop(number)) for number in range(3000)]
    burst = [reading(number, DONE, created=moment(5000)) for number in range(5000, 8000)]
    mark, _ = CompletionCursor(writer="x" * 32).review([*burst, *stopped], NOW)
    _, news = mark.review([reading(number, DONE, created=moment(5000) + 1) for number in range(9000, 9100)], NOW)
    mark = mark.mark_in_flight(news)
    assert (len(mark.pending), len(mark.recent), len(mark.in_flight)) == (3000, 0, 100)
    stored = mark.to_json()
    assert len(stored["emitted"]) == MOST_OPEN
    assert len(json.dumps(stored)) < 64 * 1024


def test_thousands_of_ended_jobs_take_no_space():
    mark, _ = CompletionCursor().review([reading(number, DONE) for number in range(5000)], NOW)
    assert len(json.dumps(mark.to_json())) < 300


def test_of_a_burst_the_newest_are_remembered():
    burst = [reading(number, DONE, created=moment(1) + number / 10) for number in range(2 * MOST_CLOSED)]
    mark, _ = CompletionCursor().review(burst, NOW)
    assert MOST_CLOSED - 20 <= len(mark.recent) <= MOST_CLOSED
    assert mark.review(burst, NOW)[1] == []
    assert len(mark.review([reading(9999, DONE, created=burst[-1].listed.created)], NOW)[1]) == 1


def test_ids_that_are_no_uuids_are_kept_too():
    mark = CompletionCursor(
        since=1.0, pending={"my-job": "", job_id(1): "", job_id(2).replace("-", ""): fingerprint("x")}
    )
    assert CompletionCursor.from_json(json.loads(json.dumps(mark.to_json()))) == mark


@pytest.mark.parametrize("stored", [5, "text", [], {}, {"version": 2}, {"version": 1, "since": "x"}])
def test_what_is_no_bookmark_is_refused(stored):
    with pytest.raises(ValueError, match=r"."):
        CompletionCursor.from_json(stored)


def test_nothing_is_the_beginning():
    assert CompletionCursor.from_json(None) == CompletionCursor()
