"""The control interface as Python methods, from this process or from another one."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, cast

from airflow_sentinelhub.emulator.control_api import CONTROL
from airflow_sentinelhub.emulator.oauth import Realm
from airflow_sentinelhub.emulator.request_log import RequestCounts

Steps = Sequence[Mapping[str, Any]]


class Control(ABC):
    """
    Control of an emulator by a test or a demo.

    Every method raises :class:`ValueError` with the reason if the emulator does not understand it. APIs are
    "process", "statistical" and "process_v1" (:class:`~airflow_sentinelhub.jobs.BatchApi`).
    """

    @property
    @abstractmethod
    def url(self) -> str:
        """Base URL, without a trailing slash: what ``sh_base_url`` is for the real service."""

    @abstractmethod
    def _call(self, method: str, path: str, given: Mapping[str, Any] | None = None) -> Any:
        """Ask the control interface."""

    @property
    def auth_url(self) -> str:
        """Token URL of the main realm."""
        return self.url + Realm.MAIN.path

    @property
    def cdse_auth_url(self) -> str:
        """Token URL of the CDSE realm."""
        return self.url + Realm.CDSE.path

    @property
    def client_id(self) -> str:
        """The OAuth client that the emulator knows."""
        return str(self._call("GET", "/")["client_id"])

    def add_job(
        self,
        api: str,
        *,
        status: str | None = None,
        user_action: str | None = None,
        scenario: Mapping[str, Any] | None = None,
        steps: Steps | None = None,
        request: Mapping[str, Any] | None = None,
        description: str | None = None,
        job_id: str | None = None,
        age: float = 0.0,
    ) -> str:
        """
        Put a job into the service.

        :param status: where its life begins. Default: CREATED and started a moment ago. ``"CREATED"`` alone means
            never started; ANALYSING and ANALYSIS_DONE mean that an analysis was asked for, but no start.
        :param user_action: another last action of its user, e.g. "START" with "ANALYSIS_DONE".
        :param scenario: lengths and end, see :class:`~airflow_sentinelhub.emulator.scenario.Scenario`.
        :param steps: its whole life, instead.
        :param request: its request. Default: an example from the documentation.
        :param description: of the request.
        :param job_id: Default: a new UUID.
        :param age: service seconds since it was created; below 0, it appears that much later.
        :return: its id.
        """
        given = {
            "api": str(api),
            "status": status,
            "user_action": user_action,
            "scenario": scenario,
            "steps": steps,
            "request": request,
            "description": description,
            "job_id": job_id,
            "age": age,
        }
        return str(self._call("POST", "/jobs", _present(given))["id"])

    def add_foreign_jobs(
        self, api: str, count: int = 1, *, status: str = "DONE", age: float = 0.0, every: float = 0.0
    ) -> list[str]:
        """
        Add jobs of other people of the account, which fill the pages of lists.

        :param status: of all of them.
        :param age: service seconds since the first one was created.
        :param every: service seconds between two of them. Those in the future appear when their time has come.
        :return: their ids, oldest first.
        """
        given = {"api": str(api), "count": count, "status": status, "age": age, "every": every}
        return cast("list[str]", self._call("POST", "/foreign-jobs", given)["ids"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Return what the service says of a job; costs no request."""
        return cast("dict[str, Any]", self._call("GET", f"/jobs/{_quoted(job_id)}"))

    def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs, oldest first, each with its ``api``."""
        return cast("list[dict[str, Any]]", self._call("GET", "/jobs")["data"])

    def remove_job(self, job_id: str) -> None:
        """Remove a job: the service answers 404 from now on."""
        self._call("DELETE", f"/jobs/{_quoted(job_id)}")

    def set_scenario(
        self, job_id: str, scenario: Mapping[str, Any] | None = None, *, steps: Steps | None = None
    ) -> None:
        """
        Set another scenario for a job, from where it is now.

        :param scenario: what is left out has its default. A job that is over can only be given ``steps``.
        """
        self._call(
            "PUT", f"/jobs/{_quoted(job_id)}/scenario", _present({"scenario": scenario or {}, "steps": steps})
        )

    def next_scenario(
        self, scenario: Mapping[str, Any] | None = None, *, steps: Steps | None = None, api: str | None = None
    ) -> None:
        """
        Set the scenario of the next job that is created over the API; several are queued.

        :param api: only in this API. Default: any.
        """
        given = {"scenario": scenario or {}, "steps": steps, "api": None if api is None else str(api)}
        self._call("POST", "/next-scenario", _present(given))

    def default_scenario(self, scenario: Mapping[str, Any]) -> None:
        """Set the scenario of all jobs to come that have no other."""
        self._call("PUT", "/scenario", scenario)

    def fault(
        self,
        kind: str = "status",
        *,
        status: int | None = None,
        method: str | None = None,
        path: str | None = None,
        api: str | None = None,
        times: int | None = 1,
        after: int = 0,
        retry_after: str | int | None = None,
        shape: str | None = None,
        message: str | None = None,
        body: Any = None,
        location: str | None = None,
        seconds: float = 1.0,
        carried_out: bool = False,
    ) -> int:
        """
        Turn a fault on, see :class:`~airflow_sentinelhub.emulator.faults.Fault`.

        :param times: how many requests it hits; ``None`` until it is cleared.
        :return: its number, for :meth:`clear_faults`.
        """
        given = _present(
            {
                "kind": kind,
                "status": status,
                "method": method,
                "path": path,
                "api": None if api is None else str(api),
                "after": after,
                "retry_after": retry_after,
                "shape": shape,
                "message": message,
                "body": body,
                "location": location,
                "seconds": seconds,
                "carried_out": carried_out,
            }
        )
        return int(self._call("POST", "/faults", {**given, "times": times})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that are on, with their ``hits``."""
        return cast("list[dict[str, Any]]", self._call("GET", "/faults")["data"])

    def clear_faults(self, number: int | None = None) -> None:
        """Turn all faults off, or one."""
        self._call("DELETE", "/faults" if number is None else f"/faults/{number}")

    def advance(self, seconds: float) -> None:
        """Advance service time by so many service seconds."""
        self._call("POST", "/clock", {"advance": seconds})

    def set_speed(self, speed: float) -> None:
        """Change the speed of service time; 0 stops it."""
        self._call("POST", "/clock", {"speed": speed})

    def configure(self, **settings: Any) -> None:
        """Change settings, see :class:`~airflow_sentinelhub.emulator.settings.Settings`."""
        self._call("PATCH", "/settings", settings)

    def settings(self) -> dict[str, Any]:
        """Return all settings except the secret."""
        return cast("dict[str, Any]", self._call("GET", "/settings"))

    def revoke_tokens(self) -> None:
        """Make every token worthless that was issued so far: the next call with one gets 401."""
        self._call("POST", "/tokens/revoke")

    def rotate_secret(self, secret: str) -> None:
        """Accept another client secret from now on; tokens that were issued stay good."""
        self.configure(client_secret=secret)

    def requests(self) -> RequestCounts:
        """Return what was asked of the service so far."""
        return cast("RequestCounts", self._call("GET", "/requests"))

    def forget_requests(self) -> None:
        """Begin to count anew."""
        self._call("DELETE", "/requests")

    def reset(self) -> None:
        """Forget jobs, faults, tokens, settings and counts; the clock keeps its time and gets its first speed."""
        self._call("POST", "/reset")


class EmulatorControl(Control):
    """
    Controls an emulator that runs in another process.

    :param base_url: its base URL, e.g. ``http://127.0.0.1:8780``.
    """

    def __init__(self, base_url: str) -> None:
        self._url = base_url.rstrip("/")
        # A proxy of the environment is for the world outside.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def url(self) -> str:
        """Base URL."""
        return self._url

    def _call(self, method: str, path: str, given: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the caller's own emulator
            self._url + CONTROL + path,
            data=None if given is None else json.dumps(given).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from None


def _quoted(job_id: str) -> str:
    return urllib.parse.quote(job_id, safe="", errors="surrogatepass")


def _present(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
