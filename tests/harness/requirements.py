"""What some tests need that not every machine has, and how to get it: the reasons of skipped tests."""

from __future__ import annotations

BROWSER = "needs a browser: apt install chromium"
DOCS = "needs the extra docs: pip install '.[docs]'"
GIT_CLONE = "needs a git clone: what is published is what git tracks"
SENTINELHUB = "needs the extra sentinelhub: pip install '.[sentinelhub]'"
LAST_SENTINELHUB_WITH_MONITORS = (
    "needs the last sentinelhub with all six monitors: pip install sentinelhub==3.11.1"
)
OPENAPI_DOCUMENT = "needs Sentinel Hub's own OpenAPI document: set SENTINELHUB_OPENAPI to its path"


def airflow(version: str) -> str:
    """Return the reason for what needs at least this version of Airflow."""
    return f"needs Airflow >= {version}"
