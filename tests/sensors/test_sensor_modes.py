"""A wait ends the same way, returns the same and raises the same in every mode."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from airflow_sentinelhub import exceptions
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.sensors.batch import (
    SentinelHubBatchAnalysisSensor,
    SentinelHubBatchJobSensor,
    SentinelHubBatchProcessAnalysisSensor,
    SentinelHubBatchProcessJobSensor,
    SentinelHubBatchStatisticalAnalysisSensor,
    SentinelHubBatchStatisticalJobSensor,
)
from tests.harness.modes import MODES, forget_the_state_store, run_to_the_end
from tests.harness.task_runner import ExecutionApi, run
from tests.harness.versions import needs_airflow

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

every_mode = pytest.mark.parametrize("mode", MODES)
remembers = needs_airflow("3.3", "remembers something between the looks of a rescheduled task")


@pytest.fixture
def wait(emulator):
    def wait(sensor, mode, request_id, **arguments):
        arguments = {
            "request_id": request_id,
            "sentinelhub_conn_id": "sh",
            "poke_interval": 60,
            "timeout": 86_400,
            **arguments,
        }
        return run_to_the_end(lambda **given: sensor(task_id="wait", **given), mode, **arguments)

    return wait


LIFE = [
    {"status": "CREATED", "seconds": 20},
    {"status": "ANALYSING", "seconds": 20},
    {"status": "ANALYSIS_DONE", "seconds": 20},
    {"status": "PROCESSING", "seconds": 150, "completionPercentage": 42},
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
    assert re.search(
        rf"Waiting until the job is (done|analysed) \({sensor.api.display_name} {request_id}\)", ended.log
    )
    assert not any(emulator.requests()["actions"].values()), "a sensor only watches"


# Whose job, what it comes to, the exception, and what the message says of it. What a status means for which API is
# a table of its own in tests/jobs.
FAILED = {"steps": [{"status": "FAILED", "error": "Evalscript broken"}]}
FAILURES = [
    *[(sensor, FAILED, exceptions.BatchFailed, "Evalscript broken") for sensor in JOB_SENSORS],
    (
        SentinelHubBatchProcessJobSensor,
        {"steps": [{"status": "STOPPED", "stoppedStatusReason": "OUT_OF_PU"}]},
        exceptions.BatchStopped,
        "ran out of processing units",
    ),
    (
        SentinelHubBatchJobSensor,
        {"steps": [{"status": "PARTIAL", "error": "Too many"}]},
        exceptions.BatchPartial,
        "allow_partial",
    ),
    (SentinelHubBatchJobSensor, {"steps": [{"status": "CANCELED"}]}, exceptions.BatchCanceled, "CANCELED"),
]


@every_mode
@pytest.mark.parametrize(("sensor", "job", "error", "says"), FAILURES)
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
    if sensor is SentinelHubBatchJobSensor:
        assert "PROCESSED" in ended.returned, "and so are its tiles"


@every_mode
def test_never_fail_does_not_hide_a_failed_job(emulator, wait, mode):
    request_id = emulator.add_job("process", steps=[{"status": "FAILED"}])
    assert wait(SentinelHubBatchProcessJobSensor, mode, request_id, never_fail=True).state == "failed"


@every_mode
def test_allow_partial(emulator, wait, mode):
    request_id = emulator.add_job("process_v1", steps=[{"status": "PARTIAL"}])
    ended = wait(SentinelHubBatchJobSensor, mode, request_id, allow_partial=True)
    assert ended.state == "success"
    assert "which is accepted" in ended.log


@every_mode
@pytest.mark.parametrize(
    "sensor",
    [SentinelHubBatchProcessJobSensor, SentinelHubBatchStatisticalJobSensor, SentinelHubBatchAnalysisSensor],
)
def test_nobody_started_it(emulator, wait, sensor, mode):
    request_id = emulator.add_job(sensor.api, status="CREATED")
    ended = wait(sensor, mode, request_id, start_grace=600)
    assert type(ended.error) is exceptions.BatchNotStarted
    assert "Not started yet" in ended.log


LIMITS = {"timeout": "AirflowSensorTimeout", "execution_timeout": "BatchTimeout"}


@pytest.mark.parametrize(
    ("mode", "limit", "flag"),
    [
        (mode, limit, flag)
        for mode in MODES
        for limit, flag in [
            ("timeout", None),
            ("timeout", "soft_fail"),
            ("execution_timeout", None),
            ("execution_timeout", "never_fail"),
        ]
        # Below 3.3 nothing tells a rescheduled process when its attempt began, as in Airflow's own sensors.
        if (mode, limit) != ("reschedule below 3.3", "execution_timeout")
    ],
)
def test_time_is_up(emulator, clock, wait, mode, limit, flag):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING", "completionPercentage": 42}])
    # Airflow itself interrupts a worker at its execution timeout, and we come a moment before it.
    on_worker = limit == "execution_timeout" and mode != "deferred"
    flag, state = ({flag: True}, "skipped") if flag else ({}, "failed")
    began = clock.now()
    ended = wait(SentinelHubBatchProcessJobSensor, mode, request_id, **{limit: timedelta(minutes=10)}, **flag)
    assert ended.state == state
    assert clock.now() - began == pytest.approx(597 if on_worker else 600, abs=0.1)
    if state == "failed":
        assert type(ended.error).__name__ == LIMITS[limit]
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
    assert re.search(r"\b503\b", ended.log)


@every_mode
def test_a_v1_wait_for_a_v2_job_names_the_right_sensor_at_once(emulator, wait, mode):
    ended = wait(SentinelHubBatchJobSensor, mode, emulator.add_job("process"))
    assert type(ended.error) is exceptions.BatchNotFound
    assert "SentinelHubBatchProcessJobSensor" in str(ended.error)


def test_a_connection_that_is_away_for_a_poke_costs_nothing(emulator, wait, monkeypatch):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING", "seconds": 300}, {"status": "DONE"}])
    read, reads = SentinelHubHook.get_config, []

    def sometimes(hook):
        reads.append(hook)
        if len(reads) == 3:
            raise exceptions.ServiceUnavailable("The database did not answer")
        return read(hook)

    monkeypatch.setattr(SentinelHubHook, "get_config", sometimes)
    ended = wait(SentinelHubBatchProcessJobSensor, "poke", request_id)
    assert ended.state == "success", ended.error
    assert "The database did not answer" in ended.log


def test_tiles_with_their_geometry(emulator, wait):
    request_id = emulator.add_job("process_v1", steps=[{"status": "DONE"}])
    ended = wait(SentinelHubBatchJobSensor, "deferred", request_id, include_geometry=True)
    assert "geometry" in ended.returned["PROCESSED"][0]


def test_tiles_that_cannot_be_read_do_not_hide_why_the_job_failed(emulator, wait, monkeypatch):
    request_id = emulator.add_job("process_v1", steps=[{"status": "FAILED", "error": "Evalscript broken"}])
    monkeypatch.setattr("airflow_sentinelhub.client.batch.BatchClient.tiles", _failing_once())
    ended = wait(SentinelHubBatchJobSensor, "deferred", request_id)
    assert type(ended.error) is exceptions.BatchFailed
    assert ended.api.xcoms["job"]["id"] == request_id
    assert "tiles of the job could not be read" in ended.log


def test_tiles_that_are_refused_fail_the_task(emulator, wait, monkeypatch):
    request_id = emulator.add_job("process_v1", steps=[{"status": "DONE"}])
    monkeypatch.setattr(
        "airflow_sentinelhub.client.batch.BatchClient.tiles",
        _failing_once(exceptions.Forbidden("No tiles for you.")),
    )
    ended = wait(SentinelHubBatchJobSensor, "deferred", request_id)
    assert type(ended.error) is exceptions.Forbidden


@pytest.mark.parametrize("mode", ["deferred", "poke"])
def test_tiles_are_waited_for_until_the_deadline_at_most(emulator, wait, mode, monkeypatch):
    monkeypatch.setattr("airflow_sentinelhub.client.batch.BatchClient.tiles", _failing_once(times=100))
    request_id = emulator.add_job("process_v1", steps=[{"status": "DONE"}])
    ended = wait(SentinelHubBatchJobSensor, mode, request_id, timeout=170)
    assert isinstance(ended.error, exceptions.ServiceUnavailable)
    assert ended.log.count("its result cannot be read now") == 3, "at once, after a minute, and after two"
    assert ended.api.xcoms["job"]["status"] == "DONE"


@every_mode
def test_the_beginning_is_told_once(emulator, wait, mode):
    request_id = emulator.add_job("process", steps=[*LIFE, {"status": "DONE"}])
    assert wait(SentinelHubBatchProcessJobSensor, mode, request_id).log.count("Waiting until") == 1


def test_below_3_3_a_stall_is_not_noticed_and_the_log_says_so(emulator, wait):
    request_id = emulator.add_job(
        "process", steps=[{"status": "PROCESSING", "completionPercentage": 42, "seconds": 600}, {"status": "DONE"}]
    )
    ended = wait(SentinelHubBatchProcessJobSensor, "reschedule below 3.3", request_id, stall_timeout=120)
    assert ended.state == "success"
    assert "stall_timeout has no effect" in ended.log


@pytest.mark.parametrize(
    ("given", "shortest", "longest"),
    [
        ({}, 60, 60),
        ({"exponential_backoff": True}, 600, 7200),
        ({"exponential_backoff": True, "max_wait": 70}, 70, 70),
        ({"exponential_backoff": True, "max_wait": 5}, 60, 60),
    ],
)
def test_exponential_backoff_makes_pauses_longer_never_shorter(
    emulator, clock, monkeypatch, given, shortest, longest
):
    _end_after(6, clock, monkeypatch)
    poke_once_a_minute(emulator, timeout=86_400, **given)
    assert min(clock.pauses) >= 60
    assert shortest <= max(clock.pauses) <= longest


@pytest.mark.parametrize("limit", LIMITS)
def test_exponential_backoff_does_not_miss_the_end(emulator, clock, monkeypatch, limit):
    _end_after(20, clock, monkeypatch)
    ended = poke_once_a_minute(emulator, **{limit: timedelta(seconds=1000)}, exponential_backoff=True)
    assert "TIMED OUT after" in str(ended.error)
    assert sum(clock.pauses) == pytest.approx(1000, abs=4)


@pytest.mark.parametrize(("interval", "pause"), [(60, 10), (3, 3)])
def test_below_3_3_what_may_not_last_is_read_again_in_the_same_process(emulator, clock, interval, pause):
    sensor = SentinelHubBatchProcessJobSensor(
        task_id="wait",
        request_id=emulator.add_job("process", steps=[{"status": "STOPPED"}]),
        sentinelhub_conn_id="sh",
        deferrable=False,
        mode="reschedule",
        poke_interval=interval,
    )
    forget_the_state_store(sensor)
    assert type(run(sensor).error) is exceptions.BatchStopped
    assert clock.pauses == [pause]


def poke_once_a_minute(emulator, **given):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    given = {"request_id": request_id, "sentinelhub_conn_id": "sh", "deferrable": False, **given}
    return run(SentinelHubBatchProcessJobSensor(task_id="wait", poke_interval=60, **given))


def _end_after(sleeps, clock, monkeypatch):
    """End the worker after so many sleeps."""
    sleep = clock.sleep

    def sleep_and_count(seconds):
        sleep(seconds)
        if len(clock.pauses) >= sleeps:
            raise InterruptedError

    monkeypatch.setattr(clock, "sleep", sleep_and_count)


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
    request_id = emulator.add_job("process_v1", steps=[{"status": "DONE"}])
    monkeypatch.setattr("airflow_sentinelhub.client.batch.BatchClient.tiles", _failing_once())
    ended = wait(SentinelHubBatchJobSensor, mode, request_id)
    assert ended.state == "success"
    assert "its result cannot be read now" in ended.log
    assert ended.api.xcoms["job"]["status"] == "DONE"


def _failing_once(error=None, times=1):
    from airflow_sentinelhub.client.batch import BatchClient

    error = error or exceptions.ServiceUnavailable("The service answers 503.")
    tiles, failures = BatchClient.tiles, [error] * times

    def sometimes(self, *arguments, **keywords):
        if failures:
            raise failures.pop()
        return tiles(self, *arguments, **keywords)

    return sometimes


@remembers
def test_what_was_remembered_of_another_job_is_not_used(emulator):
    """The state store outlives a clear, and the cleared task may wait for another job."""
    api = ExecutionApi()
    for status in ("STOPPED", "PARTIAL"):
        sensor = SentinelHubBatchProcessJobSensor(
            task_id="wait",
            request_id=emulator.add_job("process", steps=[{"status": status}]),
            sentinelhub_conn_id="sh",
            deferrable=False,
            mode="reschedule",
            timeout=3600 if status == "STOPPED" else 7200,
        )
        assert run(sensor, api).state == "up_for_reschedule"
        [stored] = api.store.values()
        deadlines = stored["value"]["deadlines"]
        assert stored["value"]["job_id"] == sensor.request_id
        assert deadlines["timeout_at"] - deadlines["started_at"] == sensor.timeout
        assert stored["value"]["wait"]["state"]["pending_outcome"] == status.lower()


@remembers
def test_a_retry_of_a_rescheduled_wait_has_its_own_execution_timeout(emulator, clock):
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
    api.first_reschedule = datetime.fromtimestamp(clock.now(), UTC)
    clock.advance(60)
    assert type(poke(api, 1).error) is exceptions.BatchTimeout
    assert poke(api, 2).state == "up_for_reschedule"


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode.startswith("reschedule")])
def test_a_connection_that_cannot_be_read_for_once_does_not_end_a_rescheduled_wait(
    emulator, wait, mode, monkeypatch
):
    from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook

    read, reads = SentinelHubHook.get_config, []

    def sometimes(hook):
        reads.append(hook)
        if 3 <= len(reads) <= 4:
            raise exceptions.ServiceUnavailable("The secrets backend did not answer.")
        return read(hook)

    monkeypatch.setattr(SentinelHubHook, "get_config", sometimes)
    steps = [{"status": "PROCESSING", "seconds": 300}, {"status": "DONE"}]
    ended = wait(SentinelHubBatchProcessJobSensor, mode, emulator.add_job("process", steps=steps))
    assert ended.state == "success", ended.error
    assert "secrets backend" in ended.log
    assert len(reads) > 4, "it was read again after that"


BROKEN = {
    "a number of 5,000 digits that is cut off": '{"id": "x", "costPU": ' + "9" * 5000,
    "a list": [],
    "no id": {"status": "DONE"},
    "another job": {"id": "6aa8765a-0000-4000-8000-000000000000", "status": "DONE"},
}


@every_mode
@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_job_that_cannot_be_read_ends_its_wait_with_a_clear_verdict(emulator, wait, mode, answer):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING"}])
    emulator.fault(status=200, body=answer, method="GET", path=request_id, times=None)
    ended = wait(SentinelHubBatchProcessJobSensor, mode, request_id, soft_fail=True)
    assert ended.state == "failed"
    assert type(ended.error) is exceptions.InvalidPayload
    assert request_id in str(ended.error)
    assert "could not be read" in str(ended.error)
    assert "left alone" in str(ended.error)


@every_mode
def test_a_job_that_vanishes_in_its_first_minutes(emulator, wait, mode):
    request_id = emulator.add_job("process", steps=[{"status": "PROCESSING", "seconds": 1}, {"status": "DONE"}])
    emulator.fault(status=404, method="GET", path=request_id, times=4, after=1)
    ended = wait(SentinelHubBatchProcessJobSensor, mode, request_id)
    assert ended.state == "success", ended.error
