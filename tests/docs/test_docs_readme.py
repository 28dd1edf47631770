"""What the README shows works, and it stays short."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.operators import batch as operators
from airflow_sentinelhub.sensors import batch, group

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_dag_can_be_imported():
    [source] = blocks("python")
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


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("https://"):
            assert (ROOT / target).exists(), target


def test_it_is_short():
    assert len(README.encode()) <= 6 * 1024


def test_it_leads_to_every_class():
    sensors = {
        name for module in (batch, group) for name in vars(module) if re.match(r"SentinelHubBatch\w+Sensor$", name)
    }
    public = sensors - {"SentinelHubBatchBaseSensor"} | set(operators.__all__)
    rows = set(re.findall(r"`(SentinelHubBatch\w+)`", README))
    assert public <= rows
