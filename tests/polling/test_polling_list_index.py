"""How far the list is read, as tables: pages by page numbers, no service."""

from __future__ import annotations

import math

import pytest

from airflow_sentinelhub.polling.list_index import (
    FIRST_SUSPENSION,
    ListIndex,
    cheapest_depth,
)


class List:
    """A list of jobs, and a cycle's search on it."""

    def __init__(self, watched, *, page_size=10, newer=0):
        self.watched = dict.fromkeys(watched)
        self.page_size = page_size
        self.jobs = [f"other {number}" for number in range(newer)] + list(watched)
        self.list_index = ListIndex(self.watched.keys())

    def page(self, number):
        return self.jobs[(number - 1) * self.page_size : number * self.page_size]

    def cycle(self, jobs=None, now=0.0):
        """Search, and give the pages that were read and how many jobs are left to ask for."""
        jobs = set(self.watched if jobs is None else jobs)
        search, read = self.list_index.search(jobs, now), []
        try:
            while (scan := search.next()) is not None:
                page = self.page(scan.read + 1)
                if not page:
                    search.reached_end()
                    continue
                read.append(scan.read + 1)
                search.saw(scan, [job for job in page if job in self.watched])
                jobs -= set(page)
        finally:
            search.finish()
        return read, len(jobs)


def ids(count):
    return [f"job {number}" for number in range(count)]


@pytest.mark.parametrize(
    ("pages", "depth"),
    [
        ([], 0),
        ([1], 0),  # a page is no cheaper than asking for the one job
        ([1, 1], 1),
        ([2, 2], 0),
        ([2, 2, 2], 2),
        ([1, 1, 9], 1),
        ([1, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9], 9),
        ([7] * 50, 7),
    ],
)
def test_depth(pages, depth):
    assert cheapest_depth(pages) == depth


def test_one_job_is_asked_for_and_not_listed():
    assert List(ids(1)).cycle() == ([], 1)


def test_two_jobs_on_the_first_page_are_read_from_it():
    jobs = List(ids(2))
    assert [jobs.cycle(), jobs.cycle()] == [([1], 0), ([1], 0)]


def test_all_pages_are_read_while_each_of_them_tells_of_jobs():
    assert List(ids(95)).cycle() == (list(range(1, 11)), 0)


def test_what_is_left_on_a_last_page_of_one_job_is_asked_for():
    jobs = List(ids(21))
    jobs.cycle()
    assert jobs.cycle() == ([1, 2], 1)


def test_jobs_that_are_too_deep_cost_one_page_to_find_out():
    jobs = List(ids(2), newer=1000)
    assert [jobs.cycle(now=now) for now in range(0, 600, 60)] == [([1], 2)] + [([], 2)] * 9


def test_they_are_looked_for_again_less_and_less_often():
    jobs = List(ids(2), newer=1000)
    tries = [now for now in range(0, 40_000, 60) if jobs.cycle(now=now)[0]]
    assert tries[:4] == [0, 600, 1800, 4200]
    assert tries[-1] - tries[-2] == 7200


def test_deep_jobs_are_searched_for_a_page_at_a_time_and_then_read_where_they_are():
    jobs = List(ids(9), newer=25)
    assert [jobs.cycle()[0] for _ in range(4)] == [[1], [2], [3, 4], [1, 2, 3, 4]]


def test_where_many_are_looked_for_more_pages_may_be_tried():
    jobs = List(ids(40), newer=35)
    assert jobs.cycle() == ([1, 2, 3, 4, 5, 6, 7, 8], 0)


def test_the_list_is_not_read_deeper_than_it_can_pay():
    jobs = List(ids(9), newer=500)
    reads = [page for _ in range(20) for page in jobs.cycle()[0]]
    assert reads == [1, 2, 3, 4]


