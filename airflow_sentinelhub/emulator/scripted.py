"""Scripted emulator for the tests of DAGs: a job's whole life in one line, and time that passes at each poll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

from airflow_sentinelhub.emulator import limits
from airflow_sentinelhub.emulator.control import Control
from airflow_sentinelhub.emulator.embedded import Emulator
from airflow_sentinelhub.emulator.object_store import Folder
from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.emulator.scenario import ENDS, Scenario
from airflow_sentinelhub.emulator.timeline import TimelineStep
from airflow_sentinelhub.jobs import BatchApi, JobStatus, StopReason, UserAction

SECONDS_PER_ANSWER = 60.0
"""Service seconds that pass with every answer, and the length of a status that is given without one."""

Statuses = Sequence[str | tuple[str, float]]

# What the user of a job has asked for that comes to rest in this status; of any other, a start.
_LAST_ACTIONS = {
    JobStatus.CREATED: UserAction.NONE,
    JobStatus.ANALYSING: UserAction.ANALYSE,
    JobStatus.ANALYSIS_DONE: UserAction.ANALYSE,
    JobStatus.CANCELED: UserAction.CANCEL,
}
_ONLY_ELSEWHERE = {
    BatchApi.PROCESS: {JobStatus.CANCELED},
    BatchApi.STATISTICAL: {JobStatus.CANCELED},
    BatchApi.PROCESS_V1: {JobStatus.STOPPED},
}


@dataclass(frozen=True, slots=True)
class ScriptedJob:
    """
    A job in an emulator. Sensors and operators take it as their ``request_id``.

    :param id: its id, for where only plain data will do, such as the ``run_conf`` of a DAG run.
    :param api: "process", "statistical" or "process_v1".
    :param emulator: where it is.
    """

    id: str
    api: str
    emulator: Control

    @property
    def request_id(self) -> str:
        """Its id, by the name under which the objects of ``sentinelhub-py`` have it."""
        return self.id

    @property
    def payload(self) -> dict[str, Any]:
        """The job as the service describes it now; it costs no request, and no time passes."""
        return self.emulator.job(self.id)

    @property
    def status(self) -> str:
        """Its status now."""
        return str(self.payload["status"])


class ScriptedEmulator(Emulator):
    """
    A local Sentinel Hub whose time stands still between requests.

    With every answer about jobs a minute of service time passes, so a job moves on with each poll of it, however
    fast or slow the machine is. ``set_speed()`` and ``advance()`` let time pass besides.

    :param results_folder: where jobs leave their results; their requests may name ``file://`` addresses in it.
    """

    def __init__(self, results_folder: str | Path) -> None:
        self.results_folder = Path(results_folder).resolve()
        super().__init__(
            speed=0,
            settings={"seconds_per_answer": SECONDS_PER_ANSWER},
            write_result=Folder(self.results_folder),
        )

    @overload
    def job(self, job_id: str) -> dict[str, Any]: ...

    @overload
    def job(
        self,
        *,
        status: str | Statuses | None = None,
        api: str = BatchApi.PROCESS,
        tile_count: int = 12,
        failed_tiles: int = 0,
        tile_errors: Sequence[str] = (),
        stopped_reason: str = StopReason.USER_ACTION,
        error: str | None = None,
        cost: float = 250.0,
        description: str | None = None,
        request: Mapping[str, Any] | None = None,
    ) -> ScriptedJob: ...

    def job(
        self,
        job_id: str | None = None,
        *,
        status: str | Statuses | None = None,
        api: str = BatchApi.PROCESS,
        tile_count: int = 12,
        failed_tiles: int = 0,
        tile_errors: Sequence[str] = (),
        stopped_reason: str = StopReason.USER_ACTION,
        error: str | None = None,
        cost: float = 250.0,
        description: str | None = None,
        request: Mapping[str, Any] | None = None,
    ) -> ScriptedJob | dict[str, Any]:
        """
        Add a job that is started, and set how it goes on.

        :param job_id: nothing is put in: give what the service says of that job.
        :param status: its statuses in their order, each a word or a word and its length in service seconds, such
            as ``["CREATED", ("PROCESSING", 600), "DONE"]``. Default length: 60, which is one poll. The last one
            stays for ever. A job that ends in CREATED was never started, one that ends in ANALYSING or
            ANALYSIS_DONE is only to be analysed. Default: PROCESSING, then DONE, or with ``failed_tiles`` of
            Batch Process v1 PARTIAL or FAILED.
        :param api: "process", "statistical" or "process_v1".
        :param tile_count: number of its tiles or features.
        :param failed_tiles: how many of them fail. Batch Process and Batch Statistical say so only in the files
            that they leave in :attr:`results_folder`, where ``SentinelHubBatchTilesOperator`` reads them.
        :param tile_errors: what those files say of the failed ones, in turn. Default: a usual text.
        :param stopped_reason: of a STOPPED job: USER_ACTION, OUT_OF_PU or UNHEALTHY.
        :param error: the service's words when it is FAILED or PARTIAL. Default: usual ones.
        :param cost: processing units that it will have used when it is processed to 100 %.
        :param description: of its request.
        :param request: its request. Default: one from the documentation, which delivers to
            :attr:`results_folder`.
        :raises ValueError: for a status that the API does not have, or numbers that make no sense. For a status
            that the service may yet invent, and everything else, there is :meth:`add_job`.
        """
        if job_id is not None:
            return super().job(job_id)
        of_api = BatchApi(api)
        scenario: dict[str, Any] = {
            "tile_count": tile_count,
            "failed_tiles": failed_tiles,
            "tile_errors": tile_errors,
            "stopped_reason": stopped_reason,
            "cost": cost,
        }
        if error is not None:
            scenario["error"] = error
        script = _read(of_api, status or [JobStatus.PROCESSING, Scenario.parse(scenario).ending(of_api)])
        last = script[-1][0]
        if last in ENDS:
            scenario["end"] = last
        planned = Scenario.parse(scenario)
        asked = self._usual_request(of_api) if request is None else dict(request)
        with self.service.lock:
            made = self.service.add(
                of_api,
                replace(planned, steps=_steps(of_api, planned, script)),
                user_action=_LAST_ACTIONS.get(last, UserAction.START),
                request=asked,
                description=description,
            )
        return ScriptedJob(made, of_api.value, self)

    def _usual_request(self, api: BatchApi) -> dict[str, Any]:
        """Return the usual request, delivering to where this emulator may write."""
        asked = deepcopy(sample_request(api))
        address = self.results_folder.as_uri()
        match api:
            case BatchApi.PROCESS:
                asked["output"]["delivery"]["s3"]["url"] = address
            case BatchApi.STATISTICAL:
                asked["output"]["s3"]["url"] = address
        return asked


def _read(api: BatchApi, status: str | Statuses) -> list[tuple[JobStatus, float]]:
    """Statuses and their lengths in service seconds."""
    known = [each for each in JobStatus if each not in _ONLY_ELSEWHERE[api]]
    read = []
    for each in [status] if isinstance(status, str) else status:
        word, length = (each, SECONDS_PER_ANSWER) if isinstance(each, str) else each
        if word not in known:
            raise ValueError(
                f"A {api.display_name} job has no status {word!r}; there are {', '.join(known)}. A status that "
                f'the service may yet invent goes into add_job("{api}", steps=[{{"status": {word!r}}}]).'
            )
        if isinstance(length, bool) or not isinstance(length, int | float) or not 0 < length <= limits.CENTURY:
            raise ValueError(
                f"{word} must last some service seconds (a number above 0, at most a century), but was given "
                f"{limits.brief(length)}"
            )
        read.append((JobStatus(word), float(length)))
    return read


def _steps(
    api: BatchApi, scenario: Scenario, script: Sequence[tuple[JobStatus, float]]
) -> tuple[TimelineStep, ...]:
    """Return the job's life; it is processed bit by bit, as far as its end allows."""
    in_all = sum(length for status, length in script if status is JobStatus.PROCESSING)
    done, steps = 0.0, []
    for status, length in script:
        percentage = None
        if status is JobStatus.PROCESSING:
            before, done = done, done + length
            percentage = (scenario.completion(api) * before / in_all, scenario.completion(api) * done / in_all)
        step = scenario.last_step(status) if status in ENDS else TimelineStep(status=status, percentage=percentage)
        # The test has chosen it, also where the reference knows the API without it.
        steps.append(replace(step, seconds=length, scripted=step.scripted | {"status"}))
    return tuple(steps)
