"""How long the next attempt has to wait."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.jobs.backoff import backoff


@pytest.mark.parametrize(
    ("failures", "shortest", "longest"),
    [(0, 0.5, 1), (1, 1, 2), (2, 2, 4), (5, 16, 32), (6, 30, 60), (7, 30, 60), (10**9, 30, 60)],
)
def test_it_doubles_up_to_a_minute_and_half_of_it_is_random(failures, shortest, longest):
    assert (backoff(failures, 0.0), backoff(failures, 1.0)) == (shortest, longest)


def test_the_longest_can_be_longer():
    assert backoff(10**9, 1.0, longest=120.0) == 120


@pytest.mark.parametrize(
    ("failures", "retry_after", "jitter", "pause"),
    [
        (1, 0.0, 1.0, 2),
        (1, 100.0, 0.0, 100),
        # Those who were told the same do not come back at the same moment.
        (1, 100.0, 1.0, 110),
        # A service that goes on refusing is asked less and less often.
        (10, 1.0, 1.0, 60),
        # It may ask for more than our longest pause.
        (10, 120.0, 0.0, 120),
    ],
)
def test_what_the_service_wants_is_the_least(failures, retry_after, jitter, pause):
    assert backoff(failures, jitter, retry_after=retry_after) == pytest.approx(pause)
