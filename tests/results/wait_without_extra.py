"""Run by test_results_storage.py in a process of its own: what works without the extra ``storage``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.harness.without_modules import block

block(*sys.argv[2:])

from airflow_sentinelhub.clock import replaced_by  # noqa: E402
from airflow_sentinelhub.exceptions import StorageUnsupported  # noqa: E402
from airflow_sentinelhub.operators.tiles import SentinelHubBatchTilesOperator  # noqa: E402
from airflow_sentinelhub.sensors.batch import SentinelHubBatchProcessJobSensor  # noqa: E402
from tests.harness.emulator_fixtures import emulator_on  # noqa: E402
from tests.harness.modes import run_to_the_end  # noqa: E402
from tests.harness.task_runner import run  # noqa: E402
from tests.harness.virtual_time import VirtualTime  # noqa: E402


def main(folder: Path) -> None:
    with emulator_on(time := VirtualTime()) as hub, replaced_by(time):
        os.environ["AIRFLOW_CONN_SH"] = hub.airflow_connection
        waited = hub.add_job("process", steps=[{"status": "PROCESSING", "seconds": 300}, {"status": "DONE"}])
        ended = run_to_the_end(sensor, "deferred", request_id=waited)
        print("wait:", ended.state)
        for api in ("process", "statistical"):
            for scheme, url in {"file": f"file://{folder}", "s3": "s3://my-bucket"}.items():
                place = {"s3": {"url": url}}
                output = {"delivery": place} if api == "process" else place
                job = hub.add_job(api, status="DONE", request={"output": output})
                if scheme == "file" and api == "statistical":
                    (folder / job).mkdir()
                    (folder / job / "1.json").write_text('{"id": 1, "response": {"data": []}}', encoding="utf-8")
                ended = run(tiles(api, job))
                print(f"{api} {scheme}:", ended.state, ended.api.xcoms.get("counts"), ended.error)
                assert ended.error is None or scheme == "file" or isinstance(ended.error, StorageUnsupported)


def sensor(**arguments):
    return SentinelHubBatchProcessJobSensor(task_id="wait", sentinelhub_conn_id="sh", **arguments)


def tiles(api, job):
    return SentinelHubBatchTilesOperator(task_id="tiles", api=api, request_id=job, sentinelhub_conn_id="sh")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
