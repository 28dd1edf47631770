"""The control interface: what a test or a demo does to the emulator, as paths and JSON (docs/emulator.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from airflow_sentinelhub.emulator import limits
from airflow_sentinelhub.emulator.faults import Fault
from airflow_sentinelhub.emulator.oauth import Realm
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.seeding import MOST_AT_ONCE
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.emulator.service_clock import checked_jump, checked_speed, wire
from airflow_sentinelhub.jobs import BatchApi, UserAction

CONTROL = "/_emulator"
Given = Mapping[str, Any]


class Refused(ValueError):
    """
    The control interface was given something that it does not understand.

    :param message: what is wrong with it.
    :param status: HTTP status.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


def control(service: Service, method: str, path: str, given: object) -> tuple[int, Any]:
    """
    Carry out one request to the control interface.

    :param path: below ``/_emulator``, as it stands in an address (percent-encoded).
    :param given: the body.
    :return: HTTP status and answer.
    :raises Refused: if that makes no sense.
    """
    if not isinstance(given, Mapping):
        raise Refused("The body must be a JSON object")
    segments = [unquote(segment) for segment in path.split("/") if segment]
    try:
        limits.check_depth(given, limits.DEEPEST_SCRIPTED)
    except ValueError as error:
        raise Refused(f"The body is too much: {error}") from None
    with service.lock:
        try:
            return _dispatch(service, method, segments, given)
        except KeyError as error:
            raise Refused(f"No such thing: {limits.brief(error.args[0] if error.args else path)}", 404) from None
        except Refused:
            raise
        except (ValueError, TypeError) as error:
            raise Refused(str(error)) from None


def _dispatch(service: Service, method: str, segments: list[str], given: Given) -> tuple[int, Any]:
    match method, segments:
        case "GET", []:
            return 200, _about(service)
        case "POST", ["jobs"]:
            return 201, {"id": _add_job(service, given)}
        case "POST", ["foreign-jobs"]:
            return 201, {"ids": _add_foreign_jobs(service, given)}
        case "GET", ["jobs"]:
            return 200, {"data": _all_jobs(service)}
        case "GET", ["jobs", job_id]:
            return 200, _shown(service, job_id)
        case "DELETE", ["jobs", job_id]:
            service.remove(job_id)
            return 200, {}
        case "PUT", ["jobs", job_id, "scenario"]:
            return 200, _set_scenario(service, job_id, given)
        case "PUT", ["scenario"]:
            service.default_scenario = Scenario.parse(given)
            return 200, {}
        case "POST", ["next-scenario"]:
            rest = dict(given)
            api = rest.pop("api", None)
            service.next_scenario(_scenario(service, rest), None if api is None else _api(api))
            return 201, {}
        case "POST", ["faults"]:
            return 201, {"id": service.faults.add(Fault.parse(given))}
        case "GET", ["faults"]:
            return 200, {
                "data": [{"id": number, **fault.public()} for number, fault in service.faults.all().items()]
            }
        case "DELETE", ["faults"]:
            service.faults.clear()
            return 200, {}
        case "DELETE", ["faults", number]:
            service.faults.clear(_number(number))
            return 200, {}
    return _dispatch_service(service, method, segments, given)


def _dispatch_service(service: Service, method: str, segments: list[str], given: Given) -> tuple[int, Any]:
    match method, segments:
        case "POST", ["clock"]:
            return 200, _clock(service, given)
        case "GET", ["settings"]:
            service.now()
            return 200, service.settings.public()
        case "PATCH", ["settings"]:
            service.configure(given)
            return 200, service.settings.public()
        case "POST", ["tokens", "revoke"]:
            service.tokens.revoke()
            return 200, {}
        case "GET", ["requests"]:
            return 200, service.traffic.counts()
        case "DELETE", ["requests"]:
            service.traffic.clear()
            return 200, {}
        case "POST", ["reset"]:
            service.reset()
            return 200, {}
    raise Refused(f"The control interface has no {method} {CONTROL}/{'/'.join(segments)}", 404)


