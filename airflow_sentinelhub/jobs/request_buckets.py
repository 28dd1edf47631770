"""Buckets in a request, and which of them lack the keys that the service needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
class BucketCredentials:
    """
    Credentials for buckets of one kind.

    :param kind: ``s3`` or ``gs``.
    :param fields: what is put beside the URL.
    :param region: region of S3 buckets, where the request names none.
    """

    kind: str
    fields: Mapping[str, str]
    region: str | None = None

    def __repr__(self) -> str:
        return f"<BucketCredentials {self.kind}: {', '.join(self.fields)}>"


def add_bucket_credentials(
    api: BatchApi, request: Mapping[str, Any], keys: BucketCredentials
) -> tuple[dict[str, Any], list[str], list[str]]:
    """
    Put keys beside every bucket of their kind that has none.

    :return: the request, a copy as far as it differs; where keys were put; where others are missing, as they are
        of another kind.
    """
    filled = dict(request)
    put, missing = [], []
    for path in _PLACES[api]:
        place = _place(filled, path)
        for kind, fields in _KEYS.items():
            storage = place.get(kind)
            if not isinstance(storage, dict) or any(storage.get(field) for field in fields):
                continue
            where = ".".join((*path, kind))
            if kind != keys.kind:
                missing.append(where)
                continue
            region = {"region": keys.region} if keys.region and not storage.get("region") else {}
            place[kind] = {**storage, **keys.fields, **region}
            put.append(where)
    return filled, put, missing


def _place(request: dict[str, Any], path: Iterable[str]) -> dict[str, Any]:
    """Return a place in a request; only what leads there is copied, as the rest may be a large geometry."""
    place = request
    for name in path:
        below = place.get(name)
        if not isinstance(below, dict):
            return {}
        place[name] = place = dict(below)
    return place
