"""Which ends count, and what is said of filters that cannot match."""

from __future__ import annotations

import uuid

import pytest

from airflow_sentinelhub.exceptions import InvalidRequestId
from airflow_sentinelhub.jobs import BatchApi, ListedJob, read_filter

JOB_ID = str(uuid.UUID(int=1))


def listed(api=BatchApi.PROCESS, *, status="DONE", job_id=JOB_ID, **fields):
    return ListedJob.from_payload(api, {"id": job_id, "status": status, **fields})


def described(text, **fields):
    return listed(request={"description": text}, **fields)


@pytest.mark.parametrize(
    ("given", "job", "matches"),
    [
        ({}, listed(), True),
        ({}, listed(status="FAILED"), True),
        ({"statuses": "DONE"}, listed(), True),
        ({"statuses": ["DONE", "STOPPED"]}, listed(status="FAILED"), False),
        ({"description": "ndvi"}, described("my ndvi of Crete [airflow dag=a]"), True),
        ({"description": "ndvi"}, described("NDVI of Crete"), False),
        ({"description": "ndvi"}, listed(), False),
        ({"description_pattern": "(?i)^ndvi"}, described("NDVI of Crete"), True),
        ({"description_pattern": r"of (Corsica|Sicily)$"}, described("NDVI of Crete"), False),
        ({"description": "NDVI", "description_pattern": "Crete"}, described("NDVI of Crete"), True),
        ({"description": "NDVI", "description_pattern": "Sicily"}, described("NDVI of Crete"), False),
        ({"description": "a.c"}, described("abc"), False),
        ({"request_ids": [JOB_ID.upper()]}, listed(), True),
        ({"request_ids": [{"id": JOB_ID}]}, listed(job_id=JOB_ID.upper()), True),
        ({"request_ids": JOB_ID}, listed(job_id=str(uuid.UUID(int=2))), False),
    ],
)
def test_matches(given, job, matches):
    assert read_filter(BatchApi.PROCESS, **given).matches(job) is matches


@pytest.mark.parametrize(
    ("api", "payload", "description"),
    [
        (BatchApi.PROCESS, {"request": {"description": "of Crete"}}, "of Crete"),
        (BatchApi.PROCESS_V1, {"description": "of Crete", "processRequest": {}}, "of Crete"),
        (BatchApi.PROCESS, {"request": {}}, ""),
        (BatchApi.PROCESS, {"request": None, "description": 5}, ""),
        (BatchApi.STATISTICAL, {"request": {"aggregation": {}}}, ""),
    ],
)
def test_where_the_description_is(api, payload, description):
    assert listed(api, **payload).description == description


def test_when_it_was_created():
    assert listed(created="1970-01-01T00:01:00.500000Z").created == 60.5
    assert listed().created is None
    assert listed(created="yesterday").created is None


@pytest.mark.parametrize(
    ("api", "given", "says"),
    [
        (
            "process",
            {"statuses": ["CANCELED"]},
            "CANCELED, in which no Batch Process job ends: take of DONE, ",
        ),
        ("process_v1", {"statuses": "STOPPED"}, "STOPPED, in which no Batch Process v1 job ends"),
        ("process", {"statuses": ["done"]}, "done, in which no"),
        ("process", {"statuses": []}, "statuses is empty"),
        ("process", {"statuses": ["PROCESSING", "DONE"]}, "PROCESSING, in which no"),
        ("statistical", {"description": "a"}, "Batch Statistical jobs have no description"),
        ("statistical", {"description_pattern": "a"}, "name the jobs with request_ids"),
        ("process", {"description": ""}, "a text that is not empty"),
        ("process", {"description": 5}, "it is 5"),
        ("process", {"description_pattern": "(a"}, "'(a' is no regular expression: missing )"),
        ("process", {"description_pattern": ""}, "must be a regular expression"),
        ("process", {"request_ids": []}, "request_ids is empty"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(api, given, says):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is looked at
        read_filter(BatchApi(api), **given)
    assert says in str(raised.value)


def test_an_id_that_is_none_is_refused():
    with pytest.raises(InvalidRequestId, match="number 2 of 2"):
        read_filter(BatchApi.PROCESS, request_ids=[JOB_ID, "tuesday"])


def test_statuses_have_one_order():
    one, other = (
        read_filter(BatchApi.PROCESS, statuses=each) for each in (("DONE", "FAILED"), ("FAILED", "DONE"))
    )
    assert one == other
