"""What the Airflow of demo and tests does to its components, without an Airflow."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from demo.local_airflow import Component, LocalAirflow
from demo.process_family import MARK_VARIABLE, Family

WRITER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
print("ready", flush=True)
while True:
    database.execute("BEGIN IMMEDIATE")
    time.sleep(0.02)
    database.commit()
    time.sleep(0.02)
"""


@pytest.fixture
def airflow(tmp_path):
    with closing(sqlite3.connect(tmp_path / "airflow.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
    return LocalAirflow(tmp_path, tmp_path, connections={})


@pytest.fixture
def writer(airflow):
    """A component that holds the database's lock half of the time."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(airflow.home / "airflow.db")],
        env=os.environ | {MARK_VARIABLE: "writer"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    process.stdout.readline()
    airflow._components["triggerer"] = Component(
        "triggerer", process, Family(process.pid, "writer"), airflow.home / "log"
    )
    yield process
    process.stdout.close()
    airflow.close(grace=0)


@pytest.mark.parametrize("_", range(5))
def test_a_frozen_component_holds_up_no_other(airflow, writer, _):
    airflow.freeze("triggerer")
    with closing(sqlite3.connect(airflow.home / "airflow.db", timeout=0)) as database:
        database.execute("BEGIN IMMEDIATE")
    assert airflow.running("triggerer")
    airflow.thaw("triggerer")
