"""Where the service is and who asks: the configuration of a client."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from airflow_sentinelhub.exceptions import InvalidConnection
from airflow_sentinelhub.jobs.api import UrlLayout


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """
    Address and credentials of a Sentinel Hub account.

    :param base_url: the deployment (``sh_base_url`` of ``SHConfig``).
    :param auth_url: where tokens come from, whole (``sh_token_url`` of ``SHConfig``).
    :param client_id: id of the OAuth client.
    :param client_secret: its secret; never part of the ``repr``.
    :param url_layout: how the service spells its paths.
    :param allow_http: accept ``http://`` for hosts that are not this machine.
    :param requests_per_minute: most requests that the account's clients in this process send in any minute,
        without those for tokens; ``None``: as many as the service lets pass.
    :param dashboard_url: page of the web application that shows a job, with ``{id}`` in the place of its id, or
        one that shows them all; empty: none.
    :param allow_file_delivery: read results that a job says it delivered to ``file://``, also if the service is
        not on this machine.
    :raises InvalidConnection: a field is missing or makes no sense; the message starts with its name.
    """

    base_url: str
    auth_url: str
    client_id: str
    client_secret: str = field(repr=False)
    url_layout: UrlLayout = UrlLayout.LEGACY
    allow_http: bool = False
    requests_per_minute: int | None = None
    dashboard_url: str = field(default="", compare=False)
    allow_file_delivery: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if not self.client_id:
            raise InvalidConnection("client id is empty: enter the id of the OAuth client")
        if not self.client_secret:
            raise InvalidConnection("client secret is empty: enter the secret of the OAuth client")
        if self.requests_per_minute is not None and self.requests_per_minute < 1:
            raise InvalidConnection(
                f"requests_per_minute is {self.requests_per_minute}: it has to be 1 or more, if there is one"
            )
        object.__setattr__(self, "base_url", _checked_url("base URL", self.base_url, self.allow_http))
        object.__setattr__(self, "auth_url", _checked_url("auth_url", self.auth_url, self.allow_http))

    @property
    def is_local(self) -> bool:
        """Whether the service runs on this machine, where no request is metered."""
        return is_loopback(self.base_url)

    @property
    def insecure_urls(self) -> list[str]:
        """Addresses to which credentials travel in clear, to be warned about."""
        return [
            url for url in (self.base_url, self.auth_url) if url.startswith("http://") and not is_loopback(url)
        ]

    @property
    def account(self) -> tuple[str, str, str]:
        """
        Identity of the credentials: client id, a digest of the secret, token URL.

        The secret belongs to it, so that a rotated secret is not served from an old token.
        """
        digest = hashlib.sha256(self.client_secret.encode()).hexdigest()
        return (self.client_id, digest, self.auth_url)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_url(name: str, url: str, allow_http: bool) -> str:
    url = url.strip().rstrip("/")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise InvalidConnection(f"{name} contains a blank or an invisible character: type it again")
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises where it is no number
    except ValueError:
        raise InvalidConnection(f"{name} is no address that can be read: expected https://host") from None
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidConnection(f"{name} {_without_userinfo(url)!r} is no web address: expected https://host")
    if "@" in parts.netloc:
        raise InvalidConnection(f"{name} contains a user name or password: leave them out of the address")
    if parts.query or parts.fragment:
        raise InvalidConnection(f"{name} must have no '?' or '#' part")
    if parts.scheme == "http" and not allow_http and not is_loopback(url):
        raise InvalidConnection(
            f"{name} {url!r} would send the client secret in clear: use https://, or set 'allow_http' to true "
            "in the connection's extra if the way there is safe"
        )
    return url


def _without_userinfo(url: str) -> str:
    return url.rpartition("@")[2]
