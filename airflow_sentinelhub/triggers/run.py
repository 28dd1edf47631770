"""The triggers of a task that owns its job, one to wait for it and one to let time pass."""

from __future__ import annotations

from typing import Any

from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.kill_rules import KillAction
from airflow_sentinelhub.triggers.batch import SentinelHubBatchTrigger
from airflow_sentinelhub.triggers.kill import StopOnKillMixin
from airflow_sentinelhub.triggers.pause import SentinelHubPauseTrigger


class SentinelHubBatchRunTrigger(StopOnKillMixin, SentinelHubBatchTrigger):
    """
    Waits for the job of a task that owns it, and stops the job when the task is killed.

    :param kill_action: what becomes of the job when the task is killed: ``stop``, ``stop_unless_removed`` or
        ``leave``.
    :param kwargs: see :class:`~airflow_sentinelhub.triggers.batch.SentinelHubBatchTrigger`.
    """

    def __init__(self, *, kill_action: str = "stop", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kill_action = KillAction.stored(kill_action)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        _, kwargs = super().serialize()
        classpath = "airflow_sentinelhub.triggers.run.SentinelHubBatchRunTrigger"
        return classpath, {**kwargs, "kill_action": self.kill_action.value}


class SentinelHubBatchRunPauseTrigger(StopOnKillMixin, SentinelHubPauseTrigger):
    """
    Lets time pass for a task that owns a job, and stops the job when the task is killed meanwhile.

    The job may run: a task waits, for example, until one that is still queued can be stopped.

    :param until: when to fire, in seconds since 1970.
    :param api: ``process``, ``statistical`` or ``process_v1``.
    :param request_id: id of the job.
    :param sentinelhub_conn_id: the Airflow connection, read in the triggerer.
    :param kill_action: what becomes of the job when the task is killed: ``stop``, ``stop_unless_removed`` or
        ``leave``.
    :param unknown: arguments of a newer version, which a row in the database may hold after a downgrade.
    """

    def __init__(
        self,
        *,
        until: float,
        api: str,
        request_id: str,
        sentinelhub_conn_id: str,
        kill_action: str = "stop",
        **unknown: Any,
    ) -> None:
        super().__init__(until=until, **unknown)
        self.api = BatchApi(api)
        self.request_id = request_id
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.kill_action = KillAction.stored(kill_action)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return "airflow_sentinelhub.triggers.run.SentinelHubBatchRunPauseTrigger", {
            "until": self.until,
            "api": self.api.value,
            "request_id": self.request_id,
            "sentinelhub_conn_id": self.sentinelhub_conn_id,
            "kill_action": self.kill_action.value,
        }
