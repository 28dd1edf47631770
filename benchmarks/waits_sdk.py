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

from benchmarks.conversation import ENDED, READY, Command, Conversation
from benchmarks.probes import private_memory
from benchmarks.spec import CONNECTION_VARIABLE, Spec


class FirstLook(logging.Handler):
    """Notices when the library says that it saw the job."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the library's log."""
        if record.getMessage() == "Batch job is running":
            self.at = time.time()


class BlockedProcess:
    """
    Waits for one job, and tells the benchmark what it asks.

    :param spec: which job.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._conversation = Conversation()
        self._first_look = FirstLook()
        self._may_begin = threading.Event()
        self._processor_time = 0.0

    def serve(self) -> None:
        """Wait for the job until the benchmark ends this process."""
        logger = logging.getLogger(utils.__name__)
        logger.addHandler(self._first_look)
        logger.setLevel(logging.INFO)
        utils._MIN_SLEEP_TIME = min(utils._MIN_SLEEP_TIME, self._spec.interval)
        client = BatchProcessClient(_configuration())
        self._conversation.listen(self._obey)
        self._conversation.tell(READY)
        self._may_begin.wait()
        self._conversation.tell(Command.BEGIN, began=time.time())
        [job_id] = self._spec.job_ids
        try:
            job = utils.monitor_batch_process_job(job_id, client, sleep_time=self._spec.interval)
            outcome = job.status.value.lower()
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        self._conversation.tell(ENDED, job_id=job_id, outcome=outcome, at=time.time())
        threading.Event().wait()

    def _obey(self, command: Command) -> None:
        match command:
            case Command.BEGIN:
                self._may_begin.set()
            case Command.WINDOW_BEGINS:
                self._processor_time = time.process_time()
                self._conversation.tell(command)
            case Command.WINDOW_ENDS:
                spent = time.process_time() - self._processor_time
                self._conversation.tell(command, cpu_seconds=spent, memory=private_memory())
            case Command.FINISH:
                at = self._first_look.at
                # It has no event loop that could be late.
                self._conversation.tell(
                    command, lag_at_start=None, lag=None, jobs_seen=int(at > 0), last_first_look=at
                )


def _configuration() -> SHConfig:
    connection = json.loads(os.environ[CONNECTION_VARIABLE])
    return SHConfig(
        use_defaults=True,
        sh_client_id=connection["login"],
        sh_client_secret=connection["password"],
        sh_base_url=connection["host"],
        sh_token_url=json.loads(connection["extra"])["auth_url"],
    )


def main() -> None:
    """Wait for a job until the benchmark ends this process."""
    BlockedProcess(Spec.of_this_process()).serve()


if __name__ == "__main__":
    main()
