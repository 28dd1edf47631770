"""One emulator and one real Airflow for all tests of a process that need one, and which tests share a process."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from airflow_sentinelhub.emulator import Emulator
from demo.local_airflow import LocalAirflow

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "example_dags"
EVENT_EXAMPLE = EXAMPLES / "example_batch_event.py"
EVENTS_CONNECTION = "sentinelhub_events"
DASHBOARD = "https://hub.example.org/jobs/{id}"

STAGE = 3600.0
"""Service seconds that a job of these tests stays in each stage, and ten times that in PROCESSING."""

HELD = {
    "queued_seconds": STAGE,
    "analysis_seconds": STAGE,
    "ready_seconds": STAGE,
    "processing_seconds": 10 * STAGE,
}
"""Jobs move on when a test advances the clock, however long Airflow takes for what comes before."""

GROUPS = (
    ("test_system_run", "test_system_connection", "test_system_run_example", "test_system_create", "test_browser"),
    ("test_system_chaos", "test_system_events", "test_system_timeouts", "test_system_many", "test_system_removed"),
    ("test_system_outage", "test_system_hostile", "test_system_operators", "test_system_examples"),
    ("test_system_killed",),  # an Airflow of its own, whose workers ask only every hour whether they may go on
)
"""Files that share an Airflow: it takes half a minute of processor time to start one. They take equally long."""

_SHARED = pytest.StashKey["SharedAirflow"]()


class SharedAirflow:
    """
    An Airflow that starts when a test first needs it.

    :param make: makes it.
    """

    def __init__(self, make):
        self._make, self._airflow = make, None

    def running(self):
        """Return it, started."""
        if self._airflow is None:
            self._airflow = self._make().__enter__()
        return self._airflow

    def close(self):
        """End it; the next test that needs one gets another."""
        if self._airflow is not None:
            self._airflow.close(grace=0)  # nothing that it has is needed any more
            self._airflow = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """End Airflow with the last test that needs it: an idle one takes time from the tests that come next."""
    done = yield
    needed = nextitem is not None and "airflow" in nextitem.fixturenames
    if not needed and _SHARED in item.config.stash:
        item.config.stash[_SHARED].close()
    return done


@pytest.fixture(scope="session")
def service():
    """A local Sentinel Hub in real time, whose jobs move on when a test advances its clock."""
    with Emulator(speed=1) as emulator:
        emulator.default_scenario(HELD)
        yield emulator


@pytest.fixture(scope="session")
def events_service():
    """Another one, behind a connection of its own: who watches its list would be taken for a wait."""
    with Emulator(speed=1) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory):
    """Where the database that the first Airflow makes is kept for the others, in other processes, too."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder) / "airflow.db"


@pytest.fixture(scope="session")
def shared_airflow(service, events_service, migrated_database, tmp_path_factory, request):
    connection = json.loads(service.airflow_connection)
    connection["extra"]["dashboard_url"] = DASHBOARD

    def make():
        dags = tmp_path_factory.mktemp("dags")
        for file in [*EXAMPLES.glob("*.py"), *(ROOT / "tests" / "system" / "dags").glob("*.py")]:
            if file != EVENT_EXAMPLE:
                shutil.copy(file, dags)
        return LocalAirflow(
            tmp_path_factory.mktemp("airflow"),
            dags,
            connections={
                "sentinelhub_default": json.dumps(connection),
                EVENTS_CONNECTION: events_service.airflow_connection,
            },
            env={"EXAMPLE_POKE_INTERVAL": "1", "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
            database=migrated_database,
        )

    shared = request.config.stash[_SHARED] = SharedAirflow(make)
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def airflow(shared_airflow):
    """A whole Airflow with the examples and the DAGs of these tests; everything is logged at DEBUG."""
    return shared_airflow.running()


def place(item):
    """Where a test comes in the order: first those with an Airflow, with files that share one side by side."""
    order = [name for group in GROUPS for name in group]
    name = item.path.stem
    return (item.get_closest_marker("system") is None, order.index(name) if name in order else len(order))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Send files that share an Airflow to one process."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            for group in GROUPS:
                if Path(file).stem in group:
                    return f"an Airflow for {', '.join(group)}"
            return file

    return Scheduling(config, log)
