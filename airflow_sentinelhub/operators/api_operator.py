"""Base of all operators of a batch API: the API, and its connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.links.batch import SentinelHubDeliveryLink, SentinelHubJobLink
from airflow_sentinelhub.tasks.arguments import refuse_unknown_arguments

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_sentinelhub.client.batch import BatchClient


class SentinelHubBatchOperator(BaseOperator):
    """
    Asks one of the batch APIs for something.

    :param api: ``process`` (Batch Process, the default), ``statistical`` (Batch Statistical) or ``process_v1``
        (the first Batch Process API).
    :param sentinelhub_conn_id: the Airflow connection (templated).
    :param kwargs: all arguments of ``BaseOperator``.
    :raises ValueError: there is no such API.
    """

    template_fields: Sequence[str] = ("sentinelhub_conn_id",)
    ui_color = "#d6e6f5"
    operator_extra_links = (SentinelHubJobLink(), SentinelHubDeliveryLink())

    def __init__(
        self,
        *,
        api: BatchApi | str = BatchApi.PROCESS,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        refuse_unknown_arguments(type(self), kwargs, kwargs.get("task_id"))
        super().__init__(**kwargs)
        self.api = BatchApi(api)
        self.sentinelhub_conn_id = sentinelhub_conn_id

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """
        Make mapped tasks, see Airflow.

        :raises TypeError: there is no argument of a name that was given.
        """
        refuse_unknown_arguments(cls, kwargs, kwargs.get("task_id"))
        return super().partial(**kwargs)

    @property
    def hook(self) -> SentinelHubHook:
        """The hook of the connection, made anew each time: the connection's id is templated."""
        return SentinelHubHook(self.sentinelhub_conn_id)

    def client(self) -> BatchClient:
        """
        Return a client of the API, to be closed after use.

        :raises InvalidConnection: the connection lacks a field.
        """
        return self.hook.get_conn(self.api)
