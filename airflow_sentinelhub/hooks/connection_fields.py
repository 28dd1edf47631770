"""Fields of an Airflow connection and their meaning."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any, Protocol

from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.deployments import CUSTOM, DEPLOYMENTS, Deployment, deployment_at
from airflow_sentinelhub.client.web_address import UnreadableAddress, read_address
from airflow_sentinelhub.exceptions import InvalidConnection
from airflow_sentinelhub.jobs import UrlLayout
from airflow_sentinelhub.jobs.secret import Secret
from airflow_sentinelhub.jobs.web_urls import JOB_ID

_HTTPS_PORT = 443
_LONGEST_QUOTE = 60
# What is longer or odder is not quoted, and the rest of the check finds it.
_PLACEHOLDER = re.compile(r"\{\w{0,20}\}", re.ASCII)
# A secret that was entered in the wrong field is not quoted: it has no dots, or more than small letters.
_HOST_NAME = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}(?::[0-9]{1,5})?", re.ASCII)

Extra = Secret[dict[str, Any]]
"""The extra of a connection, in which a secret may be under any name."""


class ConnectionFields(Protocol):
    """The part of an Airflow connection that is read."""

    login: str | None
    password: str | None
    host: str | None
    port: int | None
    extra: str | None


def read_connection(conn_id: str, connection: ConnectionFields | Secret[ConnectionFields]) -> ClientConfig:
    """
    Turn an Airflow connection into the configuration of a client.

    :param conn_id: its id, for messages.
    :param connection: login is the client id, password its secret, host the base URL; ``deployment``,
        ``auth_url``, ``url_layout``, ``allow_http``, ``requests_per_minute``, ``dashboard_url`` and
        ``allow_file_delivery`` come from extra. An explicit host, ``auth_url`` or ``dashboard_url`` wins over the
        deployment's. Better hidden, as Airflow shows the password in its ``repr``.
    :raises InvalidConnection: a field is missing or makes no sense; the message names it, and quotes nothing that
        may hold a secret.
    """
    if not isinstance(connection, Secret):
        connection = Secret(connection)
    try:
        extra = _extra(connection)
        base_url, auth_url = _addresses(_host(connection), extra)
        return ClientConfig(
            base_url=base_url,
            auth_url=auth_url,
            client_id=(connection.reveal().login or "").strip(),
            client_secret=(connection.reveal().password or "").strip(),
            url_layout=_url_layout(extra.reveal().get("url_layout")),
            allow_http=_flag("allow_http", extra.reveal().get("allow_http")),
            requests_per_minute=_whole_number("requests_per_minute", extra.reveal().get("requests_per_minute")),
            dashboard_url=_dashboard_url(base_url, extra),
            allow_file_delivery=_flag("allow_file_delivery", extra.reveal().get("allow_file_delivery")),
        )
    except InvalidConnection as error:
        reason = str(error)
    raise InvalidConnection(f"Airflow connection {conn_id!r}: {reason}")


def quoted(value: object) -> str:
    """Quote a field that is no secret for a message, or name its type if it is no short text."""
    if isinstance(value, str | int | float) and len(shown := repr(value)) <= _LONGEST_QUOTE:
        return shown
    return (
        f"a {type(value).__name__} that is too long to be shown"
        if isinstance(value, str)
        else (f"of type {type(value).__name__}")
    )


def _addresses(host: str, extra: Extra) -> tuple[str, str]:
    name = _text("deployment", extra).lower()
    auth_url = _url("auth_url", extra) or _url("sh_token_url", extra)
    if not auth_url and (auth_base_url := _url("sh_auth_base_url", extra)):
        auth_url = auth_base_url.rstrip("/") + "/oauth/token"
    if name and name != CUSTOM and name not in DEPLOYMENTS:
        known = ", ".join([*DEPLOYMENTS, CUSTOM])
        raise InvalidConnection(f"deployment {quoted(name)} in extra is not known: use one of {known}")
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
            "base URL without authentication URL: enter the address that issues tokens as auth_url in extra, or "
            "choose a deployment"
        )
    return host, auth_url


def _issuer(auth_url: str) -> Deployment | None:
    """Find the deployment whose tokens come from an address."""
    return next((each for each in DEPLOYMENTS.values() if each.auth_url == auth_url), None)


def _host(connection: Secret[ConnectionFields]) -> str:
    host = Secret((connection.reveal().host or "").strip().rstrip("/"))
    port = connection.reveal().port
    if host.reveal() and "://" not in host.reveal():
        name = _HOST_NAME.fullmatch(host.reveal().rpartition("@")[2])
        raise InvalidConnection(
            f"host{f' {name[0]!r}' if name else ''} has no scheme: write https://{name[0] if name else 'host'} "
            "(percent-encoded in a connection URI: https%3A%2F%2F...)"
        )
    _refuse_user("base URL", host)
    # The port of https may be there for Airflow's sake: see the form in get_provider_info.
    if host.reveal() and port and port != _HTTPS_PORT:
        try:
            address = read_address(host.reveal())
        except UnreadableAddress:
            return host.reveal()  # the reason is told where all addresses are checked
        if address.port is None:
            return str(replace(address, port=port))
    return host.reveal()


def _refuse_user(name: str, url: Secret[str]) -> None:
    """Refuse a password in an address, before it is in a variable that error trackers show."""
    if "@" in re.split(r"[/?#]", url.reveal().partition("://")[2], maxsplit=1)[0]:
        raise InvalidConnection(f"{name} contains a user name or password: leave them out of the address")


def _extra(connection: Secret[ConnectionFields]) -> Extra:
    try:
        extra = Secret(json.loads(connection.reveal().extra or "{}"))
    except (ValueError, RecursionError):
        extra = Secret(None)
    if not isinstance(extra.reveal(), dict):
        raise InvalidConnection('extra is no JSON object: expected something like {"deployment": "cdse"}')
    return extra


def _text(name: str, extra: Extra) -> str:
    value = extra.reveal().get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidConnection(f"{name} in extra must be a text, not {type(value).__name__}")
    return value.strip()


def _url(name: str, extra: Extra) -> str:
    _refuse_user(f"{name} in extra", Secret(_text(name, extra)))
    return _text(name, extra)


def _dashboard_url(base_url: str, extra: Extra) -> str:
    url = Secret(_url("dashboard_url", extra))
    if not url.reveal():
        deployment = deployment_at(base_url)
        return deployment.dashboard_url if deployment else ""
    if unknown := set(_PLACEHOLDER.findall(url.reveal())) - {JOB_ID}:
        raise InvalidConnection(
            f"dashboard_url in extra has {min(unknown)}: only {JOB_ID}, the place of a job's id, is known"
        )
    try:
        read_address(url.reveal().replace(JOB_ID, "id"))
    except UnreadableAddress as error:
        raise InvalidConnection(f"dashboard_url in extra {error} (or https://host/{JOB_ID})") from None
    return url.reveal()


def _url_layout(value: object) -> UrlLayout:
    if not value:
        return UrlLayout.LEGACY
    try:
        return UrlLayout(value.lower() if isinstance(value, str) else "")
    except ValueError:
        raise InvalidConnection(
            f"url_layout {quoted(value)} in extra is not known: use 'legacy' or 'new'"
        ) from None


def _flag(name: str, value: object) -> bool:
    # In a connection URI every extra is a text.
    if isinstance(value, bool) or value is None:
        return bool(value)
    if not isinstance(value, str | int | float):
        raise InvalidConnection(f"{name} in extra must be true or false")
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
        raise InvalidConnection(f"{name} in extra must be a number, not {quoted(value)}")
    return math.floor(number)
