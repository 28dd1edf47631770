"""Sample requests of jobs that are put into the service directly."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from airflow_sentinelhub.jobs import BatchApi

_EVALSCRIPT = '//VERSION=3\nfunction setup() { return { input: ["B04", "B08"], output: { bands: 1 } } }\n'
_BOUNDS = {
    "bbox": [8.44, 41.31, 9.66, 43.1],
    "properties": {"crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
}
_PERIOD = {"from": "2019-04-01T00:00:00Z", "to": "2019-06-30T00:00:00Z"}
_DATA = [{"type": "sentinel-2-l2a", "dataFilter": {"timeRange": _PERIOD, "maxCloudCoverage": 70.0}}]
_RESPONSES = {"responses": [{"identifier": "default", "format": {"type": "image/tiff"}}]}
_PROCESS = {"input": {"bounds": _BOUNDS, "data": _DATA}, "output": _RESPONSES, "evalscript": _EVALSCRIPT}


def sample_request(api: BatchApi) -> dict[str, Any]:
    """Return a new request that this API accepts, after the examples of the official documentation."""
    match api:
        case BatchApi.PROCESS:
            return {
                "processRequest": deepcopy(_PROCESS),
                "input": {"type": "tiling-grid", "id": 0, "resolution": 60.0},
                "output": {"type": "raster", "delivery": {"s3": {"url": "s3://my-bucket/results"}}},
                "description": "Max NDVI",
            }
        case BatchApi.STATISTICAL:
            return {
                "input": {
                    "features": {"s3": {"url": "s3://my-bucket/features.gpkg"}},
                    "data": [{"type": "sentinel-2-l2a"}],
                },
                "aggregation": {
                    "timeRange": dict(_PERIOD),
                    "aggregationInterval": {"of": "P30D"},
                    "evalscript": _EVALSCRIPT,
                    "resx": 10,
                    "resy": 10,
                },
                "output": {"s3": {"url": "s3://my-bucket/statistics"}},
            }
        case BatchApi.PROCESS_V1:
            return {
                "processRequest": deepcopy(_PROCESS),
                "tilingGrid": {"id": 0, "resolution": 60.0},
                "bucketName": "my-bucket",
                "description": "Max NDVI",
            }
