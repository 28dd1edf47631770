"""Addresses of the pages on which people look at a job and its results."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.web_urls import folder_page, job_page, jobs_page

S3 = "https://s3.console.aws.amazon.com/s3/buckets"
GS = "https://console.cloud.google.com/storage/browser"


@pytest.mark.parametrize(
    ("template", "of_one", "of_all"),
    [
        ("https://hub.example.org/jobs/{id}?tab=log", "https://hub.example.org/jobs/a%2Fb?tab=log", ""),
        ("https://hub.example.org/jobs", "https://hub.example.org/jobs", "https://hub.example.org/jobs"),
        ("", "", ""),
    ],
)
def test_pages_of_jobs(template, of_one, of_all):
    assert job_page(template, "a/b") == of_one
    assert jobs_page(template) == of_all


@pytest.mark.parametrize(
    ("folder", "page"),
    [
        ("s3://bucket/a b/c&d/", f"{S3}/bucket?prefix=a+b%2Fc%26d%2F"),
        ("s3://bucket", f"{S3}/bucket"),
        ("gs://bucket/a b/c", f"{GS}/bucket/a%20b/c"),
        ("gs://bucket", f"{GS}/bucket"),
        ("file:///tmp/results", ""),
        ("javascript://alert(1)", ""),
    ],
)
def test_pages_of_folders(folder, page):
    assert folder_page(folder) == page


def process(url, kind="raster", storage="s3"):
    return {"output": {"type": kind, "delivery": {storage: {"url": url}}}}


@pytest.mark.parametrize(
    ("api", "request_", "delivery"),
    [
        ("process", process("s3://b/x"), "s3://b/x/ID"),
        ("process", process("gs://b/x", storage="gs"), "gs://b/x/ID"),
        ("process", process("s3://b/<requestId>/<tileName>.tif"), "s3://b/ID"),
        ("process", process("s3://b/x/<tileName>.tif"), "s3://b/x"),
        ("process", process("s3://b/cube.zarr/", "zarr"), "s3://b/cube.zarr"),
        ("process", process("s3://key:secret@b/x"), "s3://b/x/ID"),
        ("statistical", {"output": {"s3": {"url": "s3://b/x"}}}, "s3://b/x/ID"),
        ("statistical", {"output": {"s3": {"url": "s3://b/<ID>.json"}}}, "s3://b"),
        ("process", {"output": {}}, None),
        ("process", None, None),
    ],
)
def test_the_folder_of_a_job(api, request_, delivery):
    job = BatchJob.from_payload(BatchApi(api), {"id": "ID", "request": request_})
    assert job.delivery == delivery
    assert BatchJob.from_payload(job.api, job.to_json(), delivery=job.delivery) == job, "it survives an event"
