"""The deployments of Sentinel Hub that can be chosen by name."""

from __future__ import annotations

from dataclasses import dataclass

_MAIN_AUTH_URL = "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token"
# It lists an account's batch requests; which of its modes is shown is not part of its address.
_MAIN_DASHBOARD_URL = "https://apps.sentinel-hub.com/requests-builder/"

CUSTOM = "custom"
"""Name of a deployment whose addresses are all given by hand."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """
    Addresses of a deployment.

    :param name: how the connection names it.
    :param title: how people name it.
    :param base_url: address of its APIs.
    :param auth_url: where its tokens come from.
    :param dashboard_url: the page nearest to a job of its web applications, none of which has one for each job.
    """

    name: str
    title: str
    base_url: str
    auth_url: str
    dashboard_url: str


DEPLOYMENTS = {
    deployment.name: deployment
    for deployment in (
        Deployment(
            "main",
            "Planet Insights",
            "https://services.sentinel-hub.com",
            _MAIN_AUTH_URL,
            _MAIN_DASHBOARD_URL,
        ),
        # Its tokens and its web applications are those of the main deployment.
        Deployment(
            "us-west-2",
            "Planet Insights in us-west-2",
            "https://services-uswest2.sentinel-hub.com",
            _MAIN_AUTH_URL,
            _MAIN_DASHBOARD_URL,
        ),
        Deployment(
            "cdse",
            "Copernicus Data Space",
            "https://sh.dataspace.copernicus.eu",
            "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",
            "https://shapps.dataspace.copernicus.eu/requests-builder/",
        ),
    )
}
"""The presets, by name."""


def deployment_at(base_url: str) -> Deployment | None:
    """Find the deployment that a base URL belongs to."""
    return next((each for each in DEPLOYMENTS.values() if each.base_url == base_url), None)
