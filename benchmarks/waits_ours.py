"""``ours``: the triggers of this package, through nothing but their constructor and ``run()``."""

from __future__ import annotations

import time

from airflow_sentinelhub.triggers.batch import SentinelHubBatchTrigger
from benchmarks.spec import CONNECTION, Spec
from benchmarks.trigger_log import log_as_in_the_triggerer
from benchmarks.triggerer import Triggerer

_A_WEEK = 7 * 86400.0


def main() -> None:
    """Wait for jobs until the benchmark ends this process."""
    # Loaded with the first request otherwise, and then taken for the memory of a wait.
    import airflow_sentinelhub.client.batch  # noqa: F401

    spec = Spec.of_this_process()

    def make_trigger(job_id: str) -> SentinelHubBatchTrigger:
        now = time.time()
        return SentinelHubBatchTrigger(
            api="process",
            goal="completion",
            request_id=job_id,
            sentinelhub_conn_id=CONNECTION,
            policy={"poke_interval": spec.interval, "analysis_poke_interval": min(spec.interval, 10.0)},
            deadlines={"started_at": now, "timeout_at": now + _A_WEEK},
        )

    Triggerer(spec, make_trigger, log_as_in_the_triggerer()).serve()


if __name__ == "__main__":
    main()
