"""Configuration of a client: addresses and credentials."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from airflow_sentinelhub.client.web_address import UnreadableAddress, read_address
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
        object.__setattr__(self, "base_url", checked_url("base URL", self.base_url, self.allow_http))
        object.__setattr__(self, "auth_url", checked_url("auth_url", self.auth_url, self.allow_http))

    @property
    def is_local(self) -> bool:
        """True if the service runs on this machine, where no request is metered."""
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
    """Return whether the URL's host is this machine; not, where the address cannot be read."""
    try:
        return read_address(url).is_loopback
    except UnreadableAddress:
        return False


def checked_url(name: str, url: str, allow_http: bool) -> str:
    """
    Check an address to which credentials are sent, and give it as it was read.

    :param name: how the user knows it, with which messages begin. They never quote what was entered, beyond
        scheme, host and port of an address that could be read.
    :param allow_http: accept ``http://`` for hosts that are not this machine.
    :raises InvalidConnection: it may not be used.
    """
    try:
        address = read_address(url.strip())
    except UnreadableAddress as error:
        reason = str(error)
    else:
        if address.query is not None or address.fragment is not None:
            reason = "must have no '?' or '#' part"
        elif address.scheme == "http" and not allow_http and not address.is_loopback:
            reason = (
                f"{address.origin!r} would send the client secret in clear: use https://, or set 'allow_http' to "
                "true in the connection's extra if the way there is safe"
            )
        else:
            return str(address).rstrip("/")
    raise InvalidConnection(f"{name} {reason}")
