"""
Every week again, and no week is paid for twice.

The dates come from the run, so each week has its own request. Retries, and clears of an attempt that failed, go on
with the job that is there. A clear of a week that was done makes it anew, and is charged.
"""

from datetime import datetime, timedelta

from airflow.sdk import dag

from airflow_sentinelhub.operators.batch import SentinelHubBatchRunOperator

EVALSCRIPT = """//VERSION=3
function setup() { return { input: ["B04", "B08"], output: { bands: 1, sampleType: "FLOAT32" } }; }
function evaluatePixel(sample) { return [(sample.B08 - sample.B04) / (sample.B08 + sample.B04)]; }
"""
WEEK = {"from": "{{ data_interval_start.isoformat() }}", "to": "{{ data_interval_end.isoformat() }}"}
REQUEST = {
    "description": "NDVI of Corsica, {{ data_interval_start.date() }}",
    "processRequest": {
        "input": {
            "bounds": {"bbox": [8.44, 41.31, 9.66, 43.1]},
            "data": [{"type": "sentinel-2-l2a", "dataFilter": {"timeRange": WEEK}}],
        },
        "output": {"responses": [{"identifier": "default", "format": {"type": "image/tiff"}}]},
        "evalscript": EVALSCRIPT,
    },
    "input": {"type": "tiling-grid", "id": 0, "resolution": 60.0},
    "output": {
        "type": "raster",
        "delivery": {"s3": {"url": "s3://my-bucket/{{ data_interval_start.date() }}"}},
    },
}


@dag(schedule=timedelta(days=7), start_date=datetime(2026, 1, 1), catchup=False)
def weekly():
    SentinelHubBatchRunOperator(task_id="run", request=REQUEST, retries=3, max_cost_pu=1_000)


weekly()
