"""
Many regions, three at a time, each under its own name.

Each region is a task of its own, whose name on Airflow's page is that of the region. `max_active_tis_per_dagrun`
limits the concurrency, deferred tasks included (Airflow 3.3). On older versions, and across DAGs, a pool does, if
*Include Deferred* is ticked in it. A fourth region starts when one is done.
"""

from datetime import datetime

from airflow.sdk import dag

from airflow_sentinelhub.operators.batch import SentinelHubBatchRunOperator

REGIONS = {"Corsica": [8.44, 41.31, 9.66, 43.1], "Sicily": [12.36, 36.61, 15.72, 38.33]}
EVALSCRIPT = """//VERSION=3
function setup() { return { input: ["B04", "B08"], output: { bands: 1, sampleType: "FLOAT32" } }; }
function evaluatePixel(sample) { return [(sample.B08 - sample.B04) / (sample.B08 + sample.B04)]; }
"""


def request(region: str) -> dict:
    return {
        "description": region,
        "processRequest": {
            "input": {"bounds": {"bbox": REGIONS[region]}, "data": [{"type": "sentinel-2-l2a"}]},
            "output": {"responses": [{"identifier": "default", "format": {"type": "image/tiff"}}]},
            "evalscript": EVALSCRIPT,
        },
        "input": {"type": "tiling-grid", "id": 0, "resolution": 60.0},
        "output": {"type": "raster", "delivery": {"s3": {"url": f"s3://my-bucket/{region}"}}},
    }


@dag(schedule=None, start_date=datetime(2026, 1, 1))
def regions():
    SentinelHubBatchRunOperator.partial(
        task_id="run",
        map_index_template="{{ task.request.description }}",
        max_active_tis_per_dagrun=3,
        delivery_conn_id=None,  # or the connection that holds the keys of your bucket
    ).expand(request=[request(region) for region in REGIONS])


regions()
