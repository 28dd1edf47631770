"""Runs each recipe from end to end, by pytest in a project of its own; see test_docs_recipes.py."""

from __future__ import annotations

import sys

import pytest
from alert import alert_on_failure
from costs import costs_of_the_month
from fan_out import fan_out
from regions import regions
from taskflow import with_functions
from teardown import setup_and_teardown
from weekly import weekly

from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.jobs import BatchApi

pytestmark = pytest.mark.usefixtures("sentinelhub_connection")


def left(run, task_id, **given):
    return run.get_task_instance(task_id).xcom_pull(task_id, **given)


def test_taskflow(sentinelhub_emulator):
    run = with_functions().test(run_conf={"request_id": sentinelhub_emulator.job(cost=250).id})
    assert (run.state, left(run, "report")) == ("success", "DONE, and it cost 250 PU")


def test_regions(sentinelhub_emulator):
    run = regions().test()
    assert run.state == "success"
    assert sorted(each.rendered_map_index for each in run.get_task_instances()) == ["Corsica", "Sicily"]


def test_fan_out(sentinelhub_emulator):
    run = fan_out().test(run_conf={"request_id": sentinelhub_emulator.job(failed_tiles=3).id})
    assert run.state == "success"
    assert len([each for each in run.get_task_instances() if each.task_id == "use"]) == 9


def test_weekly(sentinelhub_emulator):
    assert weekly().test().state == "success"


def test_alert(sentinelhub_emulator, capfd):
    job = sentinelhub_emulator.job(status=["PROCESSING", "FAILED"], error="Evalscript broken")
    assert alert_on_failure().test(run_conf={"request_id": job.id}).state == "failed"
    assert f"ALERT: job {job.id} is FAILED: Evalscript broken" in "".join(capfd.readouterr())


@pytest.mark.skipif("airflow_has_no_retry_policies()")
def test_retries(sentinelhub_emulator):
    from retries import retries_by_exception

    run = retries_by_exception().test(run_conf={"request_id": sentinelhub_emulator.job().id})
    assert run.state == "success"


def airflow_has_no_retry_policies():
    import airflow.sdk

    return not hasattr(airflow.sdk, "RetryRule")


def test_costs(sentinelhub_emulator):
    for cost in (250, 50):
        sentinelhub_emulator.job(cost=cost)
    run = costs_of_the_month().test()
    assert run.state == "success"


def test_teardown(sentinelhub_emulator):
    run = setup_and_teardown().test(run_conf={"request": sample_request(BatchApi.PROCESS)})
    assert run.state == "success"
    assert left(run, "use").endswith(" is DONE.")
    assert left(run, "stop")["status"] == "DONE"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
