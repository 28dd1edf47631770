"""The plugin of this provider, which Airflow finds by its entry point ``airflow.plugins``."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowPlugin

from airflow_sentinelhub.plugin import deferral_listener


class SentinelHubPlugin(AirflowPlugin):
    """Registers the listener that stops the job of a task whose deferral was refused."""

    name = "airflow_sentinelhub"
    listeners = [deferral_listener]  # noqa: RUF012 - as Airflow declares it
