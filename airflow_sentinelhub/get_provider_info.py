"""Provider metadata for Airflow. Every process of Airflow imports this module, so it imports nothing."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Describe the provider: its connection type with the form's fields, and its modules."""
    return {
        "package-name": "airflow-provider-sentinelhub",
        "name": "Sentinel Hub",
        "description": "Non-blocking waits for Sentinel Hub batch jobs (Planet Insights, Copernicus Data Space).",
        "integrations": [
            {
                "integration-name": "Sentinel Hub",
                "external-doc-url": "https://docs.sentinel-hub.com/api/latest/",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {"integration-name": "Sentinel Hub", "python-modules": ["airflow_sentinelhub.hooks.sentinelhub"]}
        ],
        "operators": [
            {
                "integration-name": "Sentinel Hub",
                "python-modules": ["airflow_sentinelhub.operators.batch", "airflow_sentinelhub.operators.tiles"],
            }
        ],
        "sensors": [
            {
                "integration-name": "Sentinel Hub",
                "python-modules": ["airflow_sentinelhub.sensors.batch", "airflow_sentinelhub.sensors.group"],
            }
        ],
        "triggers": [
            {
                "integration-name": "Sentinel Hub",
                "python-modules": [
                    "airflow_sentinelhub.triggers.batch",
                    "airflow_sentinelhub.triggers.event",
                    "airflow_sentinelhub.triggers.group",
                    "airflow_sentinelhub.triggers.pause",
                    "airflow_sentinelhub.triggers.run",
                ],
            }
        ],
        "extra-links": [
            "airflow_sentinelhub.links.batch.SentinelHubJobLink",
            "airflow_sentinelhub.links.batch.SentinelHubDeliveryLink",
        ],
        "connection-types": [
            {
                "connection-type": "sentinelhub",
                "hook-class-name": "airflow_sentinelhub.hooks.sentinelhub.SentinelHubHook",
                "hook-name": "Sentinel Hub",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "login": "Client ID",
                        "password": "Client secret",
                        "host": "Base URL",
                    },
                    "placeholders": {
                        "login": "id of an OAuth client (sh_client_id)",
                        "password": "its secret (sh_client_secret)",
                        "host": "empty: the deployment's own, such as https://services.sentinel-hub.com",
                        # Airflow 3.3.1 and 3.3.2 test no connection without a port (apache/airflow #73298).
                        "port": "empty; 443 if Test says that the port differs",
                    },
                },
                "conn-fields": {
                    "deployment": {
                        "label": "Deployment",
                        "description": (
                            "main: services.sentinel-hub.com (Planet Insights). us-west-2: its data in the US. "
                            "cdse: Copernicus Data Space. custom: base URL and authentication URL by hand."
                        ),
                        "schema": {
                            "type": ["string", "null"],
                            "enum": ["main", "us-west-2", "cdse", "custom"],
                            "default": "main",
                        },
                    },
                    # The name must not contain "token": Airflow masks the value of such a field everywhere.
                    "auth_url": {
                        "label": "Authentication URL",
                        "description": (
                            "Address that issues tokens (sh_token_url). Empty: the deployment's own. "
                            "An address here, or a base URL above, wins over the deployment's."
                        ),
                        "schema": {"type": ["string", "null"], "default": None},
                    },
                    "requests_per_minute": {
                        "label": "Requests per minute",
                        "description": (
                            "Most requests that one triggerer sends for this account in a minute. Divide your "
                            "account's limit by the number of triggerers. Empty: as many as the service accepts."
                        ),
                        "schema": {"type": ["integer", "null"], "minimum": 1, "default": None},
                    },
                    "dashboard_url": {
                        "label": "Dashboard URL",
                        "description": (
                            "Page that the link of a task leads to, with {id} in the place of the job's id. "
                            "Empty: the deployment's Requests Builder."
                        ),
                        "schema": {"type": ["string", "null"], "default": None},
                    },
                },
            }
        ],
    }