def _about(service: Service) -> dict[str, Any]:
    return {
        "what": "Sentinel Hub emulator",
        "control": CONTROL + "/",
        "speed": service.clock.speed,
        "now": wire(service.clock.now()),
        "client_id": service.settings.client_id,
        "token_paths": {realm.value: realm.path for realm in Realm},
        "jobs": len(service.jobs.all()),
    }


def _scenario(service: Service, given: Given, base: Scenario | None = None) -> Scenario:
    return Scenario.parse(
        given.get("scenario", _without(given)), given.get("steps"), base or service.default_scenario
    )


def _without(given: Given) -> Given:
    return {name: value for name, value in given.items() if name != "steps"}


def _all_jobs(service: Service) -> list[dict[str, Any]]:
    return [{"api": job.api.value, **shown} for job, shown in service.shown(service.jobs.all())]


def _shown(service: Service, job_id: str) -> dict[str, Any]:
    shown = service.raw(service.jobs[job_id])
    if not shown:
        raise KeyError(job_id)
    return shown[0]


def _api(value: object) -> BatchApi:
    try:
        return BatchApi(str(value))
    except ValueError:
        raise Refused(f'"api" is one of {", ".join(BatchApi)}, but was {limits.brief(value)}') from None


def _number(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise Refused(f"A fault has a number, but was {limits.brief(value)}") from None


def _mapping(name: str, value: object) -> Given:
    if not isinstance(value, Mapping):
        raise Refused(f"{name} is an object, but was {limits.brief(value)}")
    return value


def _seconds(name: str, value: object) -> float:
    return limits.seconds(name, value, -limits.CENTURY)


def _add_job(service: Service, given: Given) -> str:
    rest = dict(given)
    if "api" not in rest:
        raise Refused(f'"api" is required: one of {", ".join(BatchApi)}')
    api = _api(rest.pop("api"))
    scenario = Scenario.parse(rest.pop("scenario", None), rest.pop("steps", None), service.default_scenario)
    action = rest.pop("user_action", None)
    values = _checked("A new job has", rest, _JOB_FIELDS)
    return service.add(api, scenario, user_action=None if action is None else UserAction(action), **values)


def _add_foreign_jobs(service: Service, given: Given) -> list[str]:
    rest = dict(given)
    api = _api(rest.pop("api", None))
    return service.add_foreign(api, **{"count": 1} | _checked("Foreign jobs have", rest, _FOREIGN_FIELDS))


_Check = Callable[[str, object], object]
_JOB_FIELDS: Mapping[str, _Check] = {
    "status": limits.text,
    "request": _mapping,
    "description": limits.text,
    "job_id": limits.text,
    "age": _seconds,
}
_FOREIGN_FIELDS: Mapping[str, _Check] = {
    "count": lambda name, value: limits.whole(name, value, 0, MOST_AT_ONCE),
    "status": limits.text,
    "age": _seconds,
    "every": _seconds,
}


def _checked(what: str, given: Given, fields: Mapping[str, _Check]) -> dict[str, Any]:
    """Return the fields that were given, except those that are null."""
    if unknown := sorted(set(given) - set(fields)):
        raise Refused(f"{what} no {', '.join(unknown)[:100]}; they have api, {', '.join(fields)}")
    return {
        name: check(f"{name!r} of a job", given[name])
        for name, check in fields.items()
        if given.get(name) is not None
    }


def _set_scenario(service: Service, job_id: str, given: Given) -> dict[str, Any]:
    job = service.jobs[job_id]
    base = replace(service.default_scenario, tile_count=job.scenario.tile_count, cost=job.scenario.cost)
    job.meet(_scenario(service, given, base), service.now())
    return _shown(service, job_id)


def _clock(service: Service, given: Given) -> dict[str, Any]:
    if unknown := sorted(set(given) - {"advance", "speed"}):
        raise Refused(f"The clock has no {', '.join(unknown)}; it has advance and speed")
    speed = checked_speed(given["speed"]) if "speed" in given else None
    jump = checked_jump(given.get("advance", 0.0))
    if speed is not None:
        service.clock.speed = speed
    service.clock.advance(jump)
    return {"now": wire(service.clock.now()), "speed": service.clock.speed}
