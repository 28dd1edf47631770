"""Many waits at once in a real Airflow: how many requests the service sees of them."""

from __future__ import annotations

import os
import time

import pytest

pytestmark = pytest.mark.system

COUNT = int(os.environ.get("WAITS", "100"))
"""docs/performance.md tells of ``WAITS=1000 make test JOBS=0 ARGS="-s tests/system/test_system_many.py"``."""


def test_many_mapped_waits_cost_a_few_requests(service, airflow):
    job_ids = [service.add_job("process", steps=[{"status": "PROCESSING"}]) for _ in range(COUNT)]
    began = time.monotonic()
    run_id = airflow.trigger("many_waits", {"request_ids": job_ids})
    deadline = time.monotonic() + 60 + 3 * COUNT
    while (deferred := count_of(airflow, run_id, "deferred")) < COUNT:
        airflow.check()
        assert time.monotonic() < deadline, f"only {deferred} waits are deferred"
        time.sleep(1)
    all_deferred = time.monotonic() - began
    arriving = polls(service)

    service.forget_requests()
    time.sleep(30)
    watching = polls(service)

    service.forget_requests()
    ended = time.monotonic()
    for job_id in job_ids:
        service.set_fate(job_id, steps=[{"status": "DONE", "costPU": 7}])
    assert airflow.wait_for_run("many_waits", run_id, timeout=60 + 3 * COUNT) == "success"
    print(
        f"\n{COUNT} waits: {arriving} requests until all were deferred ({all_deferred:.0f} s), {watching} in 30 s "
        f"at an interval of 10 s, {polls(service)} until all had ended ({time.monotonic() - ended:.0f} s)."
    )
    assert arriving < COUNT + all_deferred / 5
    assert watching <= 4 * (COUNT // 100 + 2)
    assert airflow.xcom("many_waits", run_id, "wait", map_index=COUNT - 1)["costPU"] == 7
    lines = airflow.log_lines("many_waits", run_id, "wait", map_index=COUNT - 1)
    assert sum(": DONE, 7 PU, waited" in line["event"] for line in lines) == 1, "no worker has repeated it"


def count_of(airflow, run_id, state):
    # Of a thousand, only the number is of interest.
    path = f"/dags/many_waits/dagRuns/{run_id}/taskInstances"
    answer = airflow.request("GET", path, params={"state": state, "limit": 1})
    return answer["total_entries"]


def polls(service):
    return sum(count for name, count in service.requests()["by_path"].items() if "/batch/process" in name)
