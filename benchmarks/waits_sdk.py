"""
``sdk``: the function of sentinelhub-py that our sensor replaces, which blocks one process for each wait.

It is treated generously: an Airflow task that calls it has all of Airflow in its process, this one has not.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time

from sentinelhub import SHConfig  # noqa: TID251 - it is what is measured
from sentinelhub.api.batch import utils  # noqa: TID251
from sentinelhub.api.batch.process_v2 import BatchProcessClient  # noqa: TID251

from benchmarks.waits import CONNECTION, Waits, job_id


class BlockedProcess(Waits):
    """Waits for one job."""

    memory_kind = "uss"
    """What would be free without this process: no library that others have loaded, too."""

    def serve(self) -> None:
        """Wait for the job until the benchmark ends this process."""
        logger = logging.getLogger(utils.__name__)
        logger.addFilter(self._read_log)
        logger.setLevel(logging.INFO)
        utils._MIN_SLEEP_TIME = min(utils._MIN_SLEEP_TIME, self.spec.interval)
        connection = json.loads(os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"])
        configuration = SHConfig(
            use_defaults=True,
            sh_client_id=connection["login"],
            sh_client_secret=connection["password"],
            sh_base_url=connection["host"],
            sh_token_url=connection["extra"]["auth_url"],
        )
        client = BatchProcessClient(configuration)
        self._may_begin = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        self.pipe.send("ready")
        self._may_begin.wait()
        job = job_id(self.spec.jobs[0])
        try:
            ended = utils.monitor_batch_process_job(job, client, sleep_time=self.spec.interval)
            self.over(job, ended.status.value.lower())
        except Exception as error:
            self.over(job, repr(error))
        threading.Event().wait()

    def begin(self) -> float:
        """Let the wait begin."""
        self._may_begin.set()
        return time.time()

    def _listen(self) -> None:
        while True:
            self.obey()

    def _read_log(self, record: logging.LogRecord) -> bool:
        if record.getMessage() == "Batch job is running":
            self.saw("the job")
        return False


if __name__ == "__main__":
    BlockedProcess().serve()
