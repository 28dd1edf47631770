"""What docs/connection.md and docs/task-page.md show and state is so."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from airflow.secrets.local_filesystem import LocalFilesystemBackend

from airflow_sentinelhub.client.deployments import CUSTOM, DEPLOYMENTS
from airflow_sentinelhub.get_provider_info import get_provider_info
from airflow_sentinelhub.hooks import connection_test
from airflow_sentinelhub.hooks.connection_fields import read_connection
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.links.batch import SentinelHubDeliveryLink, SentinelHubJobLink

DOCS = Path(__file__).parents[2] / "docs"
CONNECTION, TASK = (
    (DOCS / "connection.md").read_text(encoding="utf-8"),
    (DOCS / "task-page.md").read_text(encoding="utf-8"),
)
[FORM] = get_provider_info()["connection-types"]
CDSE = DEPLOYMENTS["cdse"]


def filled_in(text):
    return text.replace("<id>", "my-id").replace("<secret>", "my-secret")


@pytest.mark.parametrize("command", re.findall(r"^\$ (export AIRFLOW_CONN_.*)$", CONNECTION, re.MULTILINE))
def test_the_environment_variables_are_one_connection(command, monkeypatch):
    name, _, value = shlex.split(filled_in(command))[1].partition("=")
    monkeypatch.setenv(name, value)
    config = SentinelHubHook("my_hub").get_config()
    assert (config.client_id, config.client_secret) == ("my-id", "my-secret")
    assert (config.base_url, config.auth_url) == (CDSE.base_url, CDSE.auth_url)


def test_the_secrets_backend_gives_the_same_connection(tmp_path):
    [content] = re.findall(r"```json\n(.*?)```", CONNECTION, re.DOTALL)
    settings = dict(re.findall(r"^\$ export (AIRFLOW__SECRETS__\w+)='?(.*?)'?$", CONNECTION, re.MULTILINE))
    assert settings["AIRFLOW__SECRETS__BACKEND"].endswith(f".{LocalFilesystemBackend.__name__}")
    [argument] = json.loads(settings["AIRFLOW__SECRETS__BACKEND_KWARGS"])
    file = tmp_path / "connections.json"
    file.write_text(filled_in(content), encoding="utf-8")
    connection = LocalFilesystemBackend(**{argument: str(file)}).get_connection("my_hub")
    config = read_connection("my_hub", connection)
    assert (config.client_id, config.client_secret) == ("my-id", "my-secret")
    assert (config.base_url, config.auth_url) == (CDSE.base_url, CDSE.auth_url)


def test_the_table_of_fields_is_that_of_the_form():
    behaviour = FORM["ui-field-behaviour"]
    stated = dict(re.findall(r"^\| ([A-Z][\w ]+) \| (?:extra )?`(\w+)` \|", CONNECTION, re.MULTILINE))
    standard = {label: name for name, label in behaviour["relabeling"].items()} | {"Port": "port"}
    extra = {field["label"]: name for name, field in FORM["conn-fields"].items()}
    assert stated == standard | extra
    for name in (*DEPLOYMENTS, CUSTOM):
        assert f"`{name}`" in CONNECTION


def test_the_table_of_what_test_says():
    source = Path(connection_test.__file__).read_text(encoding="utf-8")
    table = CONNECTION.partition("| it says: look at | because |\n|---|---|\n")[2].partition("\n\n")[0]
    for said in re.findall(r"^\| (.+?) \| ", table, re.MULTILINE):
        for field in re.split(r", | and ", said):
            assert field in source, f"no test of a connection says to look at {field}"


def test_the_table_of_links():
    assert re.findall(r"^\| ([A-Z][\w ]+) \| the ", TASK, re.MULTILINE) == [
        SentinelHubJobLink.name,
        SentinelHubDeliveryLink.name,
    ]
    for deployment in DEPLOYMENTS.values():
        assert f"({deployment.dashboard_url})" in TASK


@pytest.mark.parametrize("page", [CONNECTION, TASK])
def test_the_pictures_are_there_and_small(page):
    pictures = re.findall(r"!\[.+?\]\((images/.+?)\)", page)
    assert pictures
    for picture in pictures:
        assert (DOCS / picture).stat().st_size < 100_000
