"""
Fixtures for those who test DAGs that wait for Sentinel Hub; see ``docs/testing.md``.

pytest imports this module in every run on a machine that has this package. So it imports nothing but pytest:
neither Airflow nor the emulator, until a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_sentinelhub.emulator import ScriptedEmulator

_INTERVAL = 0.1
"""Real seconds between two polls, whatever the DAG says."""


@pytest.fixture
def sentinelhub_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedEmulator]:
    """
    Run a local Sentinel Hub without any jobs: ``sentinelhub_emulator.job(status=[...])``.

    Needs the extra ``emulator``.
    """
    from airflow_sentinelhub.emulator import ScriptedEmulator

    with ScriptedEmulator(tmp_path_factory.mktemp("sentinelhub-results")) as emulator:
        yield emulator


@pytest.fixture
def sentinelhub_conn_id() -> str:
    """Id of the connection of :func:`sentinelhub_connection`. Override it where your DAGs use another one."""
    return "sentinelhub_default"


@pytest.fixture
def sentinelhub_connection(sentinelhub_emulator: ScriptedEmulator, sentinelhub_conn_id: str) -> Iterator[str]:
    """
    Point Airflow at the emulator for the duration of the test, and give the id of the connection.

    Meanwhile the sensors poll ten times a second, whatever their ``poke_interval``.
    """
    from airflow_sentinelhub.client.token_cache import SHARED_TOKEN_CACHE
    from airflow_sentinelhub.tasks import wait_options

    SHARED_TOKEN_CACHE.reset()  # an emulator of another test may have had this address
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"AIRFLOW_CONN_{sentinelhub_conn_id.upper()}", sentinelhub_emulator.airflow_connection)
        patch.setattr(wait_options, "LONGEST_INTERVAL", _INTERVAL)
        yield sentinelhub_conn_id
