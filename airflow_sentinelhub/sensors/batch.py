"""
The six waits, one for each ``monitor_*`` function of ``sentinelhub.api.batch.utils``.

Most people want :class:`SentinelHubBatchProcessJobSensor`: Batch Process is the API of today, and the classes
without *Process* or *Statistical* in their name are for its first version, which is gone from the official
service.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub.exceptions import SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, Outcome, Verdict, WaitGoal, tiles_by_status
from airflow_sentinelhub.jobs.intervals import ANALYSIS_POKE_INTERVAL, POKE_INTERVALS, to_seconds_required
from airflow_sentinelhub.sensors.job_wait import SentinelHubBatchBaseSensor
from airflow_sentinelhub.tasks.base_sensor import ResultNotReadable
from airflow_sentinelhub.tasks.wait_options import WaitOptions

if TYPE_CHECKING:
    from airflow.sdk import Context


class SentinelHubBatchAnalysisSensor(SentinelHubBatchBaseSensor):
    """
    Waits until a Batch Process v1 job is analysed (``monitor_batch_analysis``).

    Returns the job as the service describes it, without its request. Polls every 10 seconds by default. All
    arguments are those of :class:`~airflow_sentinelhub.sensors.job_wait.SentinelHubBatchBaseSensor`.
    """

    api = BatchApi.PROCESS_V1
    goal = WaitGoal.ANALYSIS
    default_poke_interval = ANALYSIS_POKE_INTERVAL


class SentinelHubBatchProcessAnalysisSensor(SentinelHubBatchBaseSensor):
    """
    Waits until a Batch Process job is analysed (``monitor_batch_process_analysis``).

    Returns the job as the service describes it, without its request. Polls every 10 seconds by default. All
    arguments are those of :class:`~airflow_sentinelhub.sensors.job_wait.SentinelHubBatchBaseSensor`.
    """

    api = BatchApi.PROCESS
    goal = WaitGoal.ANALYSIS
    default_poke_interval = ANALYSIS_POKE_INTERVAL


class SentinelHubBatchStatisticalAnalysisSensor(SentinelHubBatchBaseSensor):
    """
    Waits until a Batch Statistical job is analysed (``monitor_batch_statistical_analysis``).

    Returns the job as the service describes it, without its request. Polls every 10 seconds by default. All
    arguments are those of :class:`~airflow_sentinelhub.sensors.job_wait.SentinelHubBatchBaseSensor`.
    """

    api = BatchApi.STATISTICAL
    goal = WaitGoal.ANALYSIS
    default_poke_interval = ANALYSIS_POKE_INTERVAL


class _JobSensor(SentinelHubBatchBaseSensor):
    """
    Waits until a job is done.

    :param analysis_poke_interval: between two polls of the job during its analysis, in seconds or as a
        ``timedelta``.
    :param allow_partial: take a PARTIAL job for done.
    :param kwargs: see :class:`~airflow_sentinelhub.sensors.job_wait.SentinelHubBatchBaseSensor`.
    """

    goal = WaitGoal.COMPLETION

    def __init__(
        self,
        *,
        request_id: Any,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        deferrable: bool = True,
        poke_interval: timedelta | float | None = None,
        analysis_poke_interval: timedelta | float = ANALYSIS_POKE_INTERVAL,
        allow_partial: bool = False,
        start_grace: timedelta | float | str | None = 3600.0,
        stall_timeout: timedelta | float | str | None = None,
        outage_tolerance: timedelta | float | str = 6 * 3600.0,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            request_id=request_id,
            sentinelhub_conn_id=sentinelhub_conn_id,
            deferrable=deferrable,
            poke_interval=poke_interval,
            start_grace=start_grace,
            stall_timeout=stall_timeout,
            outage_tolerance=outage_tolerance,
            end_from_trigger=end_from_trigger,
            **kwargs,
        )
        self.analysis_poke_interval = to_seconds_required("analysis_poke_interval", analysis_poke_interval)
        self.allow_partial = allow_partial

    def wait_options(self) -> WaitOptions:
        """Return the options of the wait, those of its analysis included."""
        return WaitOptions.of(
            self, analysis_poke_interval=self.analysis_poke_interval, allow_partial=self.allow_partial
        )


class SentinelHubBatchProcessJobSensor(_JobSensor):
    """
    Waits until a Batch Process job is done (``monitor_batch_process_job``).

    Returns the final job as the service describes it, without its request. Polls every 120 seconds by default,
    every 10 during its analysis. DONE does not say that every feature succeeded: the service keeps that in the
    execution database in the delivery bucket.

    :param analysis_poke_interval: between two polls of the job during its analysis, in seconds or as a
        ``timedelta`` (default: 10).
    :param allow_partial: take a PARTIAL job for done (default: no).
    :param kwargs: see :class:`~airflow_sentinelhub.sensors.job_wait.SentinelHubBatchBaseSensor`.
    """

    api = BatchApi.PROCESS
    default_poke_interval = POKE_INTERVALS[BatchApi.PROCESS]


class SentinelHubBatchStatisticalJobSensor(_JobSensor):
    """
    Waits until a Batch Statistical job is done (``monitor_batch_statistical_job``).

    Returns the final job as the service describes it, without its request. Polls every 30 seconds by default,
    every 10 during its analysis.

    :param analysis_poke_interval: between two polls of the job during its analysis, in seconds or as a
        ``timedelta`` (default: 10).
    :param allow_partial: take a PARTIAL job for done (default: no).
    :param kwargs: see :class:`~airflow_sentinelhub.sensors.job_wait.SentinelHubBatchBaseSensor`.
    """

    api = BatchApi.STATISTICAL
    default_poke_interval = POKE_INTERVALS[BatchApi.STATISTICAL]


class SentinelHubBatchJobSensor(_JobSensor):
    """
    Waits until a Batch Process **v1** job is done (``monitor_batch_job``).

    V1 is gone from the official service; for today's Batch Process use
    :class:`SentinelHubBatchProcessJobSensor`.

    Returns ``{tile status: [tile, ...]}`` with all six statuses as keys, and pushes the final job under the XCom
    key ``job``. Polls every 120 seconds by default, every 10 during its analysis.

    :param include_geometry: keep ``geometry`` and ``origin`` of each tile (default: no).
    :param kwargs: ``analysis_poke_interval`` and ``allow_partial`` as in
        :class:`SentinelHubBatchProcessJobSensor`, and all of
        :class:`~airflow_sentinelhub.sensors.job_wait.SentinelHubBatchBaseSensor`.
    """

    api = BatchApi.PROCESS_V1
    default_poke_interval = POKE_INTERVALS[BatchApi.PROCESS_V1]

    def __init__(
        self,
        *,
        request_id: Any,
        include_geometry: bool = False,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        deferrable: bool = True,
        poke_interval: timedelta | float | None = None,
        analysis_poke_interval: timedelta | float = ANALYSIS_POKE_INTERVAL,
        allow_partial: bool = False,
        start_grace: timedelta | float | str | None = 3600.0,
        stall_timeout: timedelta | float | str | None = None,
        outage_tolerance: timedelta | float | str = 6 * 3600.0,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        if end_from_trigger:
            raise ValueError("end_from_trigger=True is not for this sensor: a worker reads the tiles at the end")
        super().__init__(
            request_id=request_id,
            sentinelhub_conn_id=sentinelhub_conn_id,
            deferrable=deferrable,
            poke_interval=poke_interval,
            analysis_poke_interval=analysis_poke_interval,
            allow_partial=allow_partial,
            start_grace=start_grace,
            stall_timeout=stall_timeout,
            outage_tolerance=outage_tolerance,
            **kwargs,
        )
        self.include_geometry = include_geometry

    def result(self, context: Context, verdict: Verdict) -> Any:
        """
        Return the tiles by status; the job is pushed.

        :param context: Airflow's context.
        :param verdict: a final one, of whatever outcome.
        :raises ResultNotReadable: the job is done, but its tiles cannot be read now.
        """
        if verdict.job is None:
            return None
        if self.do_xcom_push:
            context["ti"].xcom_push(key="job", value=verdict.job.to_json())
        if not verdict.is_about_the_job or verdict.is_timeout:
            return None
        try:
            with SentinelHubHook(self.sentinelhub_conn_id).get_conn(self.api) as client:
                tiles = tiles_by_status(client.tiles(verdict.job_id), include_geometry=self.include_geometry)
        except SentinelHubError as error:
            if verdict.outcome is not Outcome.DONE:
                # It must not hide why the job failed.
                self.log.warning("The tiles of the job could not be read: %s", error)
                return None
            if isinstance(error, ServiceUnavailable):
                raise ResultNotReadable(str(error), job_id=verdict.job_id, api=self.api.value) from error
            raise
        counts = ", ".join(f"{len(of_status):,} {status}" for status, of_status in tiles.items() if of_status)
        self.log.info("Tiles: %s.", counts or "none")
        return tiles
