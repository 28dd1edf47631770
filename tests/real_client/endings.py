"""Takes a monitor function, or the sensor that replaces it, through a situation, and says how that ended."""

from __future__ import annotations

import json
import re
import textwrap
import warnings
from collections import Counter
from dataclasses import dataclass

from airflow_sentinelhub.client.rate_limiter import SHARED_RATE_LIMITER
from airflow_sentinelhub.client.token_cache import SHARED_TOKEN_CACHE
from airflow_sentinelhub.clock import replaced_by
from airflow_sentinelhub.emulator import Emulator
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.jobs import BatchApi, WaitGoal
from airflow_sentinelhub.sensors import batch as sensors
from tests.harness.emulator_fixtures import VirtualEmulator
from tests.harness.modes import run_to_the_end
from tests.harness.virtual_time import VirtualTime
from tests.real_client import library
from tests.real_client.situations import HANGS, RETURNS, SUCCESS, Situation
from tests.real_client.virtual_time import LibraryTime, StillWaiting

SENSORS = {
    (each.api, each.goal): each
    for each in (
        sensors.SentinelHubBatchProcessJobSensor,
        sensors.SentinelHubBatchStatisticalJobSensor,
        sensors.SentinelHubBatchJobSensor,
        sensors.SentinelHubBatchProcessAnalysisSensor,
        sensors.SentinelHubBatchStatisticalAnalysisSensor,
        sensors.SentinelHubBatchAnalysisSensor,
    )
}

_INTERVAL = 30.0
"""Seconds between two looks of a sensor: no state of the situations that counts is shorter."""

_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PATIENCE = re.compile(r"\bfor (?:\d+ \w+ )+(?=\(outage_tolerance\))")


@dataclass(frozen=True)
class Ending:
    """
    How a wait ended.

    :param outcome: as the table of situations has it: "returns", "raises KeyError", "success", "BatchFailed".
    :param says: what was returned, or the first words of the error.
    :param looks: for one that hangs, how often it asked after the job had come to rest.
    :param state: of the task, for a sensor.
    :param log: of the task.
    """

    outcome: str
    says: str = ""
    looks: int = 0
    state: str = ""
    log: str = ""


def monitor_ending(emulator: Emulator, api: BatchApi, goal: WaitGoal, situation: Situation) -> Ending:
    """Run the real function, on a time of its own, until it ends or has waited long enough in vain."""
    job_id = _prepare(emulator, api, situation)
    library.forget_tokens()
    time = LibraryTime(emulator, situation.rests_after)
    try:
        with library.on_time_of(time), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Download rate limit hit", library.sentinelhub.exceptions.SHRateLimitWarning
            )
            result = library.monitor(api, goal, job_id, library.configuration(emulator))
    except StillWaiting:
        return Ending(HANGS, looks=sum(time.asked_in_vain.values()))
    except Exception as error:
        _check_faults(emulator, situation)
        return Ending(f"raises {type(error).__name__}", _words(error, emulator))
    _check_faults(emulator, situation)
    return Ending(RETURNS, _returned(result))


def sensor_ending(
    emulator: VirtualEmulator, time: VirtualTime, api: BatchApi, goal: WaitGoal, situation: Situation
) -> Ending:
    """Run our sensor, deferred, in virtual time: as patient as it is by default, however long that takes."""
    time.begin_anew()
    emulator.begin_anew()
    job_id = _prepare(emulator, api, situation)
    SHARED_TOKEN_CACHE.reset()
    SHARED_RATE_LIMITER.reset()
    arguments = {"request_id": job_id, "sentinelhub_conn_id": "sh", "poke_interval": _INTERVAL}
    if goal is WaitGoal.COMPLETION:
        arguments["analysis_poke_interval"] = _INTERVAL
    sensor = SENSORS[api, goal]
    with replaced_by(time):
        ended = run_to_the_end(lambda **given: sensor(task_id="wait", **given), "deferred", **arguments)
    _check_faults(emulator, situation)
    if ended.error is None:
        return Ending(SUCCESS, _returned(ended.returned), state=ended.state, log=ended.log)
    words = _words(ended.error, emulator, 1000)
    return Ending(type(ended.error).__name__, words, state=ended.state, log=ended.log)


def _prepare(emulator: Emulator, api: BatchApi, situation: Situation) -> str:
    emulator.reset()
    for fault in situation.faults:
        emulator.fault(**fault)
    return emulator.add_job(api, **situation.job)


def _check_faults(emulator: Emulator, situation: Situation) -> None:
    left = [fault for fault in emulator.faults() if fault["times"] is not None]
    assert not left, f"{situation.title}: it was over before {left} could strike"


def _returned(result: object) -> str:
    """What the caller gets, in the words of a table."""
    match result:
        case {"status": status}:
            return _job(status, result.get("completionPercentage"))
        case dict():
            counts = Counter({getattr(name, "value", name): len(tiles) for name, tiles in result.items()})
            return "tiles: " + (", ".join(f"{n} {name}" for name, n in sorted((+counts).items())) or "none")
    return _job(result.status.value, getattr(result, "completion_percentage", None))


def _job(status: str, percentage: float | None) -> str:
    return f"the job, {status}" + ("" if percentage is None else f" at {percentage:g} %")


def _words(error: BaseException, emulator: Emulator, width: int = 100) -> str:
    """The message without what differs from run to run."""
    if isinstance(error, json.JSONDecodeError):
        return ""  # where the JSON breaks off is a matter of its length
    message = _PATIENCE.sub("", _JOB_ID.sub("…", str(error)))
    if isinstance(error, SentinelHubError):
        message = message.partition("\n")[0]  # which says it all
    message = re.sub(re.escape(emulator.url) + r"\S*", "…", message)
    message = message.replace(emulator.url.rpartition("/")[2], "the service")
    return textwrap.shorten(message, width, placeholder=" …")
