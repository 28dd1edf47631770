"""The tag that a job carries: made, put into a request, and found again in what the service shows."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.emulator.sample_requests import sample_request
from airflow_sentinelhub.exceptions import InvalidRequest
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.creation_tag import (
    LONGEST_EVALSCRIPT,
    CreationTag,
    deployment_id,
    request_digest,
    tag_of,
    with_tag,
)

TAG = CreationTag("a_dag", "manual__2026-01-01T00:00:00+00:00", "create", 3, "ab12cd", "0123456789ab")
TEXT = "[airflow dag=a_dag run=manual__2026-01-01T00:00:00+00:00 task=create map=3 at=ab12cd request=0123456789ab]"


def shown(api, request):
    """A job as the service shows it (sections 4.2, 5.2, 6.2)."""
    return {"id": "x", **request} if api is BatchApi.PROCESS_V1 else {"id": "x", "request": request}


def test_people_can_read_it():
    assert str(TAG) == TEXT


@pytest.mark.parametrize("api", list(BatchApi))
def test_it_travels_and_is_found(api):
    request = sample_request(api)
    body, untagged = with_tag(api, request, TAG)
    assert untagged is None
    assert tag_of(shown(api, body)) == TAG
    assert request == sample_request(api), "the user's own is not touched"


@pytest.mark.parametrize(
    ("own", "sent"),
    [("Max NDVI", f"Max NDVI {TEXT}"), ("", TEXT), (None, TEXT), ("[x] 100 %", f"[x] 100 % {TEXT}")],
)
def test_the_users_description_is_kept(own, sent):
    assert with_tag(BatchApi.PROCESS, {"description": own}, TAG)[0]["description"] == sent


def test_of_an_evalscript_it_is_the_last_line():
    request = {"aggregation": {"evalscript": "//VERSION=3\nfunction f() {}\n", "resx": 10}, "input": {}}
    body, _ = with_tag(BatchApi.STATISTICAL, request, TAG)
    assert body["aggregation"] == {"evalscript": f"//VERSION=3\nfunction f() {{}}\n// {TEXT}\n", "resx": 10}
    assert "description" not in body


@pytest.mark.parametrize(
    ("aggregation", "why"),
    [
        ({"evalscriptReference": {"s3": {"url": "s3://b/e.js"}}}, "evalscriptReference"),
        ({"evalscript": "x" * (LONGEST_EVALSCRIPT - 50)}, "32 KB"),
        ({"evalscript": "é" * (LONGEST_EVALSCRIPT // 2 - 50)}, "32 KB"),
        (None, "evalscriptReference"),
    ],
)
def test_what_cannot_carry_it_is_left_and_says_why(aggregation, why):
    request = {"aggregation": aggregation}
    body, untagged = with_tag(BatchApi.STATISTICAL, request, TAG)
    assert body == request
    assert why in untagged


@pytest.mark.parametrize(
    "odd",
    [
        "a b",
        "a]b",
        "x request=ffffffffffff]",
        "täsk",
        'q"uote',
        "line\nbreak",
        "100%",
        "task=2",
        "*/",
        "a=b map=4",
    ],
)
@pytest.mark.parametrize("field", ["dag_id", "run_id", "task_id"])
def test_odd_names_survive(field, odd):
    parts = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "site": "-", "digest": "0" * 12}
    tag = CreationTag(**{**parts, field: odd})
    assert tag_of({"description": str(tag)}) == tag
    assert "\n" not in str(tag)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"request": None, "description": None},
        {"request": "text"},
        {"request": {"description": 7, "aggregation": []}},
        {"request": {"description": "[airflow] dag=a"}},
        {"description": TEXT.replace("request=0123456789ab", "request=")},
        {"error": TEXT},
    ],
)
def test_no_tag(payload):
    assert tag_of(payload) is None


def test_of_two_tags_the_last_one_is_the_jobs():
    other = TEXT.replace("task=create", "task=other")
    assert tag_of({"description": f"again: {other} {TEXT}"}) == TAG


REQUEST = {"output": {"delivery": {"s3": {"url": "s3://b", "accessKey": "A", "secretAccessKey": "S"}}}, "n": 1}


@pytest.mark.parametrize(
    ("request_", "same"),
    [
        (
            {"n": 1, "output": {"delivery": {"s3": {"secretAccessKey": "T", "accessKey": "B", "url": "s3://b"}}}},
            True,
        ),
        ({"n": 1, "output": {"delivery": {"s3": {"url": "s3://b"}}}}, True),
        ({**REQUEST, "description": "another"}, True),
        ({**REQUEST, "n": 2}, False),
        ({"n": 1, "output": {"delivery": {"s3": {"url": "s3://c"}}}}, False),
        ({"n": 1, "output": {"delivery": {"gs": {"url": "s3://b", "credentials": "x"}}}}, False),
    ],
)
def test_the_digest_covers_what_the_job_does(request_, same):
    assert (request_digest(request_) == request_digest(REQUEST)) is same


@pytest.mark.parametrize("value", [object(), float("nan"), {1}])
def test_what_is_no_json_has_no_digest(value):
    with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
        request_digest({"when": value})


def test_tasks():
    assert TAG.of_same_task(CreationTag(*TAG._task, digest="f" * 12))
    for field, value in (("dag_id", "x"), ("run_id", "x"), ("task_id", "x"), ("map_index", 4), ("site", "-")):
        parts = {name: getattr(TAG, name) for name in CreationTag.__slots__}
        assert not TAG.of_same_task(CreationTag(**{**parts, field: value})), field
    assert (
        deployment_id("https://airflow.example.org")
        != deployment_id("https://staging.example.org")
        != deployment_id("")
    )
