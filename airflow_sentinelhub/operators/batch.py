"""
Operators that run a whole batch job, or one step each: create, analyse, start, stop, restart, read its tiles.

Each asks the service only for what has not happened yet. But for the one that runs the whole job none waits for
it: that is what the sensors are for.
"""

from __future__ import annotations

from airflow_sentinelhub.jobs import Action
from airflow_sentinelhub.operators.action import SentinelHubBatchActionOperator
from airflow_sentinelhub.operators.create import SentinelHubBatchCreateOperator
from airflow_sentinelhub.operators.run import SentinelHubBatchRunOperator
from airflow_sentinelhub.operators.tiles import SentinelHubBatchTilesOperator

__all__ = [
    "SentinelHubBatchCreateOperator",
    "SentinelHubBatchAnalyseOperator",
    "SentinelHubBatchRestartOperator",
    "SentinelHubBatchRunOperator",
    "SentinelHubBatchStartOperator",
    "SentinelHubBatchStopOperator",
    "SentinelHubBatchTilesOperator",
]


class SentinelHubBatchAnalyseOperator(SentinelHubBatchActionOperator):
    """
    Asks for the analysis of a job.

    Returns the job as soon as the service shows that it took it. A job that is analysed, started or over already
    is handed back as it is. Fails with :class:`~airflow_sentinelhub.exceptions.BatchFailed` or
    :class:`~airflow_sentinelhub.exceptions.BatchCanceled` on a job at such an end. All arguments are those of
    :class:`~airflow_sentinelhub.operators.action.SentinelHubBatchActionOperator`.
    """

    action = Action.ANALYSE


class SentinelHubBatchStartOperator(SentinelHubBatchActionOperator):
    """
    Starts a job, which is analysed first if it was not.

    Returns the job as soon as the service shows that it took it. A job that is queued, running, DONE or PARTIAL
    already is handed back as it is; an analysis that was asked for is waited for, since a job cannot be started
    in it. A STOPPED job is *not* started again, as a user or the service stopped it:
    :class:`~airflow_sentinelhub.exceptions.BatchStopped`, see :class:`SentinelHubBatchRestartOperator`. All
    arguments are those of :class:`~airflow_sentinelhub.operators.action.SentinelHubBatchActionOperator`.
    """

    action = Action.START


class SentinelHubBatchStopOperator(SentinelHubBatchActionOperator):
    """
    Stops a job; with Batch Process v1 it is canceled, which is for good.

    What is done or in flight is charged, and the service refuses to start the job again for half an hour. Returns
    the job as soon as the service shows that it took it, which may be before it stands still. A job that is
    STOPPED, DONE, PARTIAL, FAILED or CANCELED already is handed back as it is: what was wanted, that it spends
    nothing more, is so. ``status`` in the returned job tells a job that was DONE first. A job that is queued can
    only be stopped from its analysis on, which is waited for. All arguments are those of
    :class:`~airflow_sentinelhub.operators.action.SentinelHubBatchActionOperator`.
    """

    action = Action.STOP


class SentinelHubBatchRestartOperator(SentinelHubBatchActionOperator):
    """
    Lets a job go on: starts a STOPPED one again, or processes the failed tiles of a PARTIAL one of v1.

    The service refuses to start a job for 30 minutes after a stop, and for 60 after it ran out of processing
    units: that is waited out, deferred. Returns the job as soon as the service shows that it took it. A job that
    is running (another one was faster) or DONE is handed back as it is. Every other one fails with
    :class:`~airflow_sentinelhub.exceptions.BatchNotRestartable`: FAILED and CANCELED are ends, one that was never
    started is for :class:`SentinelHubBatchStartOperator`, and one that is stopped again during the wait is left
    as a user wants it. All arguments are those of
    :class:`~airflow_sentinelhub.operators.action.SentinelHubBatchActionOperator`.
    """

    action = Action.RESTART
