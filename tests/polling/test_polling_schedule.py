"""When it is whose turn, as a table, and that many waits come together without any of them losing its interval."""

from __future__ import annotations

import pytest

from airflow_sentinelhub.polling.schedule import SCHEDULE_TOLERANCE, next_turn
from airflow_sentinelhub.waits.observation import PollRequest


@pytest.mark.parametrize(
    ("look", "asked_at", "now", "alone", "turn"),
    [
        (PollRequest(60), 120, 121, False, (168, 180)),  # on the common moment
        (PollRequest(60), 125, 126, False, (173, 180)),  # 5 s early, to get there
        (PollRequest(60), 115, 116, False, (163, 180)),  # 5 s late
        (PollRequest(60), 145, 146, False, (193, 193)),  # as early as it may be
        (PollRequest(60), 155, 156, False, (203, 227)),  # as late as it may be
        (PollRequest(60), 120, 145, False, (168, 180)),  # a long cycle does not postpone the next one
        (PollRequest(60), 120, 180, False, (198, 222)),  # but one that is longer than half an interval does
        (PollRequest(60), 150, 151, True, (211, 211)),  # alone there is nobody to meet
        (PollRequest(60, exact=True), 150, 151, False, (211, 211)),
        (PollRequest(0), 150, 151, False, (151, 151)),
    ],
)
def test_turn(look, asked_at, now, alone, turn):
    assert next_turn(look, asked_at, now, alone=alone) == pytest.approx(turn)


@pytest.mark.parametrize("interval", [0.1, 7.0, 10.0, 60.0, 3600.0])
def test_whoever_comes_alone_at_first_is_with_the_others_after_three_turns(interval):
    for start in (0.0, 0.03, 0.21, 0.5, 0.77, 0.99):
        at = start * interval
        for _ in range(3):
            due = next_turn(PollRequest(interval), at, at, alone=False).due
            assert (
                (1 - SCHEDULE_TOLERANCE) * interval - 1e-9
                <= due - at
                <= (1 + SCHEDULE_TOLERANCE) * interval + 1e-9
            )
            at = due
        assert at / interval == pytest.approx(round(at / interval))
