"""Circuit breaker of one poller."""

from __future__ import annotations

from collections.abc import Callable

from airflow_sentinelhub.exceptions import (
    InvalidConnection,
    InvalidCredentials,
    RateLimited,
    RequestRefused,
    SentinelHubError,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_sentinelhub.jobs.backoff import backoff

ENOUGH = 3
"""Number of different requests that fail, with no answer in between, and mean an outage."""


def is_service_wide(error: SentinelHubError) -> bool:
    """Return whether an error may have nothing to do with the job that was asked for."""
    # A refusal that is none of the known kinds comes from the token endpoint, or from something in between.
    return (
        isinstance(error, ServiceUnavailable | Unauthorized | InvalidCredentials | InvalidConnection)
        or type(error) is RequestRefused
    )


def is_of_account(error: SentinelHubError) -> bool:
    """Return whether an error concerns the whole account, so that no other request would be answered."""
    return isinstance(error, RateLimited | InvalidCredentials | InvalidConnection) or (
        isinstance(error, ServiceError) and error.of_account
    )


class CircuitBreaker:
    """
    Trouble as one poller meets it.

    One job whose requests fail, while others are answered, has an error of its own. It is an outage when nothing
    else is heard any more.

    :param random: gives numbers from 0 to 1, which keep triggerers from coming back together.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failed: set[str] = set()
        self._attempts = 0
        self.retry_at = 0.0

    def record_success(self) -> None:
        """Record that the service answered."""
        if self._failed:
            self._failed.clear()
            self._attempts = 0
            self.retry_at = 0.0

    def record_failure(self, asked: str, error: SentinelHubError, watched: int) -> bool:
        """
        Record that a request failed.

        :param asked: the job, or whatever else was asked for.
        :param watched: how many jobs there are.
        :return: whether it is an outage, so that requests for other jobs would fail, too.
        """
        # A 429 is never the job's own.
        self._failed.add(f"429 {len(self._failed)}" if isinstance(error, RateLimited) else asked)
        refused = isinstance(error, InvalidCredentials | InvalidConnection)
        return refused or len(self._failed) >= min(ENOUGH, watched)

    @property
    def is_open(self) -> bool:
        """True if an outage was reported and no answer came since: one request is enough for a probe."""
        return self._attempts > 0

    def trip(self, error: SentinelHubError, now: float) -> None:
        """
        Open the breaker for a while, which grows with each attempt.

        :param now: on the clock of the event loop.
        """
        self._attempts += 1
        retry_after = error.retry_after if isinstance(error, ServiceError) else None
        self.retry_at = now + backoff(self._attempts, self._random(), retry_after=retry_after)
