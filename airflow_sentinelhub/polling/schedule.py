"""Schedule of one wait: its interval, shifted so that many waits are due together."""

from __future__ import annotations

import math
from typing import NamedTuple

from airflow_sentinelhub.waits.observation import PollRequest

SCHEDULE_TOLERANCE = 0.2
"""Part of its interval by which a wait may be served too early or too late."""


class Slot(NamedTuple):
    """
    A wait's next turn, on the clock of the event loop.

    :param earliest: from then on it may come along with others.
    :param due: then it is asked for whether others are or not.
    """

    earliest: float
    due: float


def next_turn(request: PollRequest, asked_at: float, now: float, *, alone: bool) -> Slot:
    """
    Return when a poll is due.

    Waits of the same interval move to common times, the multiples of the interval: each comes a little early or
    late. One page of the list then serves all of them.

    :param request: the poll.
    :param asked_at: when the request of the previous poll was begun.
    :param now: when this one is asked for.
    :param alone: there is no other wait to come together with.
    """
    after = request.delay
    if request.exact or alone or after <= 0:
        return Slot(now + after, now + after)
    # The answer may have taken long; counting from there, those that are served late in a cycle would fall behind
    # those that are served early. But at least half an interval is left in peace.
    wanted = max(asked_at, now - after / 2) + after
    earliest, latest = wanted - SCHEDULE_TOLERANCE * after, wanted + SCHEDULE_TOLERANCE * after
    common = math.floor(wanted / after + 0.5) * after
    return Slot(earliest, min(max(earliest, common), latest))
