"""A connection on Airflow's command line, as docs/connection.md shows it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.harness.versions import AIRFLOW

pytestmark = pytest.mark.system


def command(airflow, *arguments, **environment):
    """Start an ``airflow connections`` command."""
    return subprocess.Popen(
        [sys.executable, "-m", "airflow", "connections", *arguments],
        cwd=airflow.home,
        env=airflow.environment() | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def ended(process):
    output, _ = process.communicate(timeout=300)
    return process.returncode, " ".join(output.split())


def test_the_command_line(service, airflow):
    extra = {"auth_url": service.auth_url}
    fields = {"login": service.client_id, "password": service.client_secret, "host": service.url}
    options = [f"--conn-{name}={value}" for name, value in fields.items()]
    status, output = ended(
        command(airflow, "add", "my_hub", "--conn-type=sentinelhub", *options, f"--conn-extra={json.dumps(extra)}")
    )
    assert (status, "Successfully added `conn_id`=my_hub" in output) == (0, True), output
    assert service.client_secret not in output

    wrong = {"conn_type": "sentinelhub", **fields, "password": "not-the-secret", "extra": extra}
    good = command(airflow, "test", "my_hub")
    bad = command(airflow, "test", "wrong_hub", AIRFLOW_CONN_WRONG_HUB=json.dumps(wrong))
    status, output = ended(good)
    assert (status, "Connection success!" in output) == (0, True), output
    status, output = ended(bad)
    assert "Connection failed! Look at Client ID and Client secret." in output
    assert status == (1 if AIRFLOW >= (3, 3) else 0), output  # before, Airflow does not tell by its status
    assert "not-the-secret" not in output
    airflow.request("DELETE", "/connections/my_hub")
