"""Service time that goes by with the library's sleeps."""

from __future__ import annotations

from airflow_sentinelhub.emulator import Emulator


class StillWaiting(BaseException):
    """Raised out of a sleep to end what has no end. Not an ``Exception``, so that nothing can swallow it."""


class LibraryTime:
    """
    Stands in for the module ``time``: a sleep returns at once, and the service's clock moves instead.

    :param emulator: its clock must stand still otherwise.
    :param rests_after: service seconds after which nothing happens to the job any more.
    :param patience: how many sleeps may follow that before :class:`StillWaiting` is raised.
    """

    def __init__(self, emulator: Emulator, rests_after: float = 0.0, patience: int = 40) -> None:
        self._emulator = emulator
        self._rests_after = rests_after
        self._patience = patience
        self._passed = 0.0
        self.slept: list[float] = []
        self._sleeps_at_rest = 0
        self._asked_before: dict[str, int] = {}

    def monotonic(self) -> float:
        """Seconds that were slept so far."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """:raises StillWaiting: when it is enough."""
        if self._passed >= self._rests_after:
            if self._sleeps_at_rest == 0:
                self._asked_before = self._emulator.requests()["by_path"]
            self._sleeps_at_rest += 1
        if self._sleeps_at_rest > self._patience:
            raise StillWaiting(f"after {len(self.slept)} sleeps")
        self.slept.append(seconds)
        self._passed += seconds
        self._emulator.advance(seconds)

    @property
    def pauses(self) -> list[float]:
        """The sleeps, without those that only space two requests (0.05 s, section 3.5)."""
        return [seconds for seconds in self.slept if seconds > 0.051]

    @property
    def asked_in_vain(self) -> dict[str, int]:
        """Requests by path since the job came to rest, or since the first sleep after it."""
        by_path = self._emulator.requests()["by_path"]
        return {path: count - self._asked_before.get(path, 0) for path, count in by_path.items()}
