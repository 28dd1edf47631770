"""One emulator and one real Airflow for all system tests of a process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airflow_sentinelhub.emulator import Emulator
from demo.local_airflow import LocalAirflow

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "example_dags"
EVENT_EXAMPLE = EXAMPLES / "example_batch_event.py"

STAGE = 3600.0
"""Service seconds that a job of these tests stays in each stage, and ten times that in PROCESSING."""

HELD = {
    "queued_seconds": STAGE,
    "analysis_seconds": STAGE,
    "ready_seconds": STAGE,
    "processing_seconds": 10 * STAGE,
}
"""Jobs move on when a test advances the clock, however long Airflow takes for what comes before."""

_SHARED = pytest.StashKey["SharedAirflow"]()


class SharedAirflow:
    """
    An Airflow that starts when a test first needs it.

    :param make: makes it.
    """

    def __init__(self, make):
        self._make, self._airflow = make, None

    def running(self):
        """Give it, started."""
        if self._airflow is None:
            airflow = self._make()
            self._airflow = airflow.__enter__()
        return self._airflow

    def close(self):
        """End it; the next test that needs one gets another."""
        if self._airflow is not None:
            self._airflow.close()
            self._airflow = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """End Airflow with the last test that needs it: an idle one takes a fifth of a core from what runs next."""
    done = yield
    if (nextitem is None or HERE not in nextitem.path.parents) and _SHARED in item.config.stash:
        item.config.stash[_SHARED].close()
    return done


@pytest.fixture(scope="session")
def service():
    """A local Sentinel Hub in real time, whose jobs move on when a test advances its clock."""
    with Emulator(speed=1) as emulator:
        emulator.default_fate(HELD)
        yield emulator


@pytest.fixture(scope="session")
def shared_airflow(service, tmp_path_factory, request):
    def make():
        dags = tmp_path_factory.mktemp("dags")
        for file in [*EXAMPLES.glob("*.py"), *(HERE / "dags").glob("*.py")]:
            if file != EVENT_EXAMPLE:  # its looks at the service would be taken for those of others
                shutil.copy(file, dags)
        return LocalAirflow(
            tmp_path_factory.mktemp("airflow"),
            dags,
            connections={"sentinelhub_default": service.airflow_connection},
            env={"EXAMPLE_POKE_INTERVAL": "1", "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
        )

    shared = request.config.stash[_SHARED] = SharedAirflow(make)
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def airflow(shared_airflow):
    """A whole Airflow with the examples and the DAGs of these tests; everything is logged at DEBUG."""
    return shared_airflow.running()
