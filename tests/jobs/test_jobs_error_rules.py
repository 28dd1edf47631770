"""What a look that failed means for a wait: mostly nothing."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.exceptions import (
    BadRequest,
    Forbidden,
    InvalidConnection,
    InvalidCredentials,
    InvalidPayload,
    NotFound,
    RateLimited,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_sentinelhub.jobs import (
    BatchApi,
    BatchJob,
    MissingJob,
    Outcome,
    WaitGoal,
    WaitPolicy,
    WaitState,
    error_delay,
    evaluate,
    evaluate_error,
)

JOB_ID = "6aa8765a-0000-4000-8000-000000000000"
POLICY = WaitPolicy(poke_interval=120, analysis_poke_interval=10, outage_tolerance=3600)
SEEN = object()
WAITING = Outcome.WAITING


def judge(*looks, policy=POLICY):
    memory, verdict, result = WaitState(), None, []
    for at, look in looks:
        if look is SEEN or isinstance(look, MissingJob):
            job = BatchJob.from_payload(BatchApi.PROCESS, {"id": JOB_ID, "status": "PROCESSING"})
            job = job if look is SEEN else look
            verdict, memory = evaluate(job, WaitGoal.COMPLETION, policy, at, memory)
        else:
            verdict, memory = evaluate_error(look, BatchApi.PROCESS, JOB_ID, policy, at, memory)
        result.append(verdict)
    return result


def outcomes(*looks, **keywords):
    return [verdict.outcome for verdict in judge(*looks, **keywords)]


@pytest.mark.parametrize("weather", [ServiceUnavailable("503"), RateLimited("429", retry_after=3)])
def test_an_outage_ends_the_wait_only_when_it_outlasts_the_tolerance(weather):
    every_minute = [(60.0 * n, weather) for n in range(62)]
    seen = outcomes((0, SEEN), *every_minute)
    assert seen[:61] == [WAITING] * 61
    assert seen[61] is Outcome.UNAVAILABLE


def test_an_outage_is_over_with_one_good_look():
    weather = ServiceUnavailable("503")
    looks = [(60.0 * n, SEEN if n == 30 else weather) for n in range(85)]
    assert set(outcomes(*looks)) == {WAITING}


@pytest.mark.parametrize(("interval", "pause"), [(10, 60), (600, 600), (600, 1200)])
def test_an_outage_counts_in_full_however_long_the_interval(interval, pause):
    policy = WaitPolicy(poke_interval=interval, analysis_poke_interval=10, outage_tolerance=3600)
    looks = [(float(pause * n), ServiceUnavailable("503")) for n in range(3600 // pause + 1)]
    assert outcomes(*looks, policy=policy) == [*[WAITING] * (len(looks) - 1), Outcome.UNAVAILABLE]


def test_a_clock_that_is_set_back_does_not_shorten_an_outage():
    minutes = [*range(40), *range(-20, 2)]
    assert outcomes(*[(60.0 * n, ServiceUnavailable("503")) for n in minutes])[-1] is Outcome.UNAVAILABLE


def test_a_refusal_between_two_answers_counts_from_new():
    missing = MissingJob(BatchApi.PROCESS, JOB_ID)
    assert outcomes((0, Forbidden("no")), (120, missing), (240, Forbidden("no"))) == [WAITING] * 3


def test_a_verdict_carries_the_words_of_the_service():
    [_, verdict] = judge(*[(at, Forbidden("no", service_message="No batch plan")) for at in (0, 120)])
    assert verdict.exception().service_message == "No batch plan"


def test_time_in_which_nobody_asked_is_no_outage():
    weather = ServiceUnavailable("503")
    # Frozen for ten hours between the first and the second failure.
    assert set(outcomes((0, weather), (36_000, weather), (36_060, weather), (36_120, weather))) == {WAITING}


def test_two_failures_are_no_outage_however_far_apart():
    weather = ServiceUnavailable("503")
    tolerant = WaitPolicy(poke_interval=86_400, analysis_poke_interval=10, outage_tolerance=60)
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
    assert outcomes((0, error), (119, error), (120, error)) == [WAITING, WAITING, outcome]
    assert outcomes((0, error), (120, SEEN), (240, error)) == [WAITING] * 3


@pytest.mark.parametrize("error", [Unauthorized("401 on a new token"), NotFound("a gateway's page")])
def test_what_does_not_come_from_the_service_itself_is_weather_once_the_job_was_seen(error):
    looks = [(0, SEEN), *[(120.0 * n, error) for n in range(1, 20)]]
    assert set(outcomes(*looks)) == {WAITING}
    assert outcomes((0, error), (120, error)) == [WAITING, Outcome.REFUSED], "a wrong address shows soon"


def test_an_answer_that_cannot_be_read_counts_with_the_third_reading():
    broken = InvalidPayload("It has no id")
    assert outcomes((0, SEEN), (10, broken), (129, broken), (130, broken), (249, broken), (250, broken)) == [
        *[WAITING] * 5,
        Outcome.UNREADABLE,
    ]
    assert outcomes((0, broken), (120, broken), (240, SEEN), (360, broken)) == [WAITING] * 4
    verdicts = judge(*[(at, broken) for at in (0, 120, 240)])
    assert [verdict.warn for verdict in verdicts] == [True, False, False]
    error = verdicts[-1].exception()
    assert type(error) is InvalidPayload
    assert error.job_id == JOB_ID
    for words in (JOB_ID, "It has no id.", "left alone", "support", "clear this task"):
        assert words in str(error)
    assert not verdicts[-1].is_about_the_job
    assert error_delay(broken, POLICY, WaitState(), 0.5) == 120


def test_credentials_that_are_known_to_have_worked_get_a_second_chance():
    """A restarted triggerer remembers nothing; a wait that is old would be over if they had not."""
    _, memory = evaluate_error(
        InvalidCredentials("no"), BatchApi.PROCESS, JOB_ID, POLICY, 0, WaitState(credentials_verified=True)
    )
    assert memory.pending_outcome == "invalid_credentials"


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
        (ServiceUnavailable("503"), 10_000, 1.0, 120.0),
        (RateLimited("429", retry_after=7.0), 1, 0.0, 7.0),
        (RateLimited("429", retry_after=7.0), 1, 1.0, 7.7),
        (InvalidCredentials("no"), 0, 0.5, 60.5),
        (Forbidden("no"), 0, 0.5, 120.0),
    ],
)
def test_pause(error, failures, jitter, pause):
    assert error_delay(error, POLICY, WaitState(outage_failures=failures), jitter) == pytest.approx(pause)


def test_the_longest_pause_is_a_minute_even_if_looks_are_more_frequent():
    often = WaitPolicy(poke_interval=5, analysis_poke_interval=5)
    assert error_delay(ServiceUnavailable("503"), often, WaitState(outage_failures=100), 1.0) == 60.0
