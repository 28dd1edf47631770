"""Where the files of a job are: the rule of sections 5.5 and 6.4, as tables."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.exceptions import ResultsUnavailable
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.jobs.delivery import (
    Delivery,
    delivery_folder,
    delivery_of,
    execution_databases,
    result_files,
)

ID = "0a1b2c3d-0000-4000-8000-000000000000"
FILE = f"execution-{ID}.sqlite"


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("s3://b/x", f"s3://b/x/{ID}"),
        ("s3://b/x/", f"s3://b/x/{ID}"),
        ("s3://b", f"s3://b/{ID}"),
        ("s3://b/x/s1/<tileName>/a_<outputId>.<format>", "s3://b/x/s1"),
        ("s3://b/x/s1/a_<tileName>_<outputId>.<format>", "s3://b/x/s1"),
        ("s3://b/<tileName>.<format>", "s3://b"),
        ("s3://b/x/<requestId>/<tileName>/<outputId>.tif", f"s3://b/x/{ID}"),
        ("s3://b/x/<requestId>/deep/<tileName>/<outputId>.tif", f"s3://b/x/{ID}/deep"),
        ("s3://b/x/job-<requestId>/<tileName>.tif", f"s3://b/x/job-{ID}"),
        ("s3://b/<tileName>/<requestId>/<outputId>.tif", "s3://b"),
        ("s3://b/x/<requestId>", f"s3://b/x/{ID}"),
        ("s3://b/x/<somethingNew>/<tileName>.tif", "s3://b/x"),
        ("gs://b/x", f"gs://b/x/{ID}"),
        ("file:///tmp/x", f"file:///tmp/x/{ID}"),
    ],
)
def test_the_execution_database(url, folder):
    assert execution_databases(Delivery(url), ID) == (f"{folder}/{FILE}",)


@pytest.mark.parametrize(
    ("url", "folders"),
    [
        ("s3://b/store.zarr", [f"s3://b/store.zarr/{ID}", "s3://b/store.zarr"]),
        ("s3://b/<requestId>/store.zarr", [f"s3://b/{ID}/store.zarr"]),
    ],
)
def test_the_execution_database_of_a_zarr_store(url, folders):
    assert list(execution_databases(Delivery(url, is_zarr=True), ID)) == [f"{each}/{FILE}" for each in folders]


@pytest.mark.parametrize(
    ("url", "folder", "files", "others", "shared"),
    [
        ("s3://b/x", f"s3://b/x/{ID}", {"1.json": ("1", None)}, ["a.json", "1.json.gz", "d/1.json"], False),
        ("s3://b/x/<ID>.json", "s3://b/x", {"-7.json": ("-7", None)}, ["x.json"], True),
        (
            "s3://b/<REQUEST_ID>/<IDENTIFIER>/s-<ID>.json",
            f"s3://b/{ID}",
            {"a b/s-3.json": ("3", "a b"), "a/b/s-3.json": ("3", "a/b")},
            ["a/s-.json", "/s-3.json"],
            False,
        ),
        (
            "s3://b/<ID>/<REQUEST_ID>/<ID>",
            "s3://b",
            {f"4/{ID}/4": ("4", None)},
            [f"4/{ID}/5", "4/another/4"],
            False,
        ),
        ("s3://b/a+b/(<IDENTIFIER>).json", "s3://b/a+b", {"(x).json": (None, "x")}, ["x.json", "(x)-json"], True),
    ],
)
def test_the_result_files(url, folder, files, others, shared):
    found = result_files(Delivery(url), ID)
    assert (found.folder, found.shared) == (folder, shared)
    for name, (number, identifier) in files.items():
        groups = found.names.fullmatch(name).groupdict()
        assert (groups.get("ID"), groups.get("IDENTIFIER")) == (number, identifier)
    assert [name for name in others if found.names.fullmatch(name)] == []


S3 = {"s3": {"url": "s3://b/x", "accessKey": "*****"}}


@pytest.mark.parametrize(
    ("api", "output", "expected"),
    [
        (BatchApi.PROCESS, {"type": "raster", "delivery": S3}, Delivery("s3://b/x")),
        (BatchApi.PROCESS, {"type": "zarr", "delivery": S3}, Delivery("s3://b/x", is_zarr=True)),
        (BatchApi.PROCESS, {"delivery": {"gs": {"url": "gs://b"}}}, Delivery("gs://b")),
        (BatchApi.PROCESS, {"delivery": {"new": {"url": "az://b"}}}, Delivery("az://b")),
        (BatchApi.STATISTICAL, S3, Delivery("s3://b/x")),
        (BatchApi.STATISTICAL, {"s3": {"url": "s3://key:hush@b/x"}}, Delivery("s3://b/x")),
    ],
)
def test_where_a_job_delivers(api, output, expected):
    assert delivery_of(api, ID, {"request": {"output": output}}) == expected


@pytest.mark.parametrize(
    ("payload", "holds"),
    [
        ({}, "nothing"),
        ({"request": None}, "nothing"),
        ({"request": {"output": {"delivery": {}}}}, "nothing"),
        ({"request": {"output": {"delivery": {"pl:destinations": {"ref": "hush"}}}}}, "pl:destinations"),
        ({"request": {"output": {"delivery": {"s3": {"accessKey": "hush"}}}}}, "s3"),
        ({"request": {"output": {"delivery": {"s3": {"url": "no url"}}}}}, "s3"),
    ],
)
def test_a_job_that_does_not_say_where_it_delivers(payload, holds):
    with pytest.raises(
        ResultsUnavailable, match=f"Batch Process job {ID} .* holds {holds}, and no URL"
    ) as failure:
        delivery_of(BatchApi.PROCESS, ID, payload)
    assert "hush" not in str(failure.value)
    assert (failure.value.job_id, failure.value.api) == (ID, "process")


def in_request(api, url, **output):
    place = {"s3": {"url": url, "accessKey": "hush"}}
    return {"request": {"output": {**output, **({"delivery": place} if api is BatchApi.PROCESS else place)}}}


@pytest.mark.parametrize(
    ("api", "url", "folder"),
    [
        (BatchApi.PROCESS, "s3://b/x", f"s3://b/x/{ID}"),
        (BatchApi.PROCESS, "s3://b/x/", f"s3://b/x/{ID}"),
        (BatchApi.PROCESS, "s3://b", f"s3://b/{ID}"),
        (BatchApi.PROCESS, "s3://b/x/<requestId>/<tileName>/<outputId>.tif", f"s3://b/x/{ID}"),
        (BatchApi.PROCESS, "s3://b/x/<tileName>/<requestId>.tif", "s3://b/x"),
        (BatchApi.PROCESS, "gs://key:hush@b/x", f"gs://b/x/{ID}"),
        (BatchApi.STATISTICAL, "s3://b/x", f"s3://b/x/{ID}"),
        (BatchApi.STATISTICAL, "s3://b/x/<ID>.json", "s3://b/x"),
        (BatchApi.STATISTICAL, "s3://b/<REQUEST_ID>/<IDENTIFIER>/s-<ID>.json", f"s3://b/{ID}"),
    ],
)
def test_the_folder_below_which_a_job_delivers(api, url, folder):
    assert delivery_folder(api, ID, in_request(api, url)) == folder


def test_the_folder_of_a_zarr_store():
    payload = in_request(BatchApi.PROCESS, "s3://b/x", type="zarr")
    assert delivery_folder(BatchApi.PROCESS, ID, payload) == "s3://b/x", "the store itself"


@pytest.mark.parametrize(
    ("api", "payload"),
    [
        *((api, {}) for api in BatchApi),
        (BatchApi.PROCESS_V1, {"bucketName": "my-bucket", "output": {"defaultTilePath": "x/<tileName>"}}),
        (BatchApi.PROCESS, {"request": {"output": {"delivery": {"pl:destinations": {"ref": "hush"}}}}}),
        (BatchApi.STATISTICAL, {"request": None}),
    ],
)
def test_a_folder_that_the_service_does_not_say(api, payload):
    assert delivery_folder(api, ID, payload) is None
