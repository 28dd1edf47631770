"""A connection is read without Airflow's warning of values that are too short to be secrets."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging

import pytest

from airflow_sentinelhub.hooks import quiet_masking
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from tests.harness.versions import needs_airflow


@pytest.fixture
def maskers(monkeypatch):
    """Airflow's maskers, which have warned of nothing yet."""
    found = []
    for name in quiet_masking._MASKERS:
        try:
            masker = importlib.import_module(name)
        except ImportError:
            continue
        monkeypatch.setattr(masker.SecretsMasker, "_has_warned_short_secret", False, raising=False)
        found.append(masker)
    return found


@pytest.fixture
def connection(monkeypatch):
    extra = {"deployment": "cdse", "requests_per_minute": "60"}
    given = {"conn_type": "sentinelhub", "login": "an-id", "password": "a-secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SHORT", json.dumps(given))


@needs_airflow("3.3", "warns of short values")
@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("read", [SentinelHubHook.get_config, lambda hook: asyncio.run(hook.aget_config())])
def test_short_values_in_extra_are_no_warning(maskers, caplog, read):
    assert maskers, "Airflow has moved it"
    assert "dataspace.copernicus.eu" in read(SentinelHubHook("short")).base_url
    assert "Skipping masking" not in caplog.text
    for masker in maskers:
        masker.SecretsMasker._has_warned_short_secret = False
        masker.SecretsMasker().add_mask("abc")
    assert "Skipping masking" in caplog.text, "others still warn"


def test_other_messages_pass(caplog):
    log = logging.getLogger(quiet_masking._MASKERS[0])
    with quiet_masking.no_warning_of_short_values():
        log.warning("Something else")
    assert "Something else" in caplog.text
