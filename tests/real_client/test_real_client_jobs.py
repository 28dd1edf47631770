"""Creating and steering jobs with the real client (sentinelhub-api.md, sections 4 to 6)."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs import BatchApi, WaitGoal
from tests.real_client.library import (
    CLIENTS,
    BatchProcessClient,
    SentinelHubBatch,
    SentinelHubBatchStatistical,
    monitor,
    on_time_of,
    refused,
    sentinelhub,
)
from tests.real_client.virtual_time import LibraryTime

EVALSCRIPT = '//VERSION=3\nfunction setup() { return { input: ["B04"], output: { bands: 1 } } }\n'
TIME = ("2019-04-01", "2019-06-30")


def bucket(path):
    return BatchProcessClient.s3_specification(
        f"s3://my-bucket/{path}", access_key="mine", secret_access_key="hush"
    )


s3_specification = BatchProcessClient.s3_specification

every_api = pytest.mark.parametrize("api", BatchApi)


def process_request(config):
    """A request as users write it."""
    collection = sentinelhub.DataCollection.SENTINEL2_L2A
    return sentinelhub.SentinelHubRequest(
        evalscript=EVALSCRIPT,
        input_data=[sentinelhub.SentinelHubRequest.input_data(collection, time_interval=TIME)],
        responses=[sentinelhub.SentinelHubRequest.output_response("default", sentinelhub.MimeType.TIFF)],
        bbox=sentinelhub.BBox((8.44, 41.31, 9.66, 43.1), sentinelhub.CRS.WGS84),
        config=config,
    )


def create(api, config, **more):
    match api:
        case BatchApi.PROCESS:
            client = BatchProcessClient(config)
            return client.create(
                process_request(config),
                input=client.tiling_grid_input(0, 60, buffer_x=5),
                output=client.raster_output(bucket("results"), cog_output=True),
                **more,
            )
        case BatchApi.STATISTICAL:
            return SentinelHubBatchStatistical(config).create_from_request(
                statistical_request(config), bucket("fields.gpkg"), bucket("statistics"), **more
            )
        case BatchApi.PROCESS_V1:
            return SentinelHubBatch(config).create(
                process_request(config),
                tiling_grid=SentinelHubBatch.tiling_grid(0, 60, buffer=(5, 5)),
                output=SentinelHubBatch.output(default_tile_path="s3://my-bucket/results", cog_output=True),
                **more,
            )


def statistical_request(config):
    return sentinelhub.SentinelHubStatistical(
        aggregation=sentinelhub.SentinelHubStatistical.aggregation(
            evalscript=EVALSCRIPT, time_interval=TIME, aggregation_interval="P30D", resolution=(10, 10)
        ),
        input_data=[sentinelhub.SentinelHubStatistical.input_data(sentinelhub.DataCollection.SENTINEL2_L2A)],
        calculations={},  # without any, create_from_request() fails with a KeyError
        bbox=sentinelhub.BBox((8.44, 41.31, 9.66, 43.1), sentinelhub.CRS.WGS84),
        config=config,
    )


@every_api
def test_from_creation_to_the_end(emulator, config, api):
    client = CLIENTS[api](config)
    job = create(api, config)
    assert (job.status.value, job.user_action.value) == ("CREATED", "NONE")
    assert client.start_job(job) == "", "204 without a body"
    job = client.get_request(job)
    assert (job.status.value, job.user_action.value) == ("CREATED", "START"), "it stays CREATED for a while"
    with on_time_of(LibraryTime(emulator, rests_after=3600)):
        monitor(api, WaitGoal.COMPLETION, job, config)
    assert client.get_request(job).status.value == "DONE"
    counts = emulator.requests()["actions"]
    assert {name: count for name, count in counts.items() if count} == {"create": 1, "start": 1}


@every_api
def test_analysis_before_start(emulator, config, api):
    client = CLIENTS[api](config)
    job = create(api, config)
    assert client.start_analysis(job) == ""
    with on_time_of(LibraryTime(emulator, rests_after=3600)):
        job = monitor(api, WaitGoal.ANALYSIS, job.request_id, config)
    assert (job.status.value, job.user_action.value) == ("ANALYSIS_DONE", "ANALYSE")
    refused(client.start_analysis, job)
    client.start_job({"id": job.request_id})
    emulator.advance(60)
    assert client.get_request(job).status.value == "PROCESSING"
    refused(client.start_job, job)


@pytest.mark.parametrize("api", [BatchApi.PROCESS, BatchApi.STATISTICAL])
def test_stop_and_restart(emulator, config, api):
    client = CLIENTS[api](config)
    job = create(api, config)
    refused(client.stop_job, job)
    client.start_job(job)
    emulator.advance(300)
    assert client.stop_job(job) == ""
    stopped = client.get_request(job)
    assert stopped.status.value == "STOPPED"
    # Batch Statistical's dataclass has no field for the reason.
    assert getattr(stopped, "stopped_status_reason", None) or stopped.other_data["stoppedStatusReason"]
    refused(client.start_job, job)
    emulator.advance(1801)
    client.start_job(job)
    emulator.advance(601)
    assert client.get_request(job).status.value == "DONE"


def test_cancel_and_restart_v1(emulator, config):
    client = SentinelHubBatch(config)
    job = create(BatchApi.PROCESS_V1, config)
    client.start_job(job)
    emulator.advance(300)
    assert client.cancel_job(job) == ""
    assert client.get_request(job).status.value == "CANCELED"
    assert "Only requests with status PARTIAL can be restarted." in refused(client.restart_job, job), "4.5"
    partial = emulator.add_job("process_v1", status="PARTIAL")
    assert client.restart_job(partial) == ""
    emulator.advance(601)
    assert client.get_request(partial).status.value == "DONE"


def test_cancel_of_a_statistical_job_is_gone(emulator, config):
    """Section 6.1: the library still has it, the service has not."""
    client = SentinelHubBatchStatistical(config)
    job = emulator.add_job("statistical")
    with pytest.warns(sentinelhub.exceptions.SHDeprecationWarning, match="stop_job"):
        assert "404" in refused(client.cancel_job, job, status=404)


def test_other_ways_to_create(emulator, config):
    client = BatchProcessClient(config)
    zarr = client.create(
        process_request(config),
        input=client.geopackage_input(
            s3_specification("s3://b/features.gpkg", iam_role_arn="arn:aws:iam::1:role/x")
        ),
        output=client.zarr_output(bucket("cube.zarr"), group={"zarr_format": 2}),
        description="A cube",
    )
    assert zarr.request["description"] == "A cube"
    assert client.get_request(zarr).request == zarr.request
    v1 = SentinelHubBatch(config).create(
        process_request(config), SentinelHubBatch.tiling_grid(0, 60), bucket_name="my-bucket", description="Old"
    )
    assert (v1.description, v1.bucket_name, v1.tiling_grid["bufferX"]) == ("Old", "my-bucket", 0)
    statistical = statistical_request(config).payload
    job = SentinelHubBatchStatistical(config).create(
        input_features=bucket("fields.gpkg"),
        input_data=statistical["input"]["data"],
        aggregation=statistical["aggregation"],
        calculations=None,
        output=bucket("statistics"),
    )
    assert job.status.value == "CREATED"


def test_credentials_do_not_come_back(config):
    job = create(BatchApi.PROCESS, config)
    assert job.request["output"]["delivery"]["s3"]["accessKey"] == "*****", "5.2"
    assert "hush" not in str(job.request)


def test_a_slip_of_the_library_is_no_error(config):
    """Section 5.3: it says ``instance_type`` where the service says ``instanceType``."""
    assert create(BatchApi.PROCESS, config, instance_type="large").request["instance_type"] == "large"


def test_a_request_that_the_service_refuses(config):
    client = BatchProcessClient(config)
    told = refused(
        client.create,
        process_request(config),
        client.tiling_grid_input(0, 7),
        client.raster_output(bucket("results")),
    )
    assert "resolution 7" in told, "the service's words are in the exception"


@every_api
def test_a_new_job_may_be_unknown_for_a_moment(emulator, config, api):
    """Section 4.7: start right after create was seen to answer 404."""
    emulator.configure(not_found_seconds=5)
    client = CLIENTS[api](config)
    job = create(api, config)
    refused(client.start_job, job, status=404)
    emulator.advance(6)
    client.start_job(job)


def test_status_of_a_statistical_job(emulator, config):
    """Section 6.2: the light answer; only the full one has the user action."""
    client = SentinelHubBatchStatistical(config)
    job = emulator.add_job("statistical")
    created = client.get_status(job)
    assert set(created) == {"id", "status", "completionPercentage", "costPu", "created"}
    emulator.advance(410)
    status = client.get_status(job)
    assert (status["status"], status["completionPercentage"]) == ("PROCESSING", 50)
    assert "lastUpdated" in status
    full = client.get_request(job)
    assert full.user_action.value == "START"
    assert (full.cost_pu, full.other_data["costPu"]) == (None, 125.0), "it reads costPU only"
    emulator.configure(statistical_cost_key="costPU")
    assert client.get_request(job).cost_pu == 125.0
