"""Test of an Airflow connection, and which of its fields to look at if it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.deployments import deployment_at
from airflow_sentinelhub.exceptions import (
    Forbidden,
    InvalidConnection,
    InvalidCredentials,
    NotFound,
    SentinelHubError,
    ServiceError,
    Unauthorized,
)
from airflow_sentinelhub.jobs.formatting import format_time

if TYPE_CHECKING:
    from airflow_sentinelhub.client.batch import BatchClient

BUDGET = 5.0
"""Seconds in which the list may be asked for again: a user waits in front of a form."""

_OF_CDSE = "sh-"
"""What the ids of OAuth clients begin with that were created on CDSE."""


def check(client: BatchClient, now: float) -> tuple[bool, str]:
    """
    Fetch a token and list jobs.

    :param client: of the connection, with tokens of its own: an old one may outlive its secret.
    :param now: seconds since 1970.
    :return: whether that worked, and what to tell; never a credential.
    """
    config = client.config
    try:
        expires_at = now + client.token_lifetime()
    except SentinelHubError as error:
        return False, f"Look at {_fields_of_token(config, error)}. {error}"
    try:
        pages = client.list(budget=BUDGET)
        seen = len(next(pages, []))
        more = next(pages, None) is not None
    except Forbidden as error:
        return False, (
            "Look at your plan. The credentials are right, but this account may not use Batch Process, which "
            "needs a plan with batch processing (on CDSE, a Copernicus Service account). "
            f"{config.base_url} said: {error.service_message or 'nothing'}."
        )
    except SentinelHubError as error:
        return False, f"Look at {_fields_of_list(config, error)}. {error}"
    jobs = f"more than {seen}" if more else str(seen)
    return True, (
        f"{_name_of(config)} accepts this OAuth client. Its token is valid until {format_time(expires_at, now)}. "
        f"Batch Process jobs in its list: {jobs}."
    )


def refusal(conn_id: str, error: InvalidConnection) -> str:
    """
    Return the message for a field that makes no sense, without the connection's id.

    A form that is tested has another id than the one that was typed.
    """
    text = str(error).removeprefix(f"Airflow connection {conn_id!r}: ")
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _name_of(config: ClientConfig) -> str:
    deployment = deployment_at(config.base_url)
    return f"{deployment.title} ({config.base_url})" if deployment else config.base_url


def _fields_of_token(config: ClientConfig, error: SentinelHubError) -> str:
    if not isinstance(error, InvalidCredentials):
        return _address(config, error, "Authentication URL")
    deployment = deployment_at(config.base_url)
    if deployment and config.client_id.startswith(_OF_CDSE) != (deployment.name == "cdse"):
        return f"Deployment ({deployment.title}), Client ID and Client secret"
    return "Client ID and Client secret"


def _fields_of_list(config: ClientConfig, error: SentinelHubError) -> str:
    match error:
        case Unauthorized():
            return "Authentication URL and Base URL"
        case NotFound():
            return "Base URL and url_layout"
        case _:
            return _address(config, error, "Base URL")


def _address(config: ClientConfig, error: SentinelHubError, field: str) -> str:
    """Return the field with the address; where a known address does not answer, the network is at fault."""
    answered = isinstance(error, ServiceError) and error.http_status is not None
    if deployment_at(config.base_url) and not answered:
        return f"the network of this machine (proxy, firewall), or {field}"
    return f"{field}, or the network of this machine" if not answered else field
