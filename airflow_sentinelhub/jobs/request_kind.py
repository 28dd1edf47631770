"""Kind of a request: the API that it is for, by the fields that only one has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_sentinelhub.jobs.api import BatchApi

_MARKS = {
    BatchApi.STATISTICAL: "aggregation",
    BatchApi.PROCESS_V1: "tilingGrid",
    BatchApi.PROCESS: "processRequest",
}


def mismatch(api: BatchApi, request: Mapping[str, Any]) -> str | None:
    """
    Return why a request is surely not for an API, as a sentence; ``None``: it may be.

    :param api: the API.
    :param request: the body.
    """
    kind = next((kind for kind, field in _MARKS.items() if field in request), None)
    # A field that another API knows too decides nothing; what is wrong with the rest the service says.
    if kind is None or kind is api or _MARKS[api] in request:
        return None
    if kind is BatchApi.PROCESS and api is BatchApi.PROCESS_V1:
        return None
    return (
        f"request is one of {kind.display_name} (it has {_MARKS[kind]!r}), but this task makes a job of "
        f"{api.display_name}: give it api='{kind}'"
    )
