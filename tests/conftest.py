"""Every test runs against an Airflow home of its own; nothing of the user's is read or written."""

from __future__ import annotations

import atexit
import os
import tempfile

import hypothesis

_HOME = tempfile.TemporaryDirectory(prefix="airflow-sentinelhub-tests-")
atexit.register(_HOME.cleanup)  # left to itself, it warns at the end

# Airflow reads these when it is first imported, so they are set before any test module is.
for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "AIRFLOW__"))]:
    del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "_AIRFLOW_PROCESS_CONTEXT": "client",
}

from tests.harness.answer_recorder import (  # noqa: E402 - after the environment
    WorkerCounts,
    answers_follow_the_api_reference,  # noqa: F401
    observed_answers,  # noqa: F401
    pytest_sessionfinish,  # noqa: F401
)
from tests.harness.emulator_fixtures import (  # noqa: E402, F401
    _nothing_of_the_test_before,
    emulator,
    emulator_on_virtual_time,
    running_emulator,
    virtual_emulator,
    virtual_time,
)
from tests.harness.run_summary import pytest_terminal_summary  # noqa: E402, F401
from tests.harness.s3 import s3  # noqa: E402, F401
from tests.harness.shared_airflow import (  # noqa: E402, F401
    airflow,
    events_service,
    migrated_database,
    place,
    pytest_runtest_teardown,
    pytest_xdist_make_scheduler,
    service,
    shared_airflow,
)
from tests.harness.versions import AIRFLOWS_OWN_WARNINGS  # noqa: E402

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_configure(config):
    config.pluginmanager.register(WorkerCounts(config))
    for warning in AIRFLOWS_OWN_WARNINGS:
        config.addinivalue_line("filterwarnings", warning)


def pytest_collection_modifyitems(items):
    # A parallel run is over soonest if it begins with what takes longest.
    items.sort(key=place)
