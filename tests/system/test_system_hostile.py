"""A catalogue of hostile answers, sent to a real triggerer that has other work as well."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from airflow_sentinelhub.emulator import Emulator
from tests.harness.hostile_proxy import HostileProxy, body, drip, gzip_bomb

pytestmark = pytest.mark.system

MARKER = "Zq7xHostileSecretMarker0123456789abcdefgh"
HEALTHY = 10
MB = 1024 * 1024

GROWTH = 300 * MB
"""
How much the triggerer's memory may grow: an answer of 16 MB, which is the most that is read, is held a few times
while it is decoded. A bomb of 3 GB that is unpacked, or 100 MB of JSON that is decoded, are more.
"""

LONGEST_BLOCK = 10.0
"""
Seconds for which Airflow may find its loop blocked, by its own measure. On a quiet machine it is below one; a
regular expression that backtracks over these pages held it for 38. A slower machine makes both longer.
"""


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def delivery(url):
    return {"output": {"type": "raster", "delivery": {"s3": {"url": url}}}}


RUNNING = [{"status": "PROCESSING"}]

# The last status of a job, what else it says of itself, and its request.
CONTENT = {
    "an integer of 65 bits": ("DONE", {"tileCount": 2**64}, None),
    "half a surrogate pair": ("FAILED", {"error": "cut \ud83d"}, None),
    "half a surrogate pair in a key": ("DONE", {"\udc00": 1}, None),
    "a number that is none": ("DONE", {"costPU": float("nan")}, None),
    "700 levels": ("DONE", {"odd": nested(700)}, None),
    "an address that cannot be read": ("DONE", {}, delivery("s3://[bucket/x")),
    "an address of odd letters": ("DONE", {}, delivery("s3://a\u2100b")),
    "a secret": ("FAILED", {"error": f"Access denied, secretAccessKey: {MARKER}"}, None),
    "lines of a log": ("FAILED", {"error": "::group::a\n\x1b[31mb\x00" + "x" * MB}, None),
}

# What the connection brings instead of the job, and how the wait for it ends; None: it goes on.
WIRE = {
    "a number without end": ("failed", lambda job: body(b'{"id": "x", "costPU": ' + b"9" * 5000)),
    "no UTF-8": (
        "success",
        lambda job: body(b'{"id": "%s", "status": "DONE", "description": "\xff\xfe"}' % job.encode()),
    ),
    "another id, of a megabyte": ("failed", lambda job: body(b'{"id": "' + b"x" * MB + b'", "status": "DONE"}')),
    "a page of headings": (None, lambda job: body(b"<h1>" * 75_000, 500)),
    "a page of tokens": (None, lambda job: body(b"eyJ-" * 75_000, 502)),
    "a bomb": (None, lambda job: gzip_bomb(3 * 1024 * MB)),
    "100 MB": (None, lambda job: body([b'{"a": "' + b"x" * MB, *[b"x" * MB] * 99])),
    "millions of values": (None, lambda job: body(b'{"a": [' + b"[]," * (5 * MB) + b"1]}")),
}


@pytest.fixture
def accounts(airflow):
    """Two accounts, the first behind a proxy; and the connections to them."""
    with Emulator(speed=1) as one, Emulator(speed=1) as other, HostileProxy(one.url) as proxy:
        ids = {"hostile_one": (one, proxy.url), "hostile_other": (other, other.url)}
        for name, (emulator, url) in ids.items():
            airflow.request("POST", "/connections", json={**connection(emulator, url), "connection_id": name})
        yield one, other, proxy
        for name in ids:
            airflow.request("DELETE", f"/connections/{name}")


def connection(emulator, url):
    extra = {"auth_url": emulator.auth_url, "deployment": "custom"}
    return {
        "conn_type": "sentinelhub",
        "login": emulator.client_id,
        "password": emulator.client_secret,
        "host": url,
        "extra": json.dumps(extra),
    }


def processes_of(airflow):
    first = psutil.Process(airflow._components["triggerer"].process.pid)
    return {each.pid: each.memory_info().rss for each in [first, *first.children(recursive=True)]}


def blocks(airflow):
    log = (airflow.component_logs / "triggerer.log").read_text(errors="replace")
    return [float(found) for found in re.findall(r"async thread was blocked for ([\d.]+) seconds", log)]


@pytest.fixture
def start(airflow):
    """Start a run, and wait until all of its waits are deferred; no run is left to the tests that come next."""
    run_ids = []

    def start(waits):
        run_ids.append(started(airflow, waits))
        return run_ids[-1]

    yield start
    for run_id in run_ids:
        if airflow.dag_run_state("hostile_answers", run_id) == "running":
            airflow.mark_run("hostile_answers", run_id, "failed")
        airflow.wait_until(
            lambda run_id=run_id: "deferred" not in states(airflow, run_id).values(), "waits are left behind"
        )


def started(airflow, waits):
    until = (datetime.now(UTC) + timedelta(seconds=20)).isoformat()
    run_id = airflow.trigger("hostile_answers", {"waits": waits, "until": until})
    airflow.wait_until(
        lambda: list(states(airflow, run_id).values()) == ["deferred"] * len(waits),
        "not all waits are deferred",
        possible=lambda: not {"failed", "upstream_failed"} & {*states(airflow, run_id).values()},
        story=lambda: airflow.story("hostile_answers", run_id),
    )
    airflow.wait_until_let_go("hostile_answers", run_id, "wait")
    return run_id


def states(airflow, run_id):
    tasks = airflow.task_instances("hostile_answers", run_id)
    return {task["map_index"]: task["state"] for task in tasks if task["task_id"] == "wait"}


def ended(airflow, run_id, expected):
    """Wait until each wait is in its state; ``None``: it goes on."""
    under_way = ("deferred", "scheduled", "queued", "running", None)
    right = {number: state for number, state in enumerate(expected) if state}
    now = {}

    def all_have_ended():
        now.update(states(airflow, run_id))
        return right.items() <= now.items()

    airflow.wait_until(
        all_have_ended,
        "not all waits have ended as they should",
        possible=lambda: all(now[number] in (state, *under_way) for number, state in right.items()),
        story=lambda: f"{states(airflow, run_id)}\n{airflow.story('hostile_answers', run_id)}",
    )
    airflow.wait_for_task("hostile_answers", run_id, "another_trigger", "success")


@pytest.mark.usefixtures("stopping")  # it has to wait for a minute, which is over after this test
def test_hostile_answers_harm_nobody_else(airflow, accounts, start):
    one, other, proxy = accounts
    before, blocked_before = processes_of(airflow), len(blocks(airflow))

    # What jobs say of themselves, in lists and alone.
    healthy = [account.add_job("process", steps=RUNNING) for account in (one, other) for _ in range(HEALTHY)]
    hostile = [
        one.add_job("process", steps=[{"status": "PROCESSING", **fields}], request=request)
        for _, fields, request in CONTENT.values()
    ]
    waits = [
        {"request_id": job, "sentinelhub_conn_id": "hostile_other" if number >= HEALTHY else "hostile_one"}
        for number, job in enumerate(healthy)
    ] + [{"request_id": job, "sentinelhub_conn_id": "hostile_one"} for job in hostile]
    run_id = start(waits)
    for number, job in enumerate(healthy):
        (one if number < HEALTHY else other).set_scenario(job, steps=[{"status": "DONE"}])
    for job, (status, fields, _) in zip(hostile, CONTENT.values(), strict=True):
        one.set_scenario(job, steps=[{"status": status, **fields}])
    ends = ["success" if status == "DONE" else "failed" for status, *_ in CONTENT.values()]
    ended(airflow, run_id, ["success"] * len(healthy) + ends)

    # What the connection brings instead of a job, or of the whole list.
    healthy = [one.add_job("process", steps=RUNNING) for _ in range(10)]
    hostile = [one.add_job("process", steps=RUNNING) for _ in WIRE]
    slow = one.add_job("process", steps=RUNNING)
    waits = [{"request_id": job, "sentinelhub_conn_id": "hostile_one"} for job in [*healthy, *hostile, slow]]
    run_id = start(waits)
    proxy.answers["/batch/process"] = gzip_bomb(3 * 1024 * MB)
    for job, (_, answer) in zip(hostile, WIRE.values(), strict=True):
        proxy.answers[job] = answer(job)
    # An answer that cannot be read is the job's own fault only while others can be read.
    ended(airflow, run_id, [None] * len(healthy) + [state for state, _ in WIRE.values()])
    # A byte now and then: such an exchange is given up after a minute, so it comes last.
    proxy.answers[slow] = drip(1)
    airflow.wait_until(lambda: {*hostile, slow} <= set(proxy.hits), "not every hostile answer was asked for")
    for job in healthy:
        one.set_scenario(job, steps=[{"status": "DONE"}])
    ended(airflow, run_id, ["success"] * len(healthy))
    after = processes_of(airflow)
    longest = max(blocks(airflow)[blocked_before:], default=0.0)
    grown = sum(after.values()) - sum(before.values())
    print(f"\nThe triggerer grew by {grown / MB:.0f} MB; its loop was blocked for {longest:.2f} s at most.")
    assert before.keys() == after.keys(), "no process of the triggerer has ended"
    assert grown < GROWTH
    assert longest < LONGEST_BLOCK
    for file in airflow.home.rglob("*"):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):  # Airflow is at work beside
            assert MARKER.encode() not in file.read_bytes(), f"{file} shows a secret"
