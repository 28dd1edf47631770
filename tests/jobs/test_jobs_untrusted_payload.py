"""Whatever a service says of a job, a tile or a feature harms nobody: it is read or refused, and can be stored."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_sentinelhub.exceptions import InvalidPayload, ResultsUnavailable
from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    FeatureCounts,
    ListedJob,
    Outcome,
    Verdict,
    WaitGoal,
    WaitPolicy,
    WaitState,
    evaluate,
    tiles_by_status,
    wait_messages,
)
from airflow_sentinelhub.jobs.action_messages import now_is
from airflow_sentinelhub.jobs.creation_tag import tag_of
from airflow_sentinelhub.jobs.delivery import delivery_folder, delivery_of, result_files
from airflow_sentinelhub.jobs.feature_counts import read_tile
from airflow_sentinelhub.jobs.feature_statistics import read_statistics
from airflow_sentinelhub.jobs.plain_text import LONGEST_LINE
from airflow_sentinelhub.jobs.web_urls import folder_page, job_page
from tests.harness.cost import growth
from tests.jobs.anything import all_encoders_take, anything, is_one_line, objects, texts

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
POLICY = WaitPolicy(poke_interval=60, analysis_poke_interval=60)
deliveries = st.builds(
    lambda output, place: {"output": {**output, "s3": place, "delivery": {"s3": place}}},
    objects("type"),
    st.fixed_dictionaries({"url": texts | anything}),
)
jobs = st.builds(
    lambda payload, request: {"id": JOB_ID, **payload, "request": request},
    objects(
        "id",
        "status",
        "userAction",
        "userActionUpdated",
        "completionPercentage",
        "costPU",
        "costPu",
        "lastUpdated",
        "created",
        "description",
        "stoppedStatusReason",
        "error",
        "tileCount",
        "processRequest",
    ),
    anything | deliveries | objects("description", "output", "aggregation"),
)


@given(st.sampled_from(BatchApi), anything | jobs)
def test_a_job_is_read_or_refused(api, payload):
    try:
        listed = ListedJob.from_payload(api, payload) if isinstance(payload, dict) else None
        job = BatchJob.from_payload(api, payload)
    except InvalidPayload as error:
        is_one_line(str(error), LONGEST_LINE)
        return
    assert listed is not None
    assert listed.job == job
    listed.description.encode()
    tag_of(payload)
    all_encoders_take(job.to_json())
    for text in (job.id, job.raw_status, job.user_action_updated, job.last_updated, job.stopped_reason, job.error):
        is_one_line(text or "", LONGEST_LINE)
    is_one_line(job.delivery or "", 3000)
    job_page("https://x/{id}", job.id).encode()
    folder_page(job.delivery or "").encode()
    for text in (
        job.label,
        wait_messages.failed(job),
        wait_messages.stopped(job),
        wait_messages.unknown_status(job),
        now_is(job),
    ):
        for line in text.splitlines():
            is_one_line(line, 5000)
        assert len(text.splitlines()) < 4, "what the service says makes no lines of its own"
    is_one_line(job.description, 40)
    verdict, _ = evaluate(job, WaitGoal.COMPLETION, POLICY, 0.0, WaitState())
    event = Verdict(Outcome.FAILED, api, job.id, wait_messages.failed(job), job, job.error).to_json()
    all_encoders_take([event, verdict.to_json()])
    again = Verdict.from_json(json.loads(json.dumps(event)))
    assert again.job is not None
    assert again.job.to_json() == job.to_json()
    assert str(again.exception()) == wait_messages.failed(job)


@given(objects("id", "status", "geometry", "error", "failed_intervals", "name"), st.booleans())
def test_a_tile_is_read(tile, include_geometry):
    status, kept = read_tile(tile, include_geometry=include_geometry)
    is_one_line(status, 100)
    all_encoders_take(kept)
    all_encoders_take(tiles_by_status([tile], include_geometry=include_geometry))
    tally = FeatureCounts(BatchApi.PROCESS_V1)
    tally.add(status, kept)
    for line in (tally.as_text(), *tally.errors(10)):
        is_one_line(line, 1000)


interval = objects("interval", "error") | st.fixed_dictionaries(
    {"interval": objects("from", "to"), "error": anything}
)
response = objects("status", "data") | st.fixed_dictionaries({"data": st.lists(interval)})


@given(anything | objects("id", "identifier", "error", "response") | st.fixed_dictionaries({"response": response}))
def test_a_result_file_is_read(content):
    status, record = read_statistics(content)
    is_one_line(status, 100)
    all_encoders_take(record)
    tally = FeatureCounts(BatchApi.STATISTICAL)
    tally.add(status, record)
    for line in tally.errors(10):
        is_one_line(line, 1000)


@pytest.mark.parametrize(
    "url",
    [
        "s3://[bucket/x",
        "s3://a\u2100b/x",
        "s3://b]/x",
        "s3://b/\ud83d",
        "s3://b/\x00",
        "s3://b/\n::group::",
        "s3://b/" + "x" * 3000,
        "b/x",
        "",
        5,
        {"a": 1},
    ],
)
@pytest.mark.parametrize("api", [BatchApi.PROCESS, BatchApi.STATISTICAL])
def test_a_url_that_cannot_be_read_harms_nothing_but_itself(api, url):
    place = {"s3": {"url": url}}
    payload = {"id": JOB_ID, "status": "DONE", "request": {"output": {**place, "delivery": place}}}
    job = BatchJob.from_payload(api, payload)
    assert (job.raw_status, job.delivery) == ("DONE", None)
    with pytest.raises(ResultsUnavailable, match=r"holds .*s3.*, and no URL") as failure:
        delivery_of(api, JOB_ID, payload)
    is_one_line(str(failure.value), 2000)


@pytest.mark.parametrize("url", ["s3://b/x", "s3://b/<1>/<ID>", "s3://b/<A><B><C><D><E>", "s3://b/<REQUEST_ID>"])
def test_any_template_has_a_folder(url):
    payload = {"request": {"output": {"s3": {"url": url}}}}
    assert (delivery_folder(BatchApi.STATISTICAL, JOB_ID, payload) or "").startswith("s3://b")


def test_a_template_with_too_many_placeholders_is_refused_where_results_are_read():
    delivery = delivery_of(
        BatchApi.STATISTICAL, JOB_ID, {"request": {"output": {"s3": {"url": "s3://b/<A><B><C><D>"}}}}
    )
    with pytest.raises(ResultsUnavailable, match="4 different placeholders"):
        result_files(delivery, JOB_ID)


def test_a_placeholder_that_is_no_name_of_a_group():
    delivery = delivery_of(
        BatchApi.STATISTICAL, JOB_ID, {"request": {"output": {"s3": {"url": "s3://b/<1>-<1>/<ID>"}}}}
    )
    names = result_files(delivery, JOB_ID).names
    assert names.fullmatch("a-a/5")["ID"] == "5"
    assert names.fullmatch("a-b/5") is None


@pytest.mark.parametrize(
    "job_id",
    ["x" * 101, "a\nb", "\x1b", "cut \ud83d", "", None, 5, ["a"], "client_secret=x", "Bearer 0123456"],
)  # fmt: skip
def test_an_id_that_cannot_be_one(job_id):
    with pytest.raises(InvalidPayload, match="sent a job with") as failure:
        BatchJob.from_payload(BatchApi.PROCESS, {"id": job_id})
    assert len(str(failure.value)) < 100


@pytest.mark.parametrize("job_id", [JOB_ID, JOB_ID.upper(), "1", "job 7", "Größe", "x" * 100])
def test_an_id_that_can_be_one(job_id):
    assert BatchJob.from_payload(BatchApi.PROCESS, {"id": job_id}).id == job_id


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        ({"tileCount": 18446744073709551616}, {"tileCount": "18446744073709551616"}),
        ({"costPU": 10**400, "cost_pu": 3}, {"costPU": 3}),
        ({"completionPercentage": float("inf")}, {"completionPercentage": "Infinity"}),
        ({"error": "cut \ud83d"}, {"error": "cut \ufffd"}),
        ({"\ud83d\x00": 1}, {"\ufffd\ufffd": 1}),
        ({"error": "two\nlines\tof\x1b text"}, {"error": "two\nlines\tof\ufffd text"}),
    ],
)
def test_what_is_kept_of_a_job(payload, kept):
    assert BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID, **payload}).to_json() == {"id": JOB_ID, **kept}


SECRETS = [
    "secretAccessKey: hush/42",
    "client_secret=hush42&x",
    "Bearer hush-42-hush",
    "https://b.s3.amazonaws.com/k?X-Amz-Signature=hush42",
    "https://storage.googleapis.com/k?X-Goog-Signature=hush42",
    "https://a.blob.core.windows.net/k?sig=hush42",
    "{'sessionToken': 'hush42'}",
    "https://me:hush42@host/x",
    "eyJhbGciOiJIUzI1NiJ9.eyJodXNoIjo0Mn0.hush42",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("field", ["error", "stoppedStatusReason", "description", "status", "new", "lastUpdated"])
@pytest.mark.parametrize("nest", [lambda text: text, lambda text: {"message": text}, lambda text: [[{"a": text}]]])
def test_no_secret_in_what_a_job_says(secret, field, nest):
    job = BatchJob.from_payload(BatchApi.PROCESS_V1, {"id": JOB_ID, "status": "FAILED", field: nest(secret)})
    shown = f"{job!r} {job.to_json()} {wait_messages.failed(job)} {wait_messages.stopped(job)} {now_is(job)}"
    assert "hush" not in shown


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_in_what_a_tile_or_a_feature_says(secret):
    assert "hush" not in str(read_tile({"id": 1, "status": secret, "error": {"x": [secret]}, "name": secret}))
    failed = {"interval": {"from": secret}, "error": {"type": "X", "message": secret}}
    assert "hush" not in str(read_statistics({"id": 1, "error": secret, "identifier": secret}))
    assert "hush" not in str(read_statistics({"response": {"data": [failed], "status": secret}}))


def test_texts_are_bounded():
    huge = "x" * 10**6
    payload = {
        "id": JOB_ID,
        "first": [huge] * 2000,
        **dict.fromkeys(("status", "error", "lastUpdated"), huge),
    }
    job = BatchJob.from_payload(BatchApi.PROCESS, payload)
    assert len(json.dumps(job.to_json())) < 1_200_000
    assert len(repr(job)) < 2000
    assert len(now_is(job)) < 400
    assert len(wait_messages.failed(job)) < 1300
    assert job.to_json()["id"] == JOB_ID, "what the event is read by is there, wherever it was"


def test_statuses_without_end_are_counted_as_one():
    tally = FeatureCounts(BatchApi.PROCESS_V1)
    for number in range(1000):
        tally.add(f"STATUS {number}", {})
    assert tally.total == 1000
    assert len(tally.as_text()) < 1000
    assert re.search(r"\d+ UNKNOWN", tally.as_text())


@pytest.mark.parametrize("piece", ["eyJ-", "<h1>", "<", "=", "[airflow dag=", "[airflow dag=x run=", "<a"])
def test_the_cost_of_reading_a_job_grows_with_its_length_only(piece):
    def read(text: str) -> None:
        place = {"s3": {"url": f"s3://{text}"}}
        payload = {
            "id": JOB_ID,
            "error": text,
            "description": text,
            "request": {"output": place, "description": text},
        }
        BatchJob.from_payload(BatchApi.STATISTICAL, payload)
        tag_of(payload)

    assert growth(read, lambda size: (piece * size)[:size], 25_000) < 9


@pytest.mark.parametrize("job_id", [".", "..", "...", "../x", "a/b", "a\\b"])
def test_an_id_that_would_lead_elsewhere_is_none(job_id):
    with pytest.raises(InvalidPayload):
        BatchJob.from_payload(BatchApi.PROCESS, {"id": job_id, "status": "DONE"})
