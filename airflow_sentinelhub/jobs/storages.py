"""Where a request names buckets, and which of them lack the keys that the service needs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_sentinelhub.jobs.api import BatchApi

# Sections 5.3 and 6.2. V1 has no keys in its requests: its buckets are opened by their own policy.
_PLACES: dict[BatchApi, tuple[tuple[str, ...], ...]] = {
    BatchApi.PROCESS: (("output", "delivery"), ("input", "features")),
    BatchApi.STATISTICAL: (("output",), ("input", "features"), ("aggregation", "evalscriptReference")),
    BatchApi.PROCESS_V1: (),
}
_KEYS = {"s3": ("iamRoleARN", "accessKey", "secretAccessKey"), "gs": ("credentials",)}


@dataclass(frozen=True, slots=True)
class StorageKeys:
    """
    What opens buckets of one kind.

    :param kind: ``s3`` or ``gs``.
    :param fields: what is put beside the URL.
    :param region: region of S3 buckets, where the request names none.
    """

    kind: str
    fields: Mapping[str, str]
    region: str | None = None

    def __repr__(self) -> str:
        return f"<StorageKeys {self.kind}: {', '.join(self.fields)}>"


def open_storages(
    api: BatchApi, request: Mapping[str, Any], keys: StorageKeys
) -> tuple[dict[str, Any], list[str], list[str]]:
    """
    Put keys beside every bucket of their kind that has none.

    :return: a copy of the request; where keys were put; where others are missing, as they are of another kind.
    """
    filled = copy.deepcopy(dict(request))
    put, missing = [], []
    for path in _PLACES[api]:
        place: Any = filled
        for name in path:
            place = place.get(name) if isinstance(place, dict) else None
        for kind, fields in _KEYS.items():
            storage = place.get(kind) if isinstance(place, dict) else None
            if not isinstance(storage, dict) or any(storage.get(field) for field in fields):
                continue
            where = ".".join((*path, kind))
            if kind != keys.kind:
                missing.append(where)
                continue
            storage |= keys.fields
            if keys.region and not storage.get("region"):
                storage["region"] = keys.region
            put.append(where)
    return filled, put, missing
