"""Request log: for tests of what polling costs, and proof that no job was stopped."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TypedDict

from airflow_sentinelhub.emulator.routing import Endpoint
from airflow_sentinelhub.emulator.service_clock import wire

_RECENT = 1000
_ALWAYS = ("create", "analyse", "start", "stop", "cancel", "restartpartial", "update", "delete")


@dataclass(slots=True)
class LoggedRequest:
    """
    One request.

    :param time: when it came, in real time.
    :param service_time: the same by the service's clock.
    :param status: HTTP status of the answer; ``None`` if there was none (yet).
    :param fault: kind of the fault that it ran into.
    """

    time: str
    service_time: str
    method: str
    path: str
    query: str
    user_agent: str
    status: int | None = None
    fault: str | None = None


class RequestCounts(TypedDict):
    """
    Counts of requests since the beginning or the last reset, without the control interface.

    ``by_path`` is keyed like ``GET /api/v2/batch/process/{id}``, ``by_api`` by API (and "token"), ``by_status`` by
    the HTTP status of the answer, for those that were answered; ``actions`` counts what was asked for, whether or
    not the service complied, ``recent`` holds the last 1,000.
    """

    total: int
    by_path: dict[str, int]
    by_api: dict[str, int]
    by_status: dict[str, int]
    actions: dict[str, int]
    recent: list[dict[str, object]]


class RequestLog:
    """Counts requests."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._by_path: Counter[str] = Counter()
        self._by_api: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()
        self._actions: Counter[str] = Counter()
        self._recent: deque[LoggedRequest] = deque(maxlen=_RECENT)

    def arrived(
        self, place: Endpoint, method: str, path: str, query: str, user_agent: str, service_time: datetime
    ) -> LoggedRequest:
        """Count a request; the caller fills in what became of it. Headers with secrets are not kept."""
        self._by_path[f"{method} {place.pattern}"] += 1
        self._by_api[place.api or "unknown"] += 1
        if place.action:
            self._actions[place.action] += 1
        seen = LoggedRequest(wire(datetime.now(UTC)), wire(service_time), method, path, query, user_agent)
        self._recent.append(seen)
        return seen

    def answered(self, seen: LoggedRequest, status: int) -> None:
        """Count what a request was answered with."""
        seen.status = status
        self._by_status[str(status)] += 1

    def counts(self) -> RequestCounts:
        """Return the numbers so far."""
        return {
            "total": self._by_path.total(),
            "by_path": dict(self._by_path),
            "by_api": dict(self._by_api),
            "by_status": dict(self._by_status),
            "actions": {name: self._actions[name] for name in _ALWAYS},
            "recent": [asdict(each) for each in self._recent],
        }
