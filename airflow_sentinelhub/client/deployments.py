"""The deployments of Sentinel Hub that can be chosen by name."""

from __future__ import annotations

from dataclasses import dataclass

_MAIN_AUTH_URL = "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token"

CUSTOM = "custom"
"""Name of a deployment whose addresses are all given by hand."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """
    Where a deployment is.

    :param name: how the connection names it.
    :param base_url: address of its APIs.
    :param auth_url: where its tokens come from.
    """

    name: str
    base_url: str
    auth_url: str


DEPLOYMENTS = {
    deployment.name: deployment
    for deployment in (
        Deployment("main", "https://services.sentinel-hub.com", _MAIN_AUTH_URL),
        # Tokens for us-west-2 come from the main deployment.
        Deployment("us-west-2", "https://services-uswest2.sentinel-hub.com", _MAIN_AUTH_URL),
        Deployment(
            "cdse",
            "https://sh.dataspace.copernicus.eu",
            "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",
        ),
    )
}
"""The presets, by name."""
