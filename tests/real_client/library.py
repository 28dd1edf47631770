"""
The real ``sentinelhub-py``, and only in the version that these tests are about.

3.11.1 is the last release with all six ``monitor_*`` functions. Test modules that import from here are skipped
where it is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.jobs import BatchApi, WaitGoal
from tests.harness import requirements
from tests.real_client.virtual_time import LibraryTime

VERSION = "3.11.1"

sentinelhub = pytest.importorskip("sentinelhub", reason=requirements.LAST_SENTINELHUB_WITH_MONITORS)
if sentinelhub.__version__ != VERSION:
    pytest.skip(requirements.LAST_SENTINELHUB_WITH_MONITORS, allow_module_level=True)

# ruff: noqa: E402, TID251 - this is the place, and it must not be reached with another version
from sentinelhub import SHConfig
from sentinelhub.api.batch import utils
from sentinelhub.api.batch.process import BatchRequest, SentinelHubBatch
from sentinelhub.api.batch.process_v2 import BatchProcessClient, BatchProcessRequest
from sentinelhub.api.batch.statistical import BatchStatisticalRequest, SentinelHubBatchStatistical
from sentinelhub.download.sentinelhub_client import SentinelHubDownloadClient

CLIENTS = {
    BatchApi.PROCESS: BatchProcessClient,
    BatchApi.STATISTICAL: SentinelHubBatchStatistical,
    BatchApi.PROCESS_V1: SentinelHubBatch,
}
REQUESTS = {
    BatchApi.PROCESS: BatchProcessRequest,
    BatchApi.STATISTICAL: BatchStatisticalRequest,
    BatchApi.PROCESS_V1: BatchRequest,
}
MONITORS = {
    (BatchApi.PROCESS, WaitGoal.COMPLETION): utils.monitor_batch_process_job,
    (BatchApi.STATISTICAL, WaitGoal.COMPLETION): utils.monitor_batch_statistical_job,
    (BatchApi.PROCESS_V1, WaitGoal.COMPLETION): utils.monitor_batch_job,
    (BatchApi.PROCESS, WaitGoal.ANALYSIS): utils.monitor_batch_process_analysis,
    (BatchApi.STATISTICAL, WaitGoal.ANALYSIS): utils.monitor_batch_statistical_analysis,
    (BatchApi.PROCESS_V1, WaitGoal.ANALYSIS): utils.monitor_batch_analysis,
}

_SLEEPS_AND_SPACES = ("api.batch.utils", "download.handlers", "download.sentinelhub_client", "download.rate_limit")


def configuration(emulator: Emulator, **changes: object) -> SHConfig:
    """A configuration that neither reads nor writes a file (sentinelhub-api.md, section 1.3)."""
    settings = {
        "sh_client_id": emulator.client_id,
        "sh_client_secret": emulator.client_secret,
        "sh_base_url": emulator.url,
        "sh_token_url": emulator.auth_url,
        "download_timeout_seconds": 60.0,
    }
    return SHConfig(use_defaults=True, **{**settings, **changes})


@contextmanager
def on_time_of(time: LibraryTime) -> Iterator[None]:
    """Let the library sleep on another time; tokens stay on the real one, as in the emulator."""
    with pytest.MonkeyPatch.context() as patch:
        for module in _SLEEPS_AND_SPACES:
            patch.setattr(f"sentinelhub.{module}.time", time)
        yield


def forget_tokens() -> None:
    """The library keeps them in a class, for all clients of the process (section 2.2)."""
    SentinelHubDownloadClient.clear_cache()


def monitor(api: BatchApi, goal: WaitGoal, request: object, config: SHConfig, **arguments: object) -> object:
    """Call a monitor function; those of Batch Process take a client, the others a configuration (trap 15)."""
    if api is BatchApi.PROCESS:
        return MONITORS[api, goal](request, BatchProcessClient(config), **arguments)
    return MONITORS[api, goal](request, config=config, **arguments)


def refused(call: Callable[..., object], *arguments: object, status: int = 400) -> str:
    """Expect that the service says no, and that the library says so at once; give its words."""
    with pytest.raises(sentinelhub.DownloadFailedException) as caught:
        call(*arguments)
    assert caught.value.request_exception.response.status_code == status
    return str(caught.value)
