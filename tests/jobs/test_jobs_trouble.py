"""What a look that failed means for a wait: mostly nothing."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.exceptions import (
    BadRequest,
    Forbidden,
    InvalidConnection,
    InvalidCredentials,
    InvalidPayload,
    RateLimited,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    Goal,
    Memory,
    Outcome,
    Policy,
    assess,
    assess_trouble,
    pause_after,
)

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
POLICY = Policy(poll_interval=120, analysis_poll_interval=10, outage_tolerance=3600)
SEEN = object()
WAITING = Outcome.WAITING


def judge(*looks, policy=POLICY):
    memory, verdict, result = Memory(), None, []
    for at, look in looks:
        if look is SEEN:
            job = BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID, "status": "PROCESSING"})
            verdict, memory = assess(job, Goal.COMPLETION, policy, at, memory)
        else:
            verdict, memory = assess_trouble(look, BatchApi.PROCESS, JOB_ID, policy, at, memory)
        result.append(verdict)
    return result


def outcomes(*looks, **keywords):
    return [verdict.outcome for verdict in judge(*looks, **keywords)]


@pytest.mark.parametrize(
    "weather", [ServiceUnavailable("503"), RateLimited("429", retry_after=3), InvalidPayload("no id")]
)
def test_an_outage_ends_the_wait_only_when_it_outlasts_the_tolerance(weather):
    every_minute = [(60.0 * n, weather) for n in range(62)]
    seen = outcomes((0, SEEN), *every_minute)
    assert seen[:61] == [WAITING] * 61
    assert seen[61] is Outcome.UNAVAILABLE


def test_an_outage_is_over_with_one_good_look():
    weather = ServiceUnavailable("503")
    looks = [(60.0 * n, SEEN if n == 30 else weather) for n in range(85)]
    assert set(outcomes(*looks)) == {WAITING}


def test_time_in_which_nobody_asked_is_no_outage():
    weather = ServiceUnavailable("503")
    # Frozen for ten hours between the first and the second failure.
    assert set(outcomes((0, weather), (36_000, weather), (36_060, weather), (36_120, weather))) == {WAITING}


def test_two_failures_are_no_outage_however_far_apart():
    weather = ServiceUnavailable("503")
    tolerant = Policy(poll_interval=86_400, analysis_poll_interval=10, outage_tolerance=60)
    assert outcomes((0, weather), (100_000, weather), (100_001, weather), policy=tolerant) == [
        WAITING,
        WAITING,
        Outcome.UNAVAILABLE,
    ]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InvalidCredentials("wrong secret"), Outcome.INVALID_CREDENTIALS),
        (InvalidConnection("host is empty"), Outcome.INVALID_CONNECTION),
    ],
)
def test_credentials(error, outcome):
    assert outcomes((0, error)) == [outcome], "they never worked: at once"
    assert outcomes((0, SEEN), (120, error), (179, error), (180, error)) == [WAITING, WAITING, WAITING, outcome]
    assert outcomes((0, SEEN), (120, error), (130, SEEN), (250, error)) == [WAITING] * 4, "mended meanwhile"
    # An outage between the two refusals proves nothing either way.
    assert outcomes((0, SEEN), (120, error), (150, ServiceUnavailable("503")), (180, error))[-1] is outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Forbidden("no batch plan"), Outcome.FORBIDDEN),
        (Unauthorized("another deployment"), Outcome.REFUSED),
        (BadRequest("bad"), Outcome.REFUSED),
    ],
)
def test_a_refusal_counts_when_it_is_repeated(error, outcome):
    assert outcomes((0, error), (9, error), (10, error)) == [WAITING, WAITING, outcome]
    assert outcomes((0, error), (10, SEEN), (130, error)) == [WAITING] * 3


def test_messages_say_that_the_job_was_left_alone():
    every_minute = [(60.0 * n, ServiceUnavailable("The service answers 503.")) for n in range(62)]
    message = judge(*every_minute)[-1].message
    assert JOB_ID in message
    assert "The service answers 503." in message
    assert "left alone" in message


@pytest.mark.parametrize(
    ("error", "failures", "jitter", "pause"),
    [
        (ServiceUnavailable("503"), 1, 1.0, 2.0),
        (ServiceUnavailable("503"), 1, 0.0, 1.0),
        (ServiceUnavailable("503"), 4, 1.0, 16.0),
        (ServiceUnavailable("503"), 100, 1.0, 120.0),
        (RateLimited("429", retry_after=7.0), 100, 0.0, 7.0),
        (RateLimited("429", retry_after=7.0), 1, 1.0, 7.7),
        (InvalidCredentials("no"), 0, 0.5, 60.5),
        (Forbidden("no"), 0, 0.5, 10.0),
    ],
)
def test_pause(error, failures, jitter, pause):
    assert pause_after(error, POLICY, Memory(outage_failures=failures), jitter) == pytest.approx(pause)
