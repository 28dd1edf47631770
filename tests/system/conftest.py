"""One emulator and one real Airflow for all system tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airflow_sentinelhub.emulator import Emulator
from demo.local_airflow import LocalAirflow

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "example_dags"
EVENT_EXAMPLE = EXAMPLES / "example_batch_event.py"
SPEED = 20.0


@pytest.fixture(scope="session")
def service():
    """A local Sentinel Hub on which twenty seconds pass in one."""
    with Emulator(speed=SPEED) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def airflow(service, tmp_path_factory):
    """A whole Airflow with the examples and the DAGs of the chaos tests; everything is logged at DEBUG."""
    dags = tmp_path_factory.mktemp("dags")
    for file in [*EXAMPLES.glob("*.py"), *(HERE / "dags").glob("*.py")]:
        if file != EVENT_EXAMPLE:  # its looks at the service would be taken for those of others
            shutil.copy(file, dags)
    environment = {"EXAMPLE_POKE_INTERVAL": "1", "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
    connections = {"sentinelhub_default": service.airflow_connection}
    with LocalAirflow(
        tmp_path_factory.mktemp("airflow"), dags, connections=connections, env=environment
    ) as airflow:
        yield airflow
