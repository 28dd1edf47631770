"""
Access rules: who may reach the emulator, and who may use its control interface.

The emulator guards nothing, so it listens to its own machine alone unless told otherwise. Even then a web page in
a browser could send to it: its control interface takes what no such page can send.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from airflow_sentinelhub.emulator import limits

ALLOW_REMOTE = (
    "The emulator guards nothing, so it listens to this machine alone. To listen at {host}, which others can "
    "reach, allow it: --allow-remote in a terminal, allow_remote=True in Python."
)
_NAME = re.compile(r"[a-z0-9._-]+")
WARNING = (
    "The emulator listens at {host}: everybody who can reach this machine can use it. Its control interface "
    "answers only to the names {names}; --allowed-host (allowed_hosts in Python) adds one."
)


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is this machine's own. Names other than localhost are not looked up."""
    if host.lower() == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def reachable(host: str) -> str:
    """Return an address of the listener that this machine can call; one for all interfaces cannot be called."""
    address = _address(host or "0.0.0.0")  # noqa: S104 - not to listen at
    if address is None or not address.is_unspecified:
        return host
    return "::1" if address.version == 6 else "127.0.0.1"


def check_listening(host: str, allow_remote: bool) -> None:
    """Raise ``ValueError`` if others could reach this address, and that was not allowed."""
    if not allow_remote and not is_loopback(host):
        raise ValueError(ALLOW_REMOTE.format(host=host or "every address"))


def warning(host: str, allowed_hosts: Collection[str]) -> str | None:
    """Return what to warn of when listening there; ``None`` if only this machine can reach it."""
    if is_loopback(host):
        return None
    names = ", ".join(["localhost", *sorted(names_of(host, allowed_hosts))])
    return WARNING.format(host=host or "every address", names=names)


def names_of(host: str, allowed_hosts: Collection[str]) -> frozenset[str]:
    """
    Return the names, besides those of the loopback, by which the control interface may be called.

    :param host: where the emulator listens. Its address is one of them, unless it stands for every address.
    :param allowed_hosts: more names, without a port.
    :raises ValueError: for one that is no name.
    """
    names = {_checked(name) for name in allowed_hosts}
    address = _address(host)
    if address is None or not address.is_unspecified:
        names.add(host.lower())
    return frozenset(names - {""})


def refusal(method: str, headers: Mapping[str, str], names: Collection[str]) -> tuple[int, str] | None:
    """
    Why a request to the control interface is refused: HTTP status and reason; ``None`` if it is not.

    A page of another site can send a form or a text, but neither JSON nor without saying where it comes from
    (``Origin``); one that has its own name lead to this machine (DNS rebinding) sends that name as ``Host``.

    :param headers: names in lower case.
    :param names: see :func:`names_of`.
    """
    host = headers.get("host", "")
    name = _name(host)
    if name is None or not (is_loopback(name) or name in names):
        return 403, (
            f"The control interface does not answer to the name {limits.brief(host)}. If it should, start the "
            "emulator with --allowed-host NAME (allowed_hosts in Python)."
        )
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return 403, "The control interface takes nothing from web pages of other sites (the header Origin)."
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method in ("POST", "PUT", "PATCH") and content_type != "application/json":
        return 415, "The control interface takes JSON only: send Content-Type: application/json."
    return None


def _name(host: str) -> str | None:
    """Return the name in a ``Host`` header, without its port; ``None`` if it cannot be read."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    name = parts.hostname
    if parts.netloc != host or parts.username is not None or not name:
        return None
    return name if _NAME.fullmatch(name) or _address(name) else None


def _checked(name: str) -> str:
    lower = name.lower()
    if _name(f"[{lower}]" if ":" in lower else lower) != lower:
        raise ValueError(f"An allowed host is a name without a port, such as emulator, but was {name!r}")
    return lower


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
