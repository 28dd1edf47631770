"""Clients of the batch APIs for hooks, operators and triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_sentinelhub import clock
from airflow_sentinelhub.jobs import BatchApi

if TYPE_CHECKING:
    from airflow_sentinelhub.client.batch import BatchClient
    from airflow_sentinelhub.client.config import ClientConfig


def make_client(config: ClientConfig, api: BatchApi, **options: Any) -> BatchClient:
    """
    Make a client whose pauses and times are on the clock of sensors, operators and triggers.

    The clients of a process share tokens and the account's limit, so all of them need the same clock.

    :param config: address and account.
    :param api: which API.
    :param options: see :class:`~airflow_sentinelhub.client.batch.BatchClient`.
    :return: the client, to be closed after use.
    """
    # Imported here: parsing a DAG file must not load an HTTP library, and an event loop calls this in a thread.
    from airflow_sentinelhub.client.batch import BatchClient

    return BatchClient(config, api, clock=clock.monotonic, sleep=clock.sleep, **options)
