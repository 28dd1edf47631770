"""What the README shows works, and what it states of the sensors is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import Outcome
from airflow_sentinelhub.sensors import batch

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_dag_can_be_imported():
    [source, operator] = blocks("python")
    exec(compile(operator, "README.md", "exec"), {})
    namespace: dict = {}
    exec(compile(source, "README.md", "exec"), namespace)
    dag = namespace["after_my_batch_job"]()
    assert set(dag.task_ids) == {"wait", "report"}
    assert dag.task_dict["report"].upstream_task_ids == {"wait"}


@pytest.mark.parametrize(
    "command", [line[2:] for block in blocks("console") for line in block.splitlines() if "export" in line]
)
def test_the_connections_can_be_read(command, monkeypatch):
    [_, setting] = shlex.split(command.replace("<id>", "my-id").replace("<secret>", "my-secret"))
    name, _, value = setting.partition("=")
    monkeypatch.setenv(name, value)
    config = SentinelHubHook().get_config()
    assert (config.client_id, config.client_secret) == ("my-id", "my-secret")
    assert config.base_url == "https://sh.dataspace.copernicus.eu"


def test_the_table_of_sensors():
    rows = re.findall(r"^\| `(monitor_\w+)`.*?\| `(\w+)` \| (\d+) s", README, re.MULTILINE)
    stated = {sensor: float(seconds) for _, sensor, seconds in rows}
    sensors = {name: value for name, value in vars(batch).items() if re.match(r"SentinelHubBatch\w+Sensor$", name)}
    sensors.pop("SentinelHubBatchBaseSensor")
    assert stated == {name: sensor.default_poke_interval for name, sensor in sensors.items()}
    assert len(stated) == 6


def test_the_exceptions_that_it_names_exist():
    named = set(re.findall(r"`((?:Batch|Service|Invalid|Forbidden)\w*)`", README)) - {"BatchApi"}
    assert len(named) >= 12
    for name in named:
        assert hasattr(exceptions, name), name


def test_every_outcome_that_ends_a_wait_has_an_exception_in_the_table():
    from airflow_sentinelhub.jobs.verdict import _EXCEPTIONS

    about_the_job = {kind.__name__ for kind in _EXCEPTIONS.values() if issubclass(kind, exceptions.BatchError)}
    for name in about_the_job:
        assert f"`{name}`" in README, name
    assert set(_EXCEPTIONS) == set(Outcome) - {Outcome.WAITING, Outcome.DONE}


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("https://"):
            assert (ROOT / target).exists(), target
