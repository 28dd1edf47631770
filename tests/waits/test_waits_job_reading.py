"""What a service sends of one job is read by itself, and whatever is wrong with it is a value."""

from __future__ import annotations

from unittest import mock

import pytest

from airflow_sentinelhub.exceptions import InvalidPayload, ServiceUnavailable
from airflow_sentinelhub.jobs import BatchApi, BatchJob, ListedJob
from airflow_sentinelhub.waits.job_reading import (
    id_of,
    is_unreadable,
    of_everybody,
    of_the_job,
    read_job,
    read_listed,
)

API = BatchApi.PROCESS
JOB = {"id": "Job-1", "status": "DONE"}


@pytest.mark.parametrize("payload", [None, [], "text", 5, {}, {"id": None}, {"id": 5}, {"id": ""}])
def test_what_is_no_job_is_said_to_be_none(payload):
    assert isinstance(read_job(API, payload), InvalidPayload)
    assert isinstance(read_listed(API, payload), InvalidPayload)
    assert id_of(payload) == ""


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Invalid IPv6 URL"),
        RecursionError("too deep"),
        OverflowError("too large"),
        UnicodeError("half"),
        TypeError("no"),
        KeyError("x"),
        AttributeError("no"),
        ZeroDivisionError("no"),
    ],
)
def test_whatever_reading_raises_is_a_value_that_names_job_and_reason(error):
    with mock.patch.object(BatchJob, "from_payload", side_effect=error):
        for read in (read_job(API, JOB), read_listed(API, JOB)):
            assert isinstance(read, InvalidPayload)
            assert type(error).__name__ in str(read)
            assert read.job_id == "job-1"
            assert "Batch Process job job-1" in str(read)


def test_memory_that_is_used_up_is_no_trouble_of_a_job():
    with mock.patch.object(BatchJob, "from_payload", side_effect=MemoryError), pytest.raises(MemoryError):
        read_job(API, JOB)


def test_what_can_be_read():
    assert read_job(API, JOB, job_id="JOB-1").raw_status == "DONE"
    assert isinstance(read_listed(API, JOB), ListedJob)
    assert "answered with job Job-1" in str(read_job(API, JOB, job_id="another"))


def test_whose_trouble_it_is_is_said_by_the_kind():
    broken = ServiceUnavailable("broken JSON")
    assert not is_unreadable(broken)
    broken.unreadable = True
    assert is_unreadable(broken)
    assert type(of_the_job(broken)) is InvalidPayload
    assert of_everybody(broken) is broken
    assert type(of_everybody(InvalidPayload("no id"))) is ServiceUnavailable
