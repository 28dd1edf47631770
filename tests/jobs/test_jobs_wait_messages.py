"""The service's own words inside of ours."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs import BatchApi, BatchJob, wait_messages


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("Evalscript broken", "FAILED: Evalscript broken (Batch Process ID)\nA failed"),
        ("Evalscript broken.", "FAILED: Evalscript broken (Batch Process ID)\nA failed"),
        ("x" * 1001, "x" * 997 + "... ("),
        (None, "FAILED without a reason (Batch Process ID)\nA failed"),
    ],
)
def test_the_reason_of_a_failure(error, said):
    job = BatchJob.from_payload(BatchApi.PROCESS, {"id": "ID", "status": "FAILED", "error": error})
    assert said in wait_messages.failed(job)
