"""Many waits at once in a real Airflow: how many requests the service sees of them."""

from __future__ import annotations

import os
import time

import pytest

from demo.airflow_rest import TIMEOUT

pytestmark = pytest.mark.system

COUNT = int(os.environ.get("WAITS", "50"))
"""docs/performance.md tells of ``WAITS=1000 make test JOBS=0 ARGS="-s tests/system/test_system_many.py"``."""


INTERVAL = 5
"""Seconds between two looks of a wait, as dags/many.py has it."""

SHARED = COUNT // 100 + 3
"""Requests in one interval that tell of all jobs: pages of the list, and a few jobs by themselves."""


def test_many_mapped_waits_cost_a_few_requests(service, airflow):
    service.forget_requests()
    job_ids = [service.add_job("process", steps=[{"status": "PROCESSING"}]) for _ in range(COUNT)]
    began = time.monotonic()
    run_id = airflow.trigger("many_waits", {"request_ids": job_ids})
    waited, counted_at = 0.0, began

    def all_are_deferred():
        nonlocal waited, counted_at
        deferred, now = count_of(airflow, run_id, "deferred"), time.monotonic()
        waited, counted_at = waited + deferred * (now - counted_at), now
        return deferred == COUNT

    airflow.wait_until(
        all_are_deferred,
        "not all waits are deferred",
        possible=lambda: not any(count_of(airflow, run_id, state) for state in ("failed", "upstream_failed")),
        story=lambda: airflow.story("many_waits", run_id),
        timeout=TIMEOUT + 3 * COUNT,
    )
    arriving, all_deferred = polls(service), time.monotonic() - began

    # Waits come in one by one, each at its own time; soon they have their turns together.
    watching = []

    def they_share():
        service.forget_requests()
        since = time.monotonic()
        while time.monotonic() < since + INTERVAL:
            time.sleep(0.5)
        watching.append(polls(service))
        return all(0 < count <= SHARED for count in watching[-3:]) and len(watching) >= 3

    airflow.wait_until(they_share, "they do not share their looks", story=lambda: f"requests: {watching}")

    service.forget_requests()
    ended = time.monotonic()
    for job_id in job_ids:
        service.set_scenario(job_id, steps=[{"status": "DONE", "costPU": 7}])
    airflow.wait_for_run("many_waits", run_id, "success", timeout=TIMEOUT + 3 * COUNT)
    print(
        f"\n{COUNT} waits: {arriving} requests until all were deferred ({all_deferred:.0f} s), then {watching} in "
        f"{INTERVAL} s each, {polls(service)} until all had ended ({time.monotonic() - ended:.0f} s)."
    )
    # Each is looked at once when it comes. By themselves they would ask once in an interval, too.
    assert arriving < COUNT + 2 * SHARED + 0.5 * waited / INTERVAL
    assert airflow.xcom("many_waits", run_id, "wait", map_index=COUNT - 1)["costPU"] == 7
    lines = airflow.log_lines("many_waits", run_id, "wait", map_index=COUNT - 1)
    assert sum("DONE, 7 PU, waited" in line["event"] for line in lines) == 1, "no worker has repeated it"


def count_of(airflow, run_id, state):
    # Of a thousand, only the number is of interest.
    path = f"/dags/many_waits/dagRuns/{run_id}/taskInstances"
    answer = airflow.request("GET", path, params={"state": state, "limit": 1})
    return answer["total_entries"]


def polls(service):
    return sum(count for name, count in service.requests()["by_path"].items() if "/batch/process" in name)
