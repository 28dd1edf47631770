"""Where keys are put into a request, as a table."""

from __future__ import annotations

import copy

import pytest

from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.request_buckets import BucketCredentials, add_bucket_credentials

KEYS = {"accessKey": "the-key", "secretAccessKey": "the-secret"}
S3 = BucketCredentials("s3", KEYS, "eu-central-1")
ROLE = BucketCredentials("s3", {"iamRoleARN": "arn:x"})
GS = BucketCredentials("gs", {"credentials": "the-credentials"})
V2, STAT, V1 = BatchApi.PROCESS, BatchApi.STATISTICAL, BatchApi.PROCESS_V1


def at(path, storage):
    for name in reversed(path.split(".")):
        storage = {name: storage}
    return storage


@pytest.mark.parametrize(
    ("api", "path", "keys", "before", "after"),
    [
        (V2, "output.delivery.s3", S3, {"url": "u"}, {"url": "u", **KEYS, "region": "eu-central-1"}),
        (V2, "output.delivery.s3", S3, {"url": "u", "region": "r"}, {"url": "u", **KEYS, "region": "r"}),
        (V2, "output.delivery.s3", ROLE, {"url": "u"}, {"url": "u", "iamRoleARN": "arn:x"}),
        (V2, "output.delivery.s3", S3, {"url": "u", "iamRoleARN": "arn:y"}, None),
        (V2, "output.delivery.s3", S3, {"url": "u", "accessKey": "own", "secretAccessKey": "own"}, None),
        (V2, "output.delivery.gs", GS, {"url": "u"}, {"url": "u", "credentials": "the-credentials"}),
        (V2, "input.features.s3", ROLE, {"url": "u"}, {"url": "u", "iamRoleARN": "arn:x"}),
        (STAT, "output.s3", ROLE, {"url": "u"}, {"url": "u", "iamRoleARN": "arn:x"}),
        (STAT, "input.features.s3", ROLE, {"url": "u"}, {"url": "u", "iamRoleARN": "arn:x"}),
        (STAT, "aggregation.evalscriptReference.s3", ROLE, {"url": "u"}, {"url": "u", "iamRoleARN": "arn:x"}),
        (V1, "output.delivery.s3", ROLE, {"url": "u"}, None),
        (V2, "processRequest.output.delivery.s3", ROLE, {"url": "u"}, None),
        (V2, "output.delivery.s3", ROLE, "text", None),
    ],
)
def test_keys_are_put_where_there_are_none(api, path, keys, before, after):
    request = at(path, before)
    given = copy.deepcopy(request)
    filled, put, missing = add_bucket_credentials(api, request, keys)
    assert filled == at(path, before if after is None else after)
    assert (put, missing) == ([] if after is None else [path], [])
    assert request == given, "the user's own is not touched"


def test_a_bucket_of_another_kind_is_reported():
    request = {"input": at("features.s3", {"url": "u"}), "output": at("delivery.gs", {"url": "u"})}
    filled, put, missing = add_bucket_credentials(V2, request, GS)
    assert (put, missing) == (["output.delivery.gs"], ["input.features.s3"])
    assert filled["input"] == request["input"]


def test_the_keys_are_not_shown():
    assert "the-" not in repr(S3) + repr(GS)
