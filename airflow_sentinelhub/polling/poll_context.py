"""State that the cycles of one poller share."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_sentinelhub.jobs.formatting import format_duration
from airflow_sentinelhub.polling.circuit_breaker import CircuitBreaker
from airflow_sentinelhub.polling.list_index import ListIndex
from airflow_sentinelhub.polling.requester import Requester
from airflow_sentinelhub.polling.subscription import Subscription

if TYPE_CHECKING:
    from airflow_sentinelhub.polling.poller import PollCycle

log = logging.getLogger(__name__)


@dataclass(slots=True)
class PollContext:
    """
    State that the cycles of a poller share.

    :param requester: sends requests.
    :param breaker: how it goes with the service.
    :param watched: all jobs that are watched, whether it is their turn or not, with the waits for each.
    :param walk: the cycle that reads the list now. There is one at a time: a second one would read the same pages.
    :param stretched: pages and interval, if the list took longer to read than the interval and that was logged.
    """

    requester: Requester
    breaker: CircuitBreaker
    watched: dict[str, set[Subscription]] = field(default_factory=dict)
    walk: PollCycle | None = None
    stretched: tuple[int, float] | None = None
    list_index: ListIndex = field(init=False)

    def __post_init__(self) -> None:
        self.list_index = ListIndex(self.watched.keys())

    def log_walk(self, pages: int, took: float, intervals: Iterable[float]) -> None:
        """
        Log once that the list takes longer to read than an interval, and once that it does not any more.

        :param pages: how many were read.
        :param took: seconds for all of them.
        :param intervals: seconds, of the waits that came due meanwhile and are served by the next walk.
        """
        interval = min((seconds for seconds in intervals if seconds > 0), default=math.inf)
        if took > interval and self.stretched is None:
            self.stretched = (pages, interval)
            log.warning(
                "Reading %d pages of the list of jobs takes %s, so jobs are polled every %s and not every %s.",
                pages,
                *(format_duration(seconds) for seconds in (took, took, interval)),
            )
        elif self.stretched is not None and pages >= self.stretched[0] and took <= self.stretched[1]:
            self.stretched = None
            log.info(
                "Reading %d pages of the list of jobs takes %s: jobs are polled at their intervals again.",
                pages,
                format_duration(took),
            )
