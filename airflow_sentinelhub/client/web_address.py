r"""
Web addresses, read in one way only.

Two libraries that read the same text differently are how a secret goes to the wrong host: ``urllib.parse`` takes
``http://evil.example\.localhost`` for this machine, and the HTTP library connects to ``evil.example``. So an
address is accepted only in the plain form that all of them read alike, and is then used as it was read.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

LONGEST_ADDRESS = 2000
"""Characters; proxies and servers refuse longer ones."""

_HIGHEST_PORT = 65_535

_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z]{1,10})://"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)"
    r"(?:\?(?P<query>[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*))?"
    r"(?:#(?P<fragment>[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*))?",
    re.ASCII,
)
# Underscores are no part of host names by the standard, but of the names of services in Compose files.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
# Normalisers unescape the dot, and then leave the folder.
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.ASCII | re.IGNORECASE)


class UnreadableAddress(ValueError):
    """The text is no plain web address; why is told without quoting it, as it may hold a password."""


@dataclass(frozen=True, slots=True)
class WebAddress:
    """
    An address of which all parts are known.

    :param scheme: ``http`` or ``https``.
    :param host: name in small letters, IPv4 address, or IPv6 address in brackets.
    :param port: ``None``: that of the scheme.
    :param path: empty, or begins with a slash.
    :param query: without its question mark.
    :param fragment: without its hash.
    """

    scheme: str
    host: str
    port: int | None = None
    path: str = ""
    query: str | None = None
    fragment: str | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may be shown of any address."""
        return f"{self.scheme}://{self.host}{f':{self.port}' if self.port is not None else ''}"

    @property
    def is_loopback(self) -> bool:
        """True if the host is this machine."""
        return is_loopback_host(self.host)

    def __str__(self) -> str:
        query = "" if self.query is None else f"?{self.query}"
        fragment = "" if self.fragment is None else f"#{self.fragment}"
        return f"{self.origin}{self.path}{query}{fragment}"


def read_address(text: str) -> WebAddress:
    """
    Read a web address.

    :raises UnreadableAddress: it is none, or libraries could read it differently: user names, backslashes,
        letters outside ASCII, escapes in the host, zones of IPv6, final dots, ``..`` in the path.
    """
    if len(text) > LONGEST_ADDRESS:
        raise UnreadableAddress(f"is longer than {LONGEST_ADDRESS:,} characters")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise UnreadableAddress("contains a blank or an invisible character: type it again")
    scheme, found, rest = text.partition("://")
    if not found or scheme.lower() not in ("http", "https") or not rest.strip("/"):
        raise UnreadableAddress("is no web address: expected https://host")
    if "@" in re.split(r"[/?#\\]", rest, maxsplit=1)[0]:
        raise UnreadableAddress("contains a user name or password: leave them out of the address")
    parts = _ADDRESS.fullmatch(text)
    if parts is None:
        raise UnreadableAddress(
            "is no address that can be read: expected https://host, in ASCII letters and without backslashes "
            "(names in other letters are written as xn--...)"
        )
    port = None if parts["port"] is None else int(parts["port"])
    if port is not None and not 0 < port <= _HIGHEST_PORT:
        raise UnreadableAddress(f"is no address that can be read: ports go from 1 to {_HIGHEST_PORT}")
    path = parts["path"]
    if any(_DOTS.fullmatch(segment) for segment in path.split("/")):
        raise UnreadableAddress("is no address that can be read: its path contains '.' or '..'")
    if _BAD_ESCAPE.search(text):
        raise UnreadableAddress("is no address that can be read: '%' has to be followed by two digits")
    return WebAddress(scheme.lower(), _host(parts["host"]), port, path, parts["query"], parts["fragment"])


def is_loopback_host(host: str) -> bool:
    """
    Return whether a host is this machine: ``localhost``, a name below it, or a loopback address.

    :param host: as in :class:`WebAddress`. Short forms such as ``127.1`` do not count.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_loopback_ip(host.strip("[]"))


def is_loopback_ip(text: str) -> bool:
    """Return whether a text is an IP address of this machine."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # Python says so by itself from 3.13 on.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _host(text: str) -> str:
    host = text.lower()
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            raise UnreadableAddress("is no address that can be read: its IPv6 address is none") from None
    if host.endswith("."):
        raise UnreadableAddress("is no address that can be read: its host ends with a dot")
    if not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise UnreadableAddress("is no address that can be read: its host is no host name")
    return host
