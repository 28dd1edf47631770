"""Things that go wrong on demand: which requests they hit, and how often."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from airflow_sentinelhub.emulator import limits
from airflow_sentinelhub.emulator.routing import TILING_GRIDS, TOKEN, Endpoint
from airflow_sentinelhub.jobs import BatchApi


class FaultKind(StrEnum):
    """
    Kind of a fault.

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
    """Shape of an error body: in ``{"error": ...}``, without that (rate limiting), or absent."""

    WRAPPED = "wrapped"
    FLAT = "flat"
    NONE = "none"


WITHOUT_BODY = frozenset({204, 205, 304})


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
        if type(values.get("retry_after")) in (int, float):
            values["retry_after"] = str(values["retry_after"])
        for name, check in _CHECKS.items():
            if values.get(name) is not None:
                values[name] = check(f"{name!r} of a fault", values[name])
        for name in _NEVER_NULL:
            if name in values and values[name] is None:
                raise ValueError(f"{name!r} of a fault cannot be null")
        fault = cls(**values)
        if fault.kind is FaultKind.REDIRECT and not fault.location:
            raise ValueError('A redirect needs a "location"')
        if fault.kind in (FaultKind.CUT, FaultKind.TRUNCATED) and fault.status in WITHOUT_BODY:
            raise ValueError(f"An answer with status {fault.status} has no body that could end in the middle")
        return fault

    def matches(self, place: Endpoint, method: str, path: str) -> bool:
        """Return whether it is meant for this request."""
        return (
            (self.method is None or self.method.upper() == method)
            and (self.path is None or re.search(self.path, path) is not None)
            and (self.api is None or self.api == place.api)
        )

    def public(self) -> dict[str, Any]:
        """As the control interface shows it."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def _shape(_: str, value: object) -> ErrorShape:
    return ErrorShape(str(value))


def _path(name: str, value: object) -> str:
    try:
        re.compile(limits.text(name, value))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{limits.brief(value)} is no regular expression: {error}") from None
    return str(value)


def _api(name: str, value: object) -> str:
    if value not in _APIS:
        raise ValueError(f"{name} is one of {', '.join(_APIS)}, but was {limits.brief(value)}")
    return str(value)


def _body(_: str, value: object) -> object:
    limits.check_depth(value, limits.DEEPEST_SCRIPTED)
    return value


_APIS = (*BatchApi, TILING_GRIDS, TOKEN)
_MANY = 10**9
_CHECKS: Mapping[str, Callable[[str, object], object]] = {
    "method": limits.text,
    "path": _path,
    "api": _api,
    "after": lambda name, value: limits.whole(name, value, 0, _MANY),
    "times": lambda name, value: limits.whole(name, value, 1, _MANY),
    "status": limits.status,
    "shape": _shape,
    "message": limits.text,
    "body": _body,
    "retry_after": limits.header,
    "location": limits.header,
    "seconds": lambda name, value: limits.number(name, value, 0, limits.REAL_SECONDS),
    "carried_out": limits.flag,
}
_NEVER_NULL = ("after", "seconds", "carried_out")


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
        """Return what is on, by number."""
        return dict(self._faults)

    def strike(self, place: Endpoint, method: str, path: str) -> Fault | None:
        """Return the fault that hits this request, if any; used up, it is off."""
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
