"""Things that go wrong on demand: which requests they hit, and how often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from airflow_sentinelhub.emulator.places import Place


class FaultKind(StrEnum):
    """
    What goes wrong.

    ``STATUS``: an HTTP status with an error body. ``DROP``: the connection is closed without an answer. ``CUT``:
    it is closed in the middle of the answer. ``HANG``: no answer, until the client gives up. ``SLOW``: the right
    answer, late. ``TRUNCATED``: a complete HTTP answer with 200, whose JSON ends in the middle. ``HTML``: a page
    instead of JSON. ``EMPTY``: no body. ``REDIRECT``: go elsewhere.
    """

    STATUS = "status"
    DROP = "drop"
    CUT = "cut"
    HANG = "hang"
    SLOW = "slow"
    TRUNCATED = "truncated"
    HTML = "html"
    EMPTY = "empty"
    REDIRECT = "redirect"


class ErrorShape(StrEnum):
    """How an error body looks: in ``{"error": ...}``, without that (rate limiting), or absent."""

    WRAPPED = "wrapped"
    FLAT = "flat"
    NONE = "none"


@dataclass(slots=True, kw_only=True)
class Fault:
    """
    A switch that is on.

    :param kind: what goes wrong.
    :param method: only requests with this method. Default: any.
    :param path: only paths in which this regular expression is found. Default: any.
    :param api: only this API: "process", "statistical", "process_v1", "tilinggrids" or "token". Default: any.
    :param after: this many matching requests are answered normally first.
    :param times: how many requests it hits; ``None`` until it is cleared.
    :param status: HTTP status. Default: 500, for a redirect 307, for ``html`` and ``empty`` 200.
    :param shape: of the error body. Default: flat for 429, otherwise wrapped.
    :param message: text in the error body. Default: the service's usual one.
    :param retry_after: the header, as it is to be sent: milliseconds, seconds, a date, nonsense.
    :param body: what to send instead of an error body: text as it is, anything else as JSON.
    :param location: where a redirect leads.
    :param seconds: delay of a slow answer, in real seconds.
    :param carried_out: the request takes effect all the same, and only its answer is lost.
    :param hits: requests that it has hit.
    """

    kind: FaultKind = FaultKind.STATUS
    method: str | None = None
    path: str | None = None
    api: str | None = None
    after: int = 0
    times: int | None = 1
    status: int | None = None
    shape: ErrorShape | None = None
    message: str | None = None
    body: Any = None
    retry_after: str | None = None
    location: str | None = None
    seconds: float = 1.0
    carried_out: bool = False
    hits: int = 0

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Fault:
        """
        Read a fault as the control interface takes it.

        :raises ValueError: for an unknown name, or a value that makes no sense.
        """
        known = {each.name for each in fields(cls)} - {"hits"}
        if unknown := sorted(set(given) - known):
            raise ValueError(f"A fault has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        values = dict(given)
        values["kind"] = FaultKind(values.get("kind", FaultKind.STATUS))
        if values.get("shape") is not None:
            values["shape"] = ErrorShape(values["shape"])
        if values.get("retry_after") is not None:
            values["retry_after"] = str(values["retry_after"])
        for name in ("after", "times", "status"):
            if not isinstance(values.get(name), int | None):
                raise ValueError(f"{name!r} of a fault must be a whole number, but was {values[name]!r}")
        fault = cls(**values)
        if fault.path is not None:
            try:
                re.compile(fault.path)
            except re.error as error:
                raise ValueError(f"{fault.path!r} is no regular expression: {error}") from None
        if fault.kind is FaultKind.REDIRECT and not fault.location:
            raise ValueError('A redirect needs a "location"')
        return fault

    def matches(self, place: Place, method: str, path: str) -> bool:
        """Whether it is meant for this request."""
        return (
            (self.method is None or self.method.upper() == method)
            and (self.path is None or re.search(self.path, path) is not None)
            and (self.api is None or self.api == place.api)
        )

    def public(self) -> dict[str, Any]:
        """As the control interface shows it."""
        return asdict(self)


class FaultSwitches:
    """The faults that are on, in the order in which they were added; the first that matches wins."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._last = 0

    def add(self, fault: Fault) -> int:
        """Turn a fault on; the number turns it off again."""
        self._last += 1
        self._faults[self._last] = fault
        return self._last

    def clear(self, number: int | None = None) -> None:
        """
        Turn a fault off, or all of them.

        :raises KeyError: if there is none of that number (any more).
        """
        if number is None:
            self._faults.clear()
        else:
            del self._faults[number]

    def all(self) -> dict[int, Fault]:
        """What is on, by number."""
        return dict(self._faults)

    def strike(self, place: Place, method: str, path: str) -> Fault | None:
        """The fault that hits this request, if any; used up, it is off."""
        for number, fault in self._faults.items():
            if not fault.matches(place, method, path):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.hits += 1
            if fault.times is not None and fault.hits >= fault.times:
                del self._faults[number]
            return fault
        return None
