"""Scenario of a job: the part of its life that its user cannot influence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from airflow_sentinelhub.emulator import limits
from airflow_sentinelhub.emulator.timeline import TimelineStep, parse_steps
from airflow_sentinelhub.jobs import BatchApi, JobStatus, StopReason, UserAction

ENDS = frozenset({JobStatus.DONE, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.PARTIAL, JobStatus.CANCELED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    Time that a job stays in each state once its user has asked for it, and its end.

    All lengths are service seconds.

    :param queued_seconds: from an accepted action until it leaves CREATED.
    :param analysis_seconds: in ANALYSING.
    :param ready_seconds: in ANALYSIS_DONE, once started.
    :param processing_seconds: in PROCESSING, for the whole job; a restart needs only what is left.
    :param fails_in_analysis: ANALYSING ends in FAILED.
    :param end: status at the end. Default: DONE, or as ``failed_tiles`` says (V1).
    :param error: the service's text when it FAILED or is PARTIAL. Default: a usual one; ``""`` (in JSON also
        ``null``) sends none.
    :param stopped_reason: why it is STOPPED. Default: USER_ACTION (another user did it).
    :param completion_percentage: completion at the end. Default: 100 for DONE and PARTIAL, otherwise 50.
    :param cost: processing units of the whole job. V1: the estimate.
    :param tile_count: number of tiles (V1), or of features.
    :param failed_tiles: how many of them fail. V1: all of them end in FAILED, some in PARTIAL. Otherwise only the
        files in the bucket show it.
    :param tile_errors: what the files say of those, in turn. Default: a usual text, or EXECUTION_ERROR.
    :param no_data_tiles: how many there was nothing to process for; they are DONE all the same.
    :param partial_tiles: how many have an interval that failed (statistical).
    :param then: what follows PROCESSING, instead of ``end``.
    :param steps: the whole life from now on, instead of everything above. Actions of the user then change
        ``userAction`` only, except that stop and cancel end it, and that a stopped or partial job restarts.
    """

    queued_seconds: float = 30.0
    analysis_seconds: float = 60.0
    ready_seconds: float = 20.0
    processing_seconds: float = 600.0
    fails_in_analysis: bool = False
    end: str | None = None
    error: str | None = None
    stopped_reason: str = StopReason.USER_ACTION
    completion_percentage: float | None = None
    cost: float = 250.0
    tile_count: int = 12
    failed_tiles: int = 0
    tile_errors: tuple[str, ...] = ()
    no_data_tiles: int = 0
    partial_tiles: int = 0
    then: tuple[TimelineStep, ...] = ()
    steps: tuple[TimelineStep, ...] = ()

    @classmethod
    def parse(
        cls,
        given: Mapping[str, Any] | None,
        steps: Sequence[Mapping[str, Any]] | None = None,
        base: Scenario | None = None,
    ) -> Scenario:
        """
        Read a scenario as the control interface takes it.

        :param given: fields of this class by name; those left out are taken from ``base``.
        :param steps: the same as ``{"steps": ...}``.
        :param base: Default: the defaults of this class.
        :raises ValueError: for an unknown name, or a value that makes no sense.
        """
        if given is not None and not isinstance(given, Mapping):
            raise ValueError(f"A scenario is an object, but was {limits.brief(given)}")
        values = dict(given or {})
        if steps is not None:
            values["steps"] = steps
        known = {each.name for each in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"A scenario has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        for name in ("then", "steps"):
            if name in values:
                values[name] = parse_steps(values[name])
        if "tile_errors" in values:
            values["tile_errors"] = _texts("tile_errors", values["tile_errors"])
        if "error" in values and values["error"] is None:
            values["error"] = ""
        scenario = replace(base or cls(), **values)
        scenario._check()
        return scenario

    def _check(self) -> None:
        for name in ("queued_seconds", "analysis_seconds", "ready_seconds", "processing_seconds"):
            limits.seconds(f"{name!r} of a scenario", getattr(self, name))
        limits.number("'cost' of a scenario", self.cost)
        if self.completion_percentage is not None:
            limits.number("'completion_percentage' of a scenario", self.completion_percentage)
        limits.flag("'fails_in_analysis' of a scenario", self.fails_in_analysis)
        limits.text("'stopped_reason' of a scenario", self.stopped_reason)
        if self.error is not None:
            limits.text("'error' of a scenario", self.error)
        if self.end is not None and self.end not in ENDS:
            raise ValueError(
                f"A job does not end in {limits.brief(self.end)}. For a status that the service may invent, use "
                f'"then" or "steps", e.g. {{"then": [{{"status": {limits.brief(self.end)}}}]}}'
            )
        for name in ("tile_count", "failed_tiles", "no_data_tiles", "partial_tiles"):
            limits.whole(f"{name!r} of a scenario", getattr(self, name))
        if self.failed_tiles > self.tile_count:
            raise ValueError(f"{self.failed_tiles} of {self.tile_count} tiles cannot fail")
        if self.failed_tiles + self.no_data_tiles + self.partial_tiles > self.tile_count:
            raise ValueError(f"There are only {self.tile_count} tiles to fail, be without data or be partial")

    def ending(self, api: BatchApi) -> str:
        """Return the status after PROCESSING, if ``then`` does not say more."""
        if self.end is not None:
            return self.end
        if api is BatchApi.PROCESS_V1 and self.failed_tiles:
            return JobStatus.FAILED if self.failed_tiles == self.tile_count else JobStatus.PARTIAL
        return JobStatus.DONE

    def completion(self, api: BatchApi) -> float:
        """Completion when PROCESSING ends."""
        if self.completion_percentage is not None:
            return float(self.completion_percentage)
        if self.then or self.ending(api) in (JobStatus.DONE, JobStatus.PARTIAL):
            return 100.0
        if api is BatchApi.PROCESS_V1 and self.ending(api) == JobStatus.FAILED:
            return 100.0  # V1 fails when every tile has been tried
        return 50.0

    def failing_tiles(self, api: BatchApi) -> int:
        """Return how many tiles fail, in keeping with the status at the end."""
        match self.ending(api):
            case JobStatus.PARTIAL:
                return self.failed_tiles or 1
            case JobStatus.FAILED if not self.fails_in_analysis:
                return self.failed_tiles or self.tile_count
        return self.failed_tiles

    def last_step(self, status: str) -> TimelineStep:
        """Return the step in which a job ends up in this status."""
        sent: dict[str, Any] = {}
        percentage = None
        scripted = {"status"} if status == self.end or status not in ENDS else set()
        match status:
            case JobStatus.FAILED | JobStatus.PARTIAL:
                error = self._usual_error(status) if self.error is None else self.error
                if error:
                    sent["error"] = error
            case JobStatus.STOPPED:
                sent["stoppedStatusReason"] = self.stopped_reason
                if self.stopped_reason == StopReason.USER_ACTION:
                    sent["userAction"] = UserAction.STOP
                elif self.stopped_reason not in set(StopReason):
                    scripted.add("stoppedStatusReason")
            case JobStatus.DONE if self.completion_percentage is not None:
                percentage = (self.completion_percentage, self.completion_percentage)
        return TimelineStep(status=status, percentage=percentage, fields=sent, scripted=frozenset(scripted))

    def _usual_error(self, status: str) -> str:
        if status == JobStatus.PARTIAL:
            return "Too many failed tiles"
        if self.fails_in_analysis:
            return "Failed to analyse the request: the evalscript could not be evaluated."
        return "Processing failed for too many features."

    def lived(self) -> Scenario:
        """Return the scenario of a job that met its end and is tried again: this time it goes well."""
        return replace(
            self,
            end=None,
            error=None,
            completion_percentage=None,
            fails_in_analysis=False,
            failed_tiles=0,
            then=(),
            steps=(),
        )


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{name!r} of a scenario must be a list of texts, but was {limits.brief(value)}")
    # They are written to files, which cannot hold everything that JSON can.
    return tuple(limits.encodable(f"Each of the texts in {name!r} of a scenario", each) for each in value)
