"""The triggers of a task that owns its job, one to wait for it and one to let time pass."""

from __future__ import annotations

from typing import Any

from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.triggers.batch import SentinelHubBatchTrigger
from airflow_sentinelhub.triggers.owning import OwningTrigger
from airflow_sentinelhub.triggers.pause import SentinelHubPauseTrigger


class SentinelHubBatchRunTrigger(OwningTrigger, SentinelHubBatchTrigger):
    """
    Waits for the job of a task that owns it, and stops the job when the task is killed.

    :param stop_on_kill: stop the job when the task was killed; otherwise it is left, and the log says so.
    :param kwargs: see :class:`~airflow_sentinelhub.triggers.batch.SentinelHubBatchTrigger`.
    """

    def __init__(self, *, stop_on_kill: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stop_on_kill = stop_on_kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what the triggerer needs to make this trigger again."""
        _, kwargs = super().serialize()
        classpath = "airflow_sentinelhub.triggers.run.SentinelHubBatchRunTrigger"
        return classpath, {**kwargs, "stop_on_kill": self.stop_on_kill}


class SentinelHubBatchRunPauseTrigger(OwningTrigger, SentinelHubPauseTrigger):
    """
    Lets time pass for a task that owns a job, and stops the job when the task is killed meanwhile.

    The job may run: a task waits, for example, until one that is still queued can be stopped.

    :param until: when to fire, in seconds since 1970.
    :param api: ``process``, ``statistical`` or ``process_v1``.
    :param request_id: id of the job.
    :param sentinelhub_conn_id: the Airflow connection, read in the triggerer.
    :param stop_on_kill: stop the job when the task was killed; otherwise it is left, and the log says so.
    :param unknown: arguments of a newer version, which a row in the database may hold after a downgrade.
    """

    def __init__(
        self,
        *,
        until: float,
        api: str,
        request_id: str,
        sentinelhub_conn_id: str,
        stop_on_kill: bool = True,
        **unknown: Any,
    ) -> None:
        super().__init__(until=until, **unknown)
        self.api = BatchApi(api)
        self.request_id = request_id
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.stop_on_kill = stop_on_kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what the triggerer needs to make this trigger again."""
        return "airflow_sentinelhub.triggers.run.SentinelHubBatchRunPauseTrigger", {
            "until": self.until,
            "api": self.api.value,
            "request_id": self.request_id,
            "sentinelhub_conn_id": self.sentinelhub_conn_id,
            "stop_on_kill": self.stop_on_kill,
        }
