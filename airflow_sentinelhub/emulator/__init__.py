"""
A local Sentinel Hub: real HTTP, all three batch APIs, jobs on a clock that can run faster.

Needs the extra ``emulator`` to serve; importing it does not. See ``docs/emulator.md``.
"""

from airflow_sentinelhub.emulator.control import Control, EmulatorControl
from airflow_sentinelhub.emulator.embedded import Emulator, MissingExtraError
from airflow_sentinelhub.emulator.object_store import Folder
from airflow_sentinelhub.emulator.request_log import RequestCounts
from airflow_sentinelhub.emulator.scripted import ScriptedEmulator, ScriptedJob
from airflow_sentinelhub.emulator.service_clock import ServiceClock
from airflow_sentinelhub.emulator.settings import CLIENT_ID, CLIENT_SECRET

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "Control",
    "Emulator",
    "EmulatorControl",
    "Folder",
    "MissingExtraError",
    "RequestCounts",
    "ScriptedEmulator",
    "ScriptedJob",
    "ServiceClock",
]
