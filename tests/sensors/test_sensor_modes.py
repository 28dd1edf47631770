"""A wait ends the same way, returns the same and raises the same in every mode."""

from __future__ import annotations

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.sensors.batch import (
    SentinelHubBatchAnalysisSensor,
    SentinelHubBatchJobSensor,
    SentinelHubBatchProcessAnalysisSensor,
    SentinelHubBatchProcessJobSensor,
    SentinelHubBatchStatisticalAnalysisSensor,
    SentinelHubBatchStatisticalJobSensor,
)
from tests.harness.modes import MODES, run_to_the_end

JOB_SENSORS = (
    SentinelHubBatchProcessJobSensor,
    SentinelHubBatchStatisticalJobSensor,
    SentinelHubBatchJobSensor,
)
ANALYSIS_SENSORS = (
    SentinelHubBatchProcessAnalysisSensor,
    SentinelHubBatchStatisticalAnalysisSensor,
    SentinelHubBatchAnalysisSensor,
)
QUICK = {"poke_interval": 0.2, "timeout": 30}

every_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def wait(emulator):
    def wait(sensor, mode, request_id, **arguments):
        if sensor in JOB_SENSORS:
            arguments = {"analysis_poke_interval": 0.1, **arguments}
        arguments = {**QUICK, "request_id": request_id, "sentinelhub_conn_id": "sh", **arguments}
        return run_to_the_end(lambda **given: sensor(task_id="wait", **given), mode, **arguments)

    return wait


LIFE = [
    {"status": "CREATED", "seconds": 0.2},
    {"status": "ANALYSING", "seconds": 0.2},
    {"status": "ANALYSIS_DONE", "seconds": 0.2},
    {"status": "PROCESSING", "seconds": 0.5, "completionPercentage": 42},
]


@every_mode
@pytest.mark.parametrize("sensor", [*JOB_SENSORS, *ANALYSIS_SENSORS])
def test_success(emulator, wait, sensor, mode):
    request_id = emulator.add_job(sensor.api, steps=[*LIFE, {"status": "DONE"}])
    ended = wait(sensor, mode, request_id)
    assert ended.state == "success", ended.error
    if sensor is SentinelHubBatchJobSensor:
        assert set(ended.returned) == {"PENDING", "SCHEDULED", "QUEUED", "PROCESSING", "PROCESSED", "FAILED"}
        assert ended.returned["PROCESSED"]
        assert "geometry" not in ended.returned["PROCESSED"][0]
        job = ended.api.xcoms["job"]
    else:
        job = ended.returned
    assert job["id"] == request_id
    assert "request" not in job
    assert "processRequest" not in job
    assert job["status"] in ("DONE" if sensor in JOB_SENSORS else ("ANALYSIS_DONE", "PROCESSING"))
    assert f"Waiting until {sensor.api.display_name} job {request_id} is" in ended.log
    assert not any(emulator.requests()["actions"].values()), "a sensor only watches"


# What a job comes to, the exception, and what the message says of it.
FAILURES = [
    ({"steps": [{"status": "FAILED", "error": "Evalscript broken"}]}, exceptions.BatchFailed, "Evalscript broken"),
    (
        {"steps": [{"status": "STOPPED", "stoppedStatusReason": "OUT_OF_PU"}]},
        exceptions.BatchStopped,
        "ran out of processing units",
    ),
    ({"steps": [{"status": "PARTIAL", "error": "Too many"}]}, exceptions.BatchPartial, "allow_partial"),
    ({"steps": [{"status": "CANCELED"}]}, exceptions.BatchCanceled, "CANCELED"),
]


@every_mode
@pytest.mark.parametrize("sensor", JOB_SENSORS)
@pytest.mark.parametrize(("job", "error", "says"), FAILURES)
def test_failure(emulator, wait, sensor, mode, job, error, says):
    request_id = emulator.add_job(sensor.api, **job)
    ended = wait(sensor, mode, request_id, soft_fail=True)
    assert ended.state == "failed", "soft_fail must not skip a job that failed"
    assert type(ended.error) is error
    assert says in str(ended.error)
    assert request_id in str(ended.error)
    assert (ended.error.job_id, ended.error.api) == (request_id, sensor.api.value)
    known = ended.api.xcoms["job"] if sensor is SentinelHubBatchJobSensor else ended.returned
    assert known["id"] == request_id, "what is known of the job is pushed before the failure"


@every_mode
@pytest.mark.parametrize("sensor", JOB_SENSORS)
def test_never_fail_does_not_hide_a_failed_job(emulator, wait, sensor, mode):
    request_id = emulator.add_job(sensor.api, steps=[{"status": "FAILED"}])
    assert wait(sensor, mode, request_id, never_fail=True).state == "failed"


