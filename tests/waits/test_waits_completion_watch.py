"""Each end is told once, whatever happens to whoever tells it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from random import Random

import pytest

from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.waits.cursor_store import InMemoryCursorStore
from tests.harness.virtual_time import run
from tests.polling.listed_jobs import Ears, add, ends_watch, follow, follow_for, following, job_id
from tests.polling.scripted_account import ScriptedAccount

HOUR = 3600.0


class Notebook(InMemoryCursorStore):
    """One that takes time, keeps only JSON, and fails while it is told to."""

    takes, failing = 0.05, False

    def __init__(self):
        super().__init__()
        self.written = 0

    async def read(self):
        await asyncio.sleep(self.takes)
        if self.failing:
            raise ConnectionError("the API server is away")
        return json.loads(json.dumps(await super().read()))

    async def write(self, value):
        await asyncio.sleep(self.takes)
        if self.failing:
            raise ConnectionError("the API server is away")
        await super().write(json.loads(json.dumps(value)))
        self.written += 1


def scene(account, *acts):
    """Run acts, one after another, with one poller each, as triggerers that follow one another."""

    async def all_acts():
        for act in acts:
            if isinstance(act, int | float):
                await asyncio.sleep(act)
            else:
                with following(account) as poller:
                    await act(poller)

    run(all_acts())


def act(duration, *watches):
    return lambda poller: follow_for(duration, poller, *watches)


@pytest.fixture
def account():
    account = ScriptedAccount()
    for number in range(150):
        add(account, number, "DONE")
    return account


def test_ends_that_come_while_nobody_looks_are_told_afterwards(account):
    add(account, 3, "PROCESSING", 1000, "DONE")
    add(account, 160, "PROCESSING", 1100, "STOPPED")
    add(account, 170, "FAILED", created=1200)
    ears, notebook = Ears(), Notebook()
    scene(account, act(600, ends_watch(ears, notebook)), 3000, act(600, ends_watch(ears, notebook)))
    assert ears.keys == ["3 DONE", "170 FAILED", "160 STOPPED"]
    assert not any(repeated for _, _, repeated in ears.heard)
    assert ears.heard[1][0] < 3600 + 5
    assert 60 <= ears.heard[2][0] - ears.heard[0][0] < 70, "a stop is read twice"


def test_a_restart_does_not_read_the_whole_list(account):
    ears, notebook = Ears(), Notebook()
    add(account, 149, "PROCESSING")
    scene(account, act(600, ends_watch(ears, notebook)), act(600, ends_watch(ears, notebook)))
    assert account.count("list", until=30) == 2
    assert account.count("list", since=600) <= 12


def test_a_notebook_is_written_only_when_something_changes(account):
    notebook = Notebook()
    add(account, 160, "PROCESSING", 1800, "DONE")
    scene(account, act(HOUR, ends_watch(Ears(), notebook)))
    assert notebook.written == 3, "at the beginning, and around the end"


def test_what_ended_before_the_first_look_is_told_only_if_it_is_asked_for(account):
    early, late = Ears(), Ears()
    scene(account, act(600, ends_watch(early), ends_watch(late, since=148 * HOUR - 10_000_000.0)))
    assert (early.keys, late.keys) == ([], ["148 DONE", "149 DONE"])


def test_a_job_that_was_stopped_long_ago_and_is_restarted_is_told_at_its_next_end(account):
    add(account, 3, "STOPPED", 2000, "PROCESSING", 5000, "DONE")
    add(account, 4, "STOPPED", 2000, "PROCESSING", 5000, "STOPPED", acted=[2000])
    ears = Ears()
    scene(account, act(2 * HOUR, ends_watch(ears)))
    assert sorted(ears.keys) == ["3 DONE", "4 STOPPED"]


def test_a_partial_job_of_v1_that_is_restarted_ends_twice():
    account = ScriptedAccount(api=BatchApi.PROCESS_V1)
    add(account, 1, "PROCESSING", 1000, "PARTIAL", 3300, "PROCESSING", 5000, "PARTIAL", acted=[3000])
    add(account, 2, "PROCESSING", 1000, "PARTIAL", 1030, "DONE")
    ears = Ears()
    scene(account, act(3 * HOUR, ends_watch(ears, api=BatchApi.PROCESS_V1)))
    assert sorted(ears.keys) == ["1 PARTIAL", "1 PARTIAL", "2 DONE"], "it lingers for five minutes after a restart"
    assert len({key for _, key, _ in ears.heard}) == 3


def test_the_last_end_is_told_a_while_after_the_others(account):
    for number in range(160, 165):
        add(account, number, "PROCESSING", 1000, "DONE")
    add(account, 165, "PROCESSING", 1030, "DONE")
    ears = Ears()
    scene(account, act(1800, ends_watch(ears, interval=20.0, apart=30.0)))
    assert ears.keys == [f"{number} DONE" for number in range(160, 166)]
    *first, fifth, sixth = (at for at, _, _ in ears.heard)
    assert len(set(first)) == 1
    assert 30 <= fifth - first[0] < 31
    assert 30 <= sixth - fifth < 40


def test_filters(account):
    add(account, 160, "PROCESSING", 1000, "DONE", description="my ndvi")
    add(account, 161, "PROCESSING", 1000, "DONE", description="my evi")
    add(account, 162, "PROCESSING", 1000, "FAILED", description="my ndvi")
    heard = {}
    watches = []
    for name, filters in {
        "all": {},
        "done ndvi": {"statuses": ["DONE"], "description": "ndvi"},
        "evi": {"description_pattern": "evi$"},
        "162": {"request_ids": [job_id(162)]},
    }.items():
        heard[name] = Ears()
        watches.append(ends_watch(heard[name], **filters))
    scene(account, act(HOUR, *watches))
    assert {name: sorted(ears.keys) for name, ears in heard.items()} == {
        "all": ["160 DONE", "161 DONE", "162 FAILED"],
        "done ndvi": ["160 DONE"],
        "evi": ["161 DONE"],
        "162": ["162 FAILED"],
    }


def test_jobs_by_their_ids_do_not_take_the_whole_list():
    account = ScriptedAccount()
    for number in range(1000):
        add(account, number, "DONE")
    add(account, 5, "PROCESSING", 1000, "DONE")
    ears = Ears()
    ids = [job_id(5), job_id(6), job_id(5000)]
    scene(account, act(HOUR, ends_watch(ears, request_ids=ids)))
    assert ears.keys == ["5 DONE"], "6 had ended before"
    assert account.count() <= 1000 / 60 + 7 + 300 / 60, "a new job may be 404 for 300 s"
    assert len(ears.lines) == 2
    assert f"{job_id(5000)} is not there any more" in ears.lines[0]
    assert "nothing is left to tell" in ears.lines[1]
    assert account.count(since=1200) == 0


def test_nothing_is_told_that_cannot_be_noted(account):
    add(account, 160, "PROCESSING", 1000, "DONE")
    ears, notebook = Ears(), Notebook()

    async def fails_for_a_while(poller):
        watching = asyncio.create_task(follow_for(HOUR, poller, ends_watch(ears, notebook)))
        await asyncio.sleep(900)
        notebook.failing = True
        await asyncio.sleep(1100)
        assert ears.keys == []
        notebook.failing = False
        await watching

    scene(account, fails_for_a_while)
    assert ears.keys == ["160 DONE"]
    assert [line.partition(" (")[0] for line in ears.lines] == [
        "Airflow cannot note or take what is to be told",
        "Airflow notes again what is told.",
    ]


def test_it_does_not_begin_without_what_was_noted(account):
    """Or it would take what ended meanwhile for what had ended before."""
    add(account, 160, "PROCESSING", 1000, "DONE")
    ears, notebook = Ears(), Notebook()

    async def fails_at_first(poller):
        notebook.failing = True
        watching = asyncio.create_task(follow_for(HOUR, poller, ends_watch(ears, notebook)))
        await asyncio.sleep(600)
        assert account.count(since=700) == 0
        notebook.failing = False
        await watching

    scene(account, act(600, ends_watch(ears, notebook)), 600, fails_at_first)
    assert ears.keys == ["160 DONE"]


def test_a_notebook_that_makes_no_sense_is_begun_anew(account):
    ears, notebook = Ears(), Notebook()
    notebook._value = {"version": 99}
    add(account, 160, "PROCESSING", 1000, "DONE")
    scene(account, act(HOUR, ends_watch(ears, notebook)))
    assert ears.keys == ["160 DONE"]
    assert "begins anew" in ears.lines[0]


def test_whoever_is_killed_while_he_tells_says_so_the_next_time(account):
    add(account, 160, "PROCESSING", 1000, "DONE")
    notebook, ears = Notebook(), Ears(takes=30.0)
    add(account, 161, "PROCESSING", 1500, "DONE")
    scene(account, act(1040, ends_watch(ears, notebook)), act(HOUR, ends_watch(ears, notebook)))
    assert ears.keys == ["160 DONE", "161 DONE"]
    assert [repeated for _, _, repeated in ears.heard] == [True, False]


def test_what_somebody_else_is_just_telling_is_left_to_him(account):
    add(account, 160, "PROCESSING", 1000, "DONE")
    ears, notebook = Ears(takes=30.0), Notebook()

    async def one_takes_over_from_another(poller):
        old = asyncio.create_task(follow_for(1075, poller, ends_watch(ears, notebook)))
        while not (notebook._value and notebook._value["in_flight"]):  # noqa: ASYNC110 - in virtual time
            await asyncio.sleep(1)
        with following(account) as other_poller:
            await follow_for(600, other_poller, ends_watch(ears, notebook))
        await old

    scene(account, one_takes_over_from_another)
    assert ears.keys == ["160 DONE"]


def test_a_frozen_twin_repeats_nothing(account):
    """It saw a job end before it froze, and goes on while another one has told it."""
    add(account, 160, "PROCESSING", 1000, "DONE")
    add(account, 161, "PROCESSING", 2000, "DONE")
    add(account, 162, "PROCESSING", 2800, "DONE")
    notebook, ears, lines = Notebook(), Ears(), []

    async def twins(poller):
        frozen = ends_watch(ears, notebook)
        watching = asyncio.create_task(follow_for(600, poller, frozen))
        await watching
        before = await poller_sight(poller, frozen)
        other = asyncio.create_task(follow(poller, ends_watch(ears, notebook)))
        await asyncio.sleep(1800)
        assert ears.keys == ["160 DONE", "161 DONE"]
        await frozen.update(before, asyncio.get_running_loop().time())
        await asyncio.sleep(17)  # they do not look at the same moment
        with following(account) as other_poller:
            await follow_for(1800, other_poller, frozen)
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        lines.extend(ears.lines)

    async def poller_sight(poller, watch):
        subscription = poller.subscribe("twin", 0.0)
        try:
            return await subscription.next(await watch.next_request(asyncio.get_running_loop().time()))
        finally:
            subscription.leave()

    scene(account, twins)
    assert ears.keys == ["160 DONE", "161 DONE", "162 DONE"]
    assert any("Another triggerer" in line for line in lines)


@pytest.mark.parametrize("seed", range(20))
def test_random_deaths(seed):
    """Killed at any moment, ends are told once; twice only if it was killed while it told, and then it says so."""
    random = Random(seed)
    account = ScriptedAccount(page_size=random.choice([5, 100]), lag=random.choice([0.0, 20.0]))
    for number in range(15):
        add(account, number, "DONE")
    expected = set()
    for number in range(100, 140):
        created = random.choice([-5000.0, random.uniform(0, 4000)]) - number / 100
        begins = max(created, 0.0) + random.uniform(100, 2000)
        end = random.choice(["DONE", "FAILED", "STOPPED"])
        add(account, number, "PROCESSING", begins, end, created=created)
        expected.add(f"{number} {end}")
    ears, notebook = Ears(takes=random.choice([0.0, 1.0, 20.0])), Notebook()
    acts = []
    for _ in range(13):
        acts += [act(random.uniform(61, 800), ends_watch(ears, notebook)), random.choice([0.0, 5.0, 600.0])]
    scene(account, act(60, ends_watch(ears, notebook)), *acts, act(HOUR, ends_watch(ears, notebook)))
    told = Counter(ears.keys)
    assert set(told) == expected
    once = Counter(key for _, key, repeated in ears.heard if not repeated)
    assert all(count == 1 for count in once.values())
    # Whoever hears here has heard it all or nothing, so what was interrupted comes once.
    assert set(told.values()) == {1}
