"""The fixtures for users: found by themselves, free until they are asked for, and gone afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.sensors.batch import (
    SentinelHubBatchProcessJobSensor,
    SentinelHubBatchStatisticalJobSensor,
)
from airflow_sentinelhub.tasks import wait_options
from tests.harness.task_runner import run

pytest_plugins = ["pytester"]

HEAVY = ("airflow", "starlette", "uvicorn", "requests")


def run_without(modules: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest where modules cannot be imported, as if they were not installed."""
    code = (
        "import sys, pytest\n"
        f"sys.modules.update(dict.fromkeys({modules!r}))\n"
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, encoding="utf-8", timeout=600, check=False
    )


def test_pytest_has_them_without_importing_anything(pytester):
    pytester.makepyfile(
        f"""
        import sys

        def test_nothing_is_there():
            assert "airflow_sentinelhub.pytest_plugin" in sys.modules
            assert not [name for name in {HEAVY} if name in sys.modules]
            assert not [name for name in sys.modules if name.startswith("airflow_sentinelhub.emulator")]
        """
    )
    assert pytester.runpytest_subprocess().ret == 0


def test_the_emulator_needs_no_airflow(pytester):
    pytester.makepyfile(
        """
        def test_it(sentinelhub_emulator):
            assert sentinelhub_emulator.job(status="DONE").status == "DONE"
        """
    )
    ended = run_without(("airflow", "airflow.sdk"), pytester.path)
    assert ended.returncode == 0, ended.stdout


def test_without_the_extra_only_who_asks_is_told(pytester):
    pytester.makepyfile(
        """
        def test_something_else():
            pass

        def test_it(sentinelhub_emulator):
            pass
        """
    )
    ended = run_without(("starlette", "uvicorn"), pytester.path)
    assert "1 passed, 1 error" in ended.stdout
    assert "pip install 'airflow-provider-sentinelhub[emulator]'" in ended.stdout


def test_the_connection_is_there_for_one_test(sentinelhub_emulator, sentinelhub_connection):
    assert sentinelhub_connection == "sentinelhub_default"
    config = SentinelHubHook(sentinelhub_connection).get_config()
    assert (config.base_url, config.auth_url) == (sentinelhub_emulator.url, sentinelhub_emulator.auth_url)
    assert SentinelHubHook(sentinelhub_connection).test_connection()[0]


def test_it_leaves_nothing(pytester):
    pytester.makepyfile(
        """
        import os
        from airflow_sentinelhub.tasks import wait_options

        def test_it(sentinelhub_connection):
            assert wait_options.LONGEST_INTERVAL == 0.1

        def test_after_it():
            assert "AIRFLOW_CONN_SENTINELHUB_DEFAULT" not in os.environ
            assert wait_options.LONGEST_INTERVAL == float("inf")
        """
    )
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


class TestAnotherId:
    @pytest.fixture
    def sentinelhub_conn_id(self):
        return "my_cdse"

    def test_it_can_be_overridden(self, sentinelhub_connection):
        assert sentinelhub_connection == "my_cdse"
        assert json.loads(os.environ["AIRFLOW_CONN_MY_CDSE"])["conn_type"] == "sentinelhub"
        assert "AIRFLOW_CONN_SENTINELHUB_DEFAULT" not in os.environ


@pytest.mark.parametrize("api", ["process", "statistical"])
def test_a_sensor_with_its_usual_interval_looks_more_often(sentinelhub_emulator, sentinelhub_connection, api):
    sensors = {
        "process": SentinelHubBatchProcessJobSensor,
        "statistical": SentinelHubBatchStatisticalJobSensor,
    }
    job = sentinelhub_emulator.job(api=api, status=["CREATED", "ANALYSING", "PROCESSING", "DONE"])
    ended = run(sensors[api](task_id="wait", request_id=job, deferrable=False))
    assert (ended.state, ended.returned["id"]) == ("success", job.id)
    usual = {"process": 120, "statistical": 30}[api]
    assert f"poke_interval is lowered from {usual} s to 0.1 s." in ended.log


def test_it_takes_the_longer_of_no_two_intervals(sentinelhub_connection, monkeypatch):
    sensor = SentinelHubBatchProcessJobSensor(task_id="wait", request_id="x", poke_interval=0.01)
    assert sensor.wait_options().policy_for(is_local=True).poke_interval == 0.01
    monkeypatch.setattr(wait_options, "LONGEST_INTERVAL", 0.005)
    assert sensor.wait_options().policy_for(is_local=True).poke_interval == 0.005


def test_every_test_has_an_emulator_of_its_own(sentinelhub_emulator):
    assert sentinelhub_emulator.jobs() == []
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(sentinelhub_emulator.url, timeout=60).status_code == 200
