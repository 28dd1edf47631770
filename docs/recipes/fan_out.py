"""
A task for each tile that came out.

The tiles operator tells what became of each tile or feature of a job, and mapped tasks go on with those that were
delivered. For many thousands give it `output_path`, and read that file in one task.
"""

from datetime import datetime

from airflow.sdk import dag, task

from airflow_sentinelhub.operators.tiles import SentinelHubBatchTilesOperator
from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"request_id": "the id of your job"})
def fan_out():
    wait = SentinelHubBatchProcessJobSensor(task_id="wait", request_id="{{ params.request_id }}")
    tiles = SentinelHubBatchTilesOperator(task_id="tiles", request_id=wait.output)

    @task
    def delivered(tiles: dict) -> list[str]:
        return [tile["name"] for tile in tiles["DONE"] if tile["delivered"]]

    @task(map_index_template="{{ name }}")
    def use(name: str) -> str:
        return f"Tile {name} is used."

    use.expand(name=delivered(tiles.output))


fan_out()
