"""Reading what the service says never fails on a detail, and keeps no secret."""

from __future__ import annotations

import json

import pytest

from airflow_sentinelhub.exceptions import InvalidPayload
from airflow_sentinelhub.jobs import BatchApi, BatchJob, JobStatus, UserAction, tiles_by_status

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
FINISHED = {
    "id": JOB_ID,
    "request": {"output": {"delivery": {"s3": {"accessKey": "AKIA", "secretAccessKey": "S3CRET"}}}},
    "domainAccountId": "e024f6e1-0000-4000-8000-000000000000",
    "projectId": "ffe4e816-0000-4000-8000-000000000000",
    "status": "DONE",
    "userAction": "START",
    "userActionUpdated": "2025-08-14T14:02:47.848281Z",
    "created": "2021-08-17T12:02:12.306339Z",
    "completionPercentage": 100,
    "lastUpdated": "2025-08-14T14:30:46.716642Z",
    "costPU": 9006.923884650554,
}


def test_a_finished_job():
    job = BatchJob.from_payload(BatchApi.PROCESS, FINISHED)
    assert job.status is JobStatus.DONE
    assert job.user_action is UserAction.START
    assert job.completion_percentage == 100
    assert job.cost_pu == pytest.approx(9006.92, abs=0.01)
    assert job.to_json() == {key: value for key, value in FINISHED.items() if key != "request"}
    assert job.label == f"Batch Process job {JOB_ID}"


@pytest.mark.parametrize("field", [name for name in FINISHED if name != "id"])
@pytest.mark.parametrize("value", [None, "missing", [], {}, "nonsense", 7, True, float("nan")])
def test_any_field_may_be_missing_null_or_odd(field, value):
    payload = {**FINISHED, field: value}
    if value == "missing":
        del payload[field]
    job = BatchJob.from_payload(BatchApi.PROCESS, payload)
    assert job.id == JOB_ID
    json.dumps(job.to_json(), allow_nan=False)


@pytest.mark.parametrize("api", BatchApi)
@pytest.mark.parametrize("spelling", ["costPU", "costPu", "costpu", "cost_pu"])
def test_cost_is_read_in_either_spelling_and_given_in_one(api, spelling):
    job = BatchJob.from_payload(api, {"id": JOB_ID, spelling: 6.03})
    assert job.cost_pu == 6.03
    assert job.to_json() == {"id": JOB_ID, "costPU": 6.03}


def test_a_truth_value_is_no_number():
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID, "completionPercentage": True, "costPU": True})
    assert (job.completion_percentage, job.cost_pu) == (None, None)


def test_a_null_cost_does_not_hide_the_other_spelling():
    assert BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID, "costPU": None, "costPu": 2}).cost_pu == 2


@pytest.mark.parametrize(
    ("light", "payload", "action"),
    [
        (False, {}, UserAction.NONE),
        (False, {"userAction": None}, UserAction.NONE),
        (False, {"userAction": "start"}, UserAction.START),
        (False, {"userAction": "RESTART"}, None),
        (True, {}, None),
    ],
)
def test_user_action(light, payload, action):
    job = BatchJob.from_payload(BatchApi.STATISTICAL, {"id": JOB_ID, **payload}, status_only=light)
    assert job.user_action is action


@pytest.mark.parametrize(
    ("word", "status"),
    [("done", JobStatus.DONE), (" DONE ", JobStatus.DONE), ("PAUSED", None), (None, None), (5, None)],
)
def test_status_words(word, status):
    assert BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID, "status": word}).status is status


@pytest.mark.parametrize("payload", [None, [], "DONE", 7, {}, {"id": None}, {"id": ""}, {"id": 5}])
def test_what_cannot_be_a_job_is_a_clear_error(payload):
    with pytest.raises(InvalidPayload, match="Batch Statistical sent"):
        BatchJob.from_payload(BatchApi.STATISTICAL, payload)


def test_neither_request_nor_keys_are_kept():
    payload = {
        **FINISHED,
        "processRequest": {"evalscript": "//VERSION=3"},
        "output": {"delivery": [{"s3": {"url": "s3://bucket", "accessKey": "AKIA", "secretAccessKey": "S3CRET"}}]},
        "gs": {"credentials": "base64=="},
    }
    payload["output"]["copies"] = [{"AccessKey": "AKIA", "sessionToken": "S3CRET", "credentials": ""}]
    payload["error"] = {"code": "X", "details": {"secretAccessKey": "S3CRET"}}
    job = BatchJob.from_payload(BatchApi.PROCESS_V1, payload)
    kept = json.dumps(job.to_json()) + repr(job)
    for secret in ("AKIA", "S3CRET", "base64", "VERSION"):
        assert secret not in kept
    assert job.to_json()["output"]["copies"][0]["credentials"] == "", "nothing is hidden where nothing is"
    assert job.to_json()["output"]["delivery"][0]["s3"]["url"] == "s3://bucket"


def test_tiles_by_status_has_all_statuses_as_keys():
    tiles = [
        {"id": 1, "status": "PROCESSED", "geometry": {"type": "Polygon"}, "origin": {}, "cost": 1.5},
        {"id": 2, "status": "FAILED"},
        {"id": 3, "status": "EVAPORATED"},
    ]
    assert tiles_by_status(tiles) == {
        "PENDING": [],
        "SCHEDULED": [],
        "QUEUED": [],
        "PROCESSING": [],
        "PROCESSED": [{"id": 1, "status": "PROCESSED", "cost": 1.5}],
        "FAILED": [{"id": 2, "status": "FAILED"}],
        "EVAPORATED": [{"id": 3, "status": "EVAPORATED"}],
    }
    assert tiles_by_status(tiles, include_geometry=True)["PROCESSED"] == [tiles[0]]
    assert type(tiles_by_status([])) is dict
