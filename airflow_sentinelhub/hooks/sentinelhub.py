"""Hook: a client from an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_sentinelhub import clock
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.exceptions import InvalidConnection, SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.hooks.client_factory import make_client
from airflow_sentinelhub.hooks.connection_fields import ConnectionFields, read_connection
from airflow_sentinelhub.hooks.connection_test import check, refusal
from airflow_sentinelhub.hooks.quiet_masking import no_warning_of_short_values
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.secret import Secret

if TYPE_CHECKING:
    from sentinelhub.config import SHConfig  # noqa: TID251 - for annotations only

    from airflow_sentinelhub.client.batch import BatchClient


class SentinelHubHook(BaseHook):
    """
    Connects to Sentinel Hub with the credentials of an Airflow connection.

    The connection's login is the OAuth client id (``sh_client_id`` of ``SHConfig``), its password the client
    secret (``sh_client_secret``), its host the base URL (``sh_base_url``). In extra, ``deployment`` names a
    preset (``main``, ``us-west-2``, ``cdse`` or ``custom``) and ``auth_url`` the address that issues tokens
    (``sh_token_url``); ``requests_per_minute`` is kept to by all clients of the account in one process;
    ``dashboard_url`` is the page that the links of tasks lead to, with ``{id}`` in the place of a job's id;
    ``url_layout`` (``legacy`` or ``new``), ``allow_http`` and ``allow_file_delivery`` are for special cases.

    :param sentinelhub_conn_id: the Airflow connection.
    :param logger_name: name of the logger (default: that of the class).
    """

    conn_name_attr = "sentinelhub_conn_id"
    default_conn_name = "sentinelhub_default"
    conn_type = "sentinelhub"
    hook_name = "Sentinel Hub"

    def __init__(self, sentinelhub_conn_id: str = default_conn_name, logger_name: str | None = None) -> None:
        super().__init__(logger_name=logger_name)
        self.sentinelhub_conn_id = sentinelhub_conn_id

    def get_config(self) -> ClientConfig:
        """
        Read the connection.

        :raises InvalidConnection: there is none of that id, or a field is missing or makes no sense.
        :raises ServiceUnavailable: the secrets backend or the database did not answer.
        """
        try:
            with no_warning_of_short_values():
                # Hidden, as Airflow shows the password in its repr.
                connection: Secret[ConnectionFields] = Secret(self.get_connection(self.sentinelhub_conn_id))
        except Exception as error:
            raise self._unreadable(error) from None
        return self._checked(read_connection(self.sentinelhub_conn_id, connection))

    async def aget_config(self) -> ClientConfig:
        """
        Read the connection from asynchronous code, such as a trigger.

        :raises InvalidConnection: there is none of that id, or a field is missing or makes no sense.
        :raises ServiceUnavailable: the secrets backend or the database did not answer.
        """
        try:
            with no_warning_of_short_values():
                connection: Secret[ConnectionFields] = Secret(await get_async_connection(self.sentinelhub_conn_id))
        except Exception as error:
            raise self._unreadable(error) from None
        return self._checked(read_connection(self.sentinelhub_conn_id, connection))

    def get_conn(self, api: BatchApi | str = BatchApi.PROCESS) -> BatchClient:
        """
        Return a client of one of the batch APIs.

        :param api: ``process`` (the default), ``statistical`` or ``process_v1``.
        :raises InvalidConnection: see :meth:`get_config`.
        """
        return make_client(self.get_config(), BatchApi(api))

    def get_sh_config(self) -> SHConfig:
        """
        Return the connection as a configuration of sentinelhub-py.

        Nothing of the worker's own ``config.toml`` or environment gets into it.

        :raises ImportError: sentinelhub-py is not installed (extra ``sentinelhub``).
        :raises InvalidConnection: see :meth:`get_config`.
        """
        try:
            from sentinelhub.config import SHConfig  # noqa: TID251 - where it is used
        except ImportError as error:
            raise ImportError(
                "sentinelhub-py is not installed: pip install 'airflow-provider-sentinelhub[sentinelhub]'"
            ) from error
        config = self.get_config()
        return SHConfig(
            use_defaults=True,
            sh_client_id=config.client_id,
            sh_client_secret=config.client_secret,
            sh_base_url=config.base_url,
            sh_token_url=config.auth_url,
        )

    def test_connection(self) -> tuple[bool, str]:
        """Fetch a new token and list jobs; the message names the field to look at, and never a credential."""
        from airflow_sentinelhub.client.token_cache import TokenCache

        try:
            config = self.get_config()
        except InvalidConnection as error:
            return False, refusal(self.sentinelhub_conn_id, error)
        except SentinelHubError as error:
            return False, str(error)
        with make_client(config, BatchApi.PROCESS, tokens=TokenCache()) as client:
            return check(client, clock.now())

    def _unreadable(self, error: Exception) -> SentinelHubError:
        if isinstance(error, AirflowNotFoundException):
            return InvalidConnection(
                f"Airflow connection {self.sentinelhub_conn_id!r} does not exist or could not be read: create "
                "one of type 'sentinelhub' under Admin / Connections, or name another one with sentinelhub_conn_id"
            )
        if isinstance(error, RecursionError):
            # Airflow itself reads the extra of some connections.
            return InvalidConnection(
                f"Airflow connection {self.sentinelhub_conn_id!r}: extra is nested too deep to be read"
            )
        # Only its type is named: the text may come from a secrets backend and hold anything.
        return ServiceUnavailable(
            f"Airflow connection {self.sentinelhub_conn_id!r} could not be read ({type(error).__name__}): the "
            "database or the secrets backend did not answer"
        )

    def _checked(self, config: ClientConfig) -> ClientConfig:
        for url in config.insecure_urls:
            self.log.warning(
                "Airflow connection %r sends its credentials in clear to %s (allow_http is set).",
                self.sentinelhub_conn_id,
                url,
            )
        return config