def test_jobs_that_new_ones_push_to_the_next_page_are_found_there():
    jobs = List(ids(10))
    jobs.cycle()
    jobs.jobs[:0] = [f"newer {number}" for number in range(10)]
    assert jobs.cycle() == ([1], 10), "one page in vain is what a try may cost"
    assert jobs.cycle() == ([1, 2], 0)


def test_one_job_that_is_left_for_the_last_page_is_asked_for():
    jobs = List(ids(23))
    jobs.cycle()
    del jobs.jobs[:2], jobs.watched["job 0"], jobs.watched["job 1"]
    assert jobs.cycle() == ([1, 2], 1), "only one of three is still on the third page"


def test_newcomers_are_found_by_the_pages_that_are_read_anyway():
    jobs = List(ids(20))
    jobs.cycle()
    jobs.watched["new"] = None
    jobs.jobs.insert(0, "new")
    assert jobs.cycle() == ([1, 2], 1)


def test_the_end_of_the_list_ends_the_search():
    jobs = List(ids(30))
    jobs.watched |= dict.fromkeys(["missing 1", "missing 2"])
    assert jobs.cycle() == ([1, 2, 3], 2)
    assert jobs.cycle() == ([1, 2, 3], 2)


def test_the_list_ends_before_jobs_that_were_on_it():
    jobs = List(ids(50))
    jobs.cycle()
    del jobs.jobs[5:]
    assert jobs.cycle() == ([1], 45)
    assert jobs.cycle()[1] == 45


def test_a_list_that_cannot_be_read_is_left_alone_for_longer_and_longer():
    list_index = ListIndex(dict.fromkeys(ids(5)).keys())
    assert [list_index.suspend(0.0) for _ in range(8)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert list_index.search(ids(5), 3599.0).next() is None
    assert list_index.search(ids(5), 3600.0).next() is not None


def test_a_list_that_failed_with_all_the_rest_is_read_again_at_once():
    list_index = ListIndex(dict.fromkeys(ids(5)).keys())
    list_index.suspend(0.0)
    list_index.resume()
    assert list_index.search(ids(5), 1.0).next() is not None
    assert list_index.suspend(0.0) == FIRST_SUSPENSION


def test_two_cycles_at_the_same_time_never_go_on_with_the_same_walk():
    list_index = ListIndex(dict.fromkeys(ids(9)).keys())
    before = list_index.search(ids(9), 0.0)
    paused = before.next()
    before.saw(paused, [])
    before.finish()
    first, second = list_index.search(ids(9), 0.0), list_index.search(ids(9), 0.0)
    assert first.next() is paused
    assert second.next() is not paused


def test_a_walk_that_failed_is_not_gone_on_with():
    list_index = ListIndex(dict.fromkeys(ids(9)).keys())
    search = list_index.search(ids(9), 0.0)
    scan = search.next()
    search.failed()
    assert search.next() is None
    search.finish()
    assert list_index.search(ids(9), 0.0).next() is not scan


def test_what_is_not_watched_any_more_leaves_nothing_behind():
    jobs = List(ids(30), newer=15)
    search = jobs.list_index.search(jobs.watched, 0.0)
    search.saw(search.next(), [])
    for job in list(jobs.watched):
        del jobs.watched[job]
        jobs.list_index.forget(job)
    search.finish()
    assert not jobs.list_index._page
    assert not jobs.list_index._searched_to


@pytest.mark.parametrize("newer", [0, 5, 10, 95, 300, 2000])
@pytest.mark.parametrize("count", [1, 2, 3, 9, 10, 11, 50, 200])
def test_what_is_read_in_vain_is_little(count, newer):
    """Pages and requests together stay close to a request for each job, also while the search goes on."""
    jobs = List(ids(count), newer=newer)
    cycles = [jobs.cycle(now=60.0 * number) for number in range(60)]
    for read, left in cycles:
        assert len(read) + left <= count + max(1, count // 10)
    read, left = cycles[-1]
    needed = math.ceil((newer + count) / jobs.page_size)
    if needed <= count // 2:
        assert len(read) + left <= needed + 1, "it has learnt where they are"
