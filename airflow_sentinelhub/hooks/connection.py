"""What the fields of an Airflow connection mean."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Protocol

from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.deployments import CUSTOM, DEPLOYMENTS, Deployment, deployment_at
from airflow_sentinelhub.exceptions import InvalidConnection
from airflow_sentinelhub.jobs import UrlLayout
from airflow_sentinelhub.jobs.pages import JOB_ID

_HTTPS_PORT = 443
_PLACEHOLDER = re.compile(r"\{[^}]*\}")


class ConnectionFields(Protocol):
    """The part of an Airflow connection that is read."""

    login: str | None
    password: str | None
    host: str | None
    port: int | None
    extra: str | None


def read_connection(conn_id: str, connection: ConnectionFields) -> ClientConfig:
    """
    Turn an Airflow connection into the configuration of a client.

    :param conn_id: its id, for messages.
    :param connection: login is the client id, password its secret, host the base URL; ``deployment``,
        ``auth_url``, ``url_layout``, ``allow_http``, ``requests_per_minute``, ``dashboard_url`` and
        ``allow_file_delivery`` come from extra. An explicit host, ``auth_url`` or ``dashboard_url`` wins over the
        deployment's.
    :raises InvalidConnection: a field is missing or makes no sense; the message names it.
    """
    try:
        extra = _extra(connection.extra)
        base_url, auth_url = _addresses(_host(connection), extra)
        return ClientConfig(
            base_url=base_url,
            auth_url=auth_url,
            client_id=(connection.login or "").strip(),
            client_secret=(connection.password or "").strip(),
            url_layout=_url_layout(extra.get("url_layout")),
            allow_http=_flag("allow_http", extra.get("allow_http")),
            requests_per_minute=_whole_number("requests_per_minute", extra.get("requests_per_minute")),
            dashboard_url=_dashboard_url(base_url, extra),
            allow_file_delivery=_flag("allow_file_delivery", extra.get("allow_file_delivery")),
        )
    except InvalidConnection as error:
        raise InvalidConnection(f"Airflow connection {conn_id!r}: {error}") from None


def _addresses(host: str, extra: Mapping[str, Any]) -> tuple[str, str]:
    name = _text("deployment", extra).lower()
    auth_url = _text("auth_url", extra) or _text("sh_token_url", extra)
    if not auth_url and (auth_base_url := _text("sh_auth_base_url", extra)):
        auth_url = auth_base_url.rstrip("/") + "/oauth/token"
    if name and name != CUSTOM and name not in DEPLOYMENTS:
        known = ", ".join([*DEPLOYMENTS, CUSTOM])
        raise InvalidConnection(f"deployment {name!r} in extra is not known: use one of {known}")
    # A known address says more than the name beside it, which the form fills in by itself.
    preset = deployment_at(host) or DEPLOYMENTS.get(name)
    if preset is None and not name and not host:
        preset = _issuer(auth_url) if auth_url else DEPLOYMENTS["main"]
    if preset is not None:
        return host or preset.base_url, auth_url or preset.auth_url
    if not host:
        raise InvalidConnection("host is empty: enter the base URL, or choose a deployment in extra")
    if not auth_url:
        raise InvalidConnection(
            "auth_url in extra is missing: enter the address that issues tokens, or choose a deployment"
        )
    return host, auth_url


def _issuer(auth_url: str) -> Deployment | None:
    """Find the deployment whose tokens come from an address."""
    return next((each for each in DEPLOYMENTS.values() if each.auth_url == auth_url), None)


def _host(connection: ConnectionFields) -> str:
    host = (connection.host or "").strip().rstrip("/")
    if host and "://" not in host:
        raise InvalidConnection(
            f"host {host.rpartition('@')[2]!r} has no scheme: write https://{host.rpartition('@')[2]} "
            "(percent-encoded in a connection URI: https%3A%2F%2F...)"
        )
    # The port of https may be there for Airflow's sake: see the form in get_provider_info.
    if host and connection.port and connection.port != _HTTPS_PORT and ":" not in host.partition("://")[2]:
        host = f"{host}:{connection.port}"
    return host


def _extra(text: str | None) -> Mapping[str, Any]:
    if not text:
        return {}
    try:
        extra = json.loads(text)
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise InvalidConnection('extra is no JSON object: expected something like {"deployment": "cdse"}')
    return extra


def _text(name: str, extra: Mapping[str, Any]) -> str:
    value = extra.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidConnection(f"{name} in extra must be a text, not {type(value).__name__}")
    return value.strip()


def _dashboard_url(base_url: str, extra: Mapping[str, Any]) -> str:
    url = _text("dashboard_url", extra)
    if not url:
        deployment = deployment_at(base_url)
        return deployment.dashboard_url if deployment else ""
    if unknown := set(_PLACEHOLDER.findall(url)) - {JOB_ID}:
        raise InvalidConnection(
            f"dashboard_url in extra has {min(unknown)}: only {JOB_ID}, the place of a job's id, is known"
        )
    if not url.startswith(("https://", "http://")):
        raise InvalidConnection(
            f"dashboard_url {url!r} in extra is no web address: expected https://host/{JOB_ID}"
        )
    return url


def _url_layout(value: object) -> UrlLayout:
    if not value:
        return UrlLayout.LEGACY
    try:
        return UrlLayout(str(value).lower())
    except ValueError:
        raise InvalidConnection(f"url_layout {value!r} in extra is not known: use 'legacy' or 'new'") from None


def _flag(name: str, value: object) -> bool:
    # In a connection URI every extra is a text.
    if isinstance(value, bool) or value is None:
        return bool(value)
    if str(value).lower() in ("true", "1"):
        return True
    if str(value).lower() in ("false", "0", ""):
        return False
    raise InvalidConnection(f"{name} in extra must be true or false")


def _whole_number(name: str, value: object) -> int | None:
    # In a connection URI every extra is a text; a limit divided by the number of triggerers may be a fraction.
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidConnection(f"{name} in extra must be a number, not {value!r}")
    return math.floor(number)
