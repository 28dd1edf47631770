"""Lists of jobs, tiles and tiling grids with the real client (sentinelhub-api.md, sections 4.3, 5.8 and 9)."""

from __future__ import annotations

import itertools

import pytest

from airflow_sentinelhub.jobs import BatchApi
from tests.real_client.library import (
    CLIENTS,
    BatchProcessClient,
    SentinelHubBatch,
    on_time_of,
    refused,
    sentinelhub,
)
from tests.real_client.virtual_time import LibraryTime

with_list = pytest.mark.parametrize("api", [BatchApi.PROCESS, BatchApi.PROCESS_V1])


@with_list
def test_the_list(emulator, config, api):
    client = CLIENTS[api](config)
    ids = [emulator.add_job(api, age=100 - number) for number in range(7)]
    emulator.configure(page_size=3)
    emulator.forget_requests()
    assert [job.request_id for job in client.iter_requests()] == ids
    assert [job.request_id for job in client.iter_requests(sort="created:desc")] == ids[::-1]
    assert [job.request_id for job in client.iter_requests(count=2, user_id="someone")] == ids
    pages = [each["query"] for each in emulator.requests()["recent"] if each["method"] == "GET"]
    assert pages[1:3] == ["viewtoken=3", "viewtoken=6"], "it takes nextToken, and not the link (7.2, trap 18)"
    assert len(pages) == 3 + 3 + 4
    refused(list, client.iter_requests(sort="size"))


def test_the_latest_job(emulator, config):
    client = SentinelHubBatch(config)
    with pytest.raises(ValueError, match="No batch request is available"):
        client.get_latest_request()
    emulator.add_job("process_v1", age=10)
    newest = emulator.add_job("process_v1")
    assert client.get_latest_request().request_id == newest


@with_list
def test_a_list_that_repeats_itself_is_read_for_ever(emulator, config, api):
    """Trap 18 of section 7.2, asked for 100 pages."""
    again = {"data": [emulator.job(emulator.add_job(api))], "links": {"nextToken": "1"}}
    emulator.fault(status=200, body=again, method="GET", times=None)
    with on_time_of(LibraryTime(emulator, patience=200)):
        assert len(list(itertools.islice(CLIENTS[api](config).iter_requests(), 100))) == 100


def test_a_page_without_data_is_an_error(emulator, config):
    emulator.fault(status=200, body={"links": {}}, method="GET")
    with pytest.raises(sentinelhub.exceptions.MissingDataInRequestException, match="No requests found"):
        list(BatchProcessClient(config).iter_requests())


def test_tiles(emulator, config):
    """Section 4.3: none before the analysis; a success is PROCESSED on the wire."""
    client = SentinelHubBatch(config)
    job = emulator.add_job("process_v1", scenario={"tile_count": 10, "failed_tiles": 2})
    assert not list(client.iter_tiles(job))
    emulator.advance(800)
    emulator.configure(page_size=4)
    tiles = list(client.iter_tiles(job))
    assert len(tiles) == 10
    assert {tile["requestId"] for tile in tiles} == {job}
    assert len(list(client.iter_tiles(job, status=sentinelhub.BatchTileStatus.PROCESSED))) == 8
    [one, other] = client.iter_tiles(job, status="FAILED")
    assert client.get_tile(job, one["id"]) == one
    assert one["id"] != other["id"]
    refused(client.get_tile, job, 4711, status=404)


@with_list
def test_tiling_grids(config, api):
    """Section 5.8."""
    client = CLIENTS[api](config)
    grids = {grid["id"]: grid for grid in client.iter_tiling_grids()}
    assert sorted(grids) == [0, 1, 2, 3, 6, 7]
    assert client.get_tiling_grid(0) == grids[0]
    assert grids[0]["properties"]["tileWidth"] == 20040.0
    refused(client.get_tiling_grid, 99)
