"""Importing what a DAG file needs of the client stays cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["airflow_sentinelhub.client", "airflow_sentinelhub.client.config"])
def test_import_loads_no_http_library(module: str) -> None:
    heavy = {"requests", "urllib3", "oauthlib", "requests_oauthlib", "airflow", "asyncio"}
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == ""


def test_client_needs_neither_airflow_nor_an_event_loop() -> None:
    code = (
        "import sys, airflow_sentinelhub.client.batch; "
        "print(*sorted({'airflow', 'pendulum', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == ""
