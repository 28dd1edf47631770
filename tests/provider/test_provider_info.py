"""What Airflow asks of a provider. A mistake here breaks provider discovery for the whole Airflow."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import json
from pathlib import Path

import airflow
import pytest

from airflow_sentinelhub import __version__, get_provider_info
from airflow_sentinelhub.client.deployments import CUSTOM, DEPLOYMENTS
from tests.harness.versions import needs_airflow

DISTRIBUTION = "airflow-provider-sentinelhub"
INFO = get_provider_info.get_provider_info()


def test_it_satisfies_airflows_own_schema():
    import jsonschema

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(INFO, schema)


def test_its_name_is_that_of_the_installed_distribution():
    assert importlib.metadata.distribution(DISTRIBUTION).metadata["Name"] == DISTRIBUTION == INFO["package-name"]
    assert importlib.metadata.version(DISTRIBUTION) == __version__


def test_the_entry_point_leads_to_it():
    entries = importlib.metadata.distribution(DISTRIBUTION).entry_points
    [entry] = [entry for entry in entries if entry.group == "apache_airflow_provider"]
    assert entry.load()() == INFO


def test_its_module_imports_nothing():
    tree = ast.parse(inspect.getsource(get_provider_info))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {node.module for node in imported} <= {"__future__", "typing"}


@pytest.mark.parametrize(
    "path",
    [
        module
        for kind in ("hooks", "operators", "sensors", "triggers")
        for entry in INFO[kind]
        for module in entry["python-modules"]
    ]
    + [connection["hook-class-name"] for connection in INFO["connection-types"]]
    + INFO["extra-links"],
)
def test_every_path_in_it_can_be_imported(path):
    try:
        importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name)


def test_the_connection_type_agrees_with_the_hook():
    from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook

    [connection] = INFO["connection-types"]
    assert connection["connection-type"] == SentinelHubHook.conn_type
    assert connection["hook-name"] == SentinelHubHook.hook_name
    assert connection["conn-fields"]["deployment"]["schema"]["enum"] == [*DEPLOYMENTS, CUSTOM]


@needs_airflow("3.2", "lets a provider declare the fields of its form")
def test_airflow_shows_the_form():
    """As the UI asks for it."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    [form] = [form for form in HookMetaService.hook_meta_data() if form.connection_type == "sentinelhub"]
    assert form.hook_name == "Sentinel Hub"
    assert set(form.extra_fields) == {"deployment", "auth_url", "requests_per_minute", "dashboard_url"}
    assert form.standard_fields.password.title == "Client secret"
    assert form.standard_fields.url_schema.hidden
    assert not form.standard_fields.port.hidden, "Airflow 3.3.1 and 3.3.2 cannot test a connection without a port"


def test_no_field_of_the_form_is_masked_by_its_name():
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

    for name in INFO["connection-types"][0]["conn-fields"]:
        assert not should_hide_value_for_key(name), f"Airflow would show *** instead of the value of {name}"
