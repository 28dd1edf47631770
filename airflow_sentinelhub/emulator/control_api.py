"""The control interface: what a test or a demo does to the emulator, as paths and JSON (docs/emulator.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from airflow_sentinelhub.emulator.clock import wire
from airflow_sentinelhub.emulator.fates import Fate
from airflow_sentinelhub.emulator.faults import Fault
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.emulator.tokens import Realm
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

    :param path: below ``/_emulator``.
    :param given: the body.
    :return: HTTP status and answer.
    :raises Refused: if that makes no sense.
    """
    if not isinstance(given, Mapping):
        raise Refused("The body must be a JSON object")
    segments = [segment for segment in path.split("/") if segment]
    with service.lock:
        try:
            return _dispatch(service, method, segments, given)
        except KeyError as error:
            raise Refused(f"No such thing: {error.args[0] if error.args else path}", 404) from None
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
            return 200, service.raw(service.jobs[job_id])[0]
        case "DELETE", ["jobs", job_id]:
            service.remove(job_id)
            return 200, {}
        case "PUT", ["jobs", job_id, "fate"]:
            return 200, _set_fate(service, job_id, given)
        case "PUT", ["fate"]:
            service.default_fate = Fate.parse(given)
            return 200, {}
        case "POST", ["next-fate"]:
            rest = dict(given)
            api = rest.pop("api", None)
            service.next_fate(_fate(service, rest), None if api is None else BatchApi(api))
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
            service.faults.clear(int(number))
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


def _fate(service: Service, given: Given, base: Fate | None = None) -> Fate:
    return Fate.parse(given.get("fate", _without(given)), given.get("steps"), base or service.default_fate)


def _without(given: Given) -> Given:
    return {name: value for name, value in given.items() if name != "steps"}


def _all_jobs(service: Service) -> list[dict[str, Any]]:
    jobs = service.jobs.all()
    return [{"api": job.api.value, **shown} for job, shown in zip(jobs, service.raw(*jobs), strict=True)]


def _add_job(service: Service, given: Given) -> str:
    rest = dict(given)
    if "api" not in rest:
        raise Refused(f'"api" is required: one of {", ".join(BatchApi)}')
    api = BatchApi(rest.pop("api"))
    fate = Fate.parse(rest.pop("fate", None), rest.pop("steps", None), service.default_fate)
    action = rest.pop("user_action", None)
    known: dict[str, Callable[[Any], Any]] = {
        "status": str,
        "request": dict,
        "description": str,
        "job_id": str,
        "age": float,
    }
    if unknown := sorted(set(rest) - set(known)):
        raise Refused(f"A new job has no {', '.join(unknown)}")
    values = {name: convert(rest[name]) for name, convert in known.items() if rest.get(name) is not None}
    return service.add(api, fate, user_action=None if action is None else UserAction(action), **values)


def _add_foreign_jobs(service: Service, given: Given) -> list[str]:
    known: dict[str, Callable[[Any], Any]] = {"count": int, "status": str, "age": float, "every": float}
    if unknown := sorted(set(given) - {"api", *known}):
        raise Refused(f"Foreign jobs have no {', '.join(unknown)}; they have api, {', '.join(known)}")
    values = {"count": 1} | {name: known[name](given[name]) for name in known if given.get(name) is not None}
    return service.add_foreign(BatchApi(str(given.get("api"))), **values)


def _set_fate(service: Service, job_id: str, given: Given) -> dict[str, Any]:
    job = service.jobs[job_id]
    base = replace(service.default_fate, tile_count=job.fate.tile_count, cost=job.fate.cost)
    job.meet(_fate(service, given, base), service.now())
    return service.raw(job)[0]


def _clock(service: Service, given: Given) -> dict[str, Any]:
    if unknown := sorted(set(given) - {"advance", "speed"}):
        raise Refused(f"The clock has no {', '.join(unknown)}; it has advance and speed")
    if "speed" in given:
        service.clock.speed = float(given["speed"])
    service.clock.advance(float(given.get("advance", 0.0)))
    return {"now": wire(service.clock.now()), "speed": service.clock.speed}
