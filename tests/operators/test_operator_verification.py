"""Verification of a job: how many of its tiles were delivered, and how many may be missing."""

from __future__ import annotations

import logging

import pytest

from airflow_sentinelhub.exceptions import BatchIncomplete
from airflow_sentinelhub.hooks.client_factory import make_client
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import BatchApi, BatchJob
from airflow_sentinelhub.jobs.failure_threshold import FailureThreshold
from airflow_sentinelhub.operators.verification import verify

log = logging.getLogger(__name__)


@pytest.fixture
def verified(emulator, clock, monkeypatch, caplog):
    """Verify a job of 12 tiles; returns the counts. ``kept`` has those that were kept before the check."""
    monkeypatch.setenv("AIRFLOW_CONN_SH", emulator.airflow_connection)

    def verified(failed, allowance):
        scenario = {"tile_count": 12, "failed_tiles": failed}
        job_id = emulator.add_job("process_v1", status="DONE", scenario=scenario)
        verified.kept = []
        with make_client(SentinelHubHook("sh").get_config(), BatchApi.PROCESS_V1) as client:
            payload = client.get(job_id)
            return verify(
                client,
                BatchJob.from_payload(client.api, payload),
                payload,
                storage_conn_id=None,
                allowance=FailureThreshold.of(allowance),
                count_no_data=False,
                log=log,
                keep=verified.kept.append,
                sleep=lambda _: None,
            )

    with caplog.at_level("INFO"):
        yield verified


@pytest.mark.parametrize(("failed", "allowance", "may"), [(0, 0, 0), (2, 2, 2), (2, 3, 3), (3, 0.25, 3)])
def test_enough_were_delivered(verified, caplog, failed, allowance, may):
    counts = verified(failed, allowance)
    assert (counts["PROCESSED"], counts["FAILED"]) == (12 - failed, failed)
    assert f"Verified: {12 - failed} of 12 tiles delivered, {may} may be missing" in caplog.text
    assert verified.kept == [counts]


@pytest.mark.parametrize(("failed", "allowance"), [(1, 0), (3, 2), (4, 0.25), (12, 0.99)])
def test_too_few_were_delivered_and_the_counts_are_kept_all_the_same(verified, caplog, failed, allowance):
    with pytest.raises(BatchIncomplete):
        verified(failed, allowance)
    assert [counts["FAILED"] for counts in verified.kept] == [failed]
    assert "Verified" not in caplog.text