@every_mode
@pytest.mark.parametrize("sensor", JOB_SENSORS)
def test_allow_partial(emulator, wait, sensor, mode):
    request_id = emulator.add_job(sensor.api, steps=[{"status": "PARTIAL"}])
    ended = wait(sensor, mode, request_id, allow_partial=True)
    assert ended.state == "success"
    assert "which is accepted" in ended.log


@every_mode
@pytest.mark.parametrize("sensor", [*JOB_SENSORS, *ANALYSIS_SENSORS])
def test_nobody_started_it(emulator, wait, sensor, mode):
    request_id = emulator.add_job(sensor.api, status="CREATED")
    ended = wait(sensor, mode, request_id, start_grace=0.3)
    assert type(ended.error) is exceptions.BatchNotStarted
    assert "nobody has" in ended.log


@pytest.mark.parametrize(
    ("mode", "limit", "error"),
    [
        *[(mode, "timeout", "AirflowSensorTimeout") for mode in MODES],
        # Below 3.3 nothing tells a rescheduled process when its attempt began, as in Airflow's own sensors.
        *[(mode, "execution_timeout", "BatchTimeout") for mode in MODES if mode != "reschedule below 3.3"],
    ],
)
@pytest.mark.parametrize(
    ("flag", "state"), [({}, "failed"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "skipped")]
)
def test_time_is_up(emulator, wait, mode, flag, state, limit, error):
    from datetime import timedelta

    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING", "completionPercentage": 42}])
    duration = timedelta(seconds=1.2)
    ended = wait(SentinelHubBatchProcessJobSensor, mode, request_id, **{limit: duration}, **flag)
    assert ended.state == state
    if state == "failed":
        assert type(ended.error).__name__ == error
        assert "PROCESSING 42 %" in str(ended.error)
        assert limit in str(ended.error)
        assert request_id in str(ended.error)
    assert not any(emulator.requests()["actions"].values()), "the job is left alone"


@every_mode
def test_a_blip_of_the_service_costs_nothing(emulator, wait, mode):
    request_id = emulator.add_job("process", steps=[*LIFE, {"status": "DONE"}])
    emulator.fault(status=503, method="GET", times=1, after=1)
    ended = wait(SentinelHubBatchProcessJobSensor, mode, request_id)
    assert ended.state == "success"
    assert "503" in ended.log


@every_mode
def test_a_new_job_that_is_not_readable_yet(emulator, wait, mode):
    request_id = emulator.add_job("process", steps=[*LIFE, {"status": "DONE"}])
    emulator.fault(status=404, method="GET", times=2)
    assert wait(SentinelHubBatchProcessJobSensor, mode, request_id).state == "success"


@every_mode
def test_wrong_secret(emulator, wait, mode):
    request_id = emulator.add_job("process")
    emulator.rotate_secret("another secret")
    ended = wait(SentinelHubBatchProcessJobSensor, mode, request_id)
    assert type(ended.error) is exceptions.InvalidCredentials
    assert "another secret" not in ended.log + str(ended.error)


@every_mode
def test_tiles_that_cannot_be_read_now_do_not_fail_a_job_that_is_done(emulator, wait, mode, monkeypatch):
    from airflow_sentinelhub.sensors import waiting

    monkeypatch.setattr(waiting, "_RESULT_RETRY_PAUSE", 0.2)
    request_id = emulator.add_job("process_v1", steps=[{"status": "DONE"}])
    monkeypatch.setattr("airflow_sentinelhub.client.batch.BatchClient.tiles", _failing_once())
    ended = wait(SentinelHubBatchJobSensor, mode, request_id)
    assert ended.state == "success"
    assert "its result cannot be read now" in ended.log
    assert ended.api.xcoms["job"]["status"] == "DONE"


def _failing_once():
    from airflow_sentinelhub.client.batch import BatchClient

    tiles, failures = BatchClient.tiles, [exceptions.ServiceUnavailable("The service answers 503.")]

    def sometimes(self, *arguments, **keywords):
        if failures:
            raise failures.pop()
        return tiles(self, *arguments, **keywords)

    return sometimes


def test_a_retry_of_a_rescheduled_wait_has_its_own_execution_timeout(emulator):
    from datetime import timedelta

    from tests.harness.task_runner import ExecutionApi, run, utcnow

    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])

    def poke(api, try_number):
        sensor = SentinelHubBatchProcessJobSensor(
            task_id="wait",
            request_id=request_id,
            sentinelhub_conn_id="sh",
            mode="reschedule",
            deferrable=False,
            execution_timeout=timedelta(seconds=60),
        )
        return run(sensor, api, try_number=try_number)

    api = ExecutionApi()
    assert poke(api, 1).state == "up_for_reschedule"
    api.first_reschedule = utcnow()
    [stored] = api.store.values()
    stored["value"]["deadlines"]["execution_timeout_at"] -= 60
    assert type(poke(api, 1).error) is exceptions.BatchTimeout
    assert poke(api, 2).state == "up_for_reschedule"
