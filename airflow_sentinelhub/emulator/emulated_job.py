"""One job: what was asked for, and the life that it is leading."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_sentinelhub.emulator.lifecycle import whole_life
from airflow_sentinelhub.emulator.scenario import Scenario
from airflow_sentinelhub.emulator.timeline import Timeline, TimelinePoint, TimelineStep
from airflow_sentinelhub.jobs import BatchApi, JobStatus, UserAction

_NOT_YET_ANALYSED = frozenset({JobStatus.CREATED, JobStatus.ANALYSING, JobStatus.FAILED, JobStatus.CANCELED})
_IDLE_DAYS: dict[str, int] = {JobStatus.CREATED: 7, JobStatus.FAILED: 15}
_IDLE_DAYS_OTHERWISE = 30


@dataclass(slots=True, kw_only=True)
class EmulatedJob:
    """
    A job as the service keeps it.

    Where it is follows from its script and the time, so nothing has to run in the background.

    :param number: position in the order of creation.
    :param request: the body it was created from, without credentials.
    :param script: its timeline, unless a user acts.
    :param scripted: whether its scenario named every step.
    :param scenario_ahead: whether a job at rest has yet to meet its scenario, should it be started again.
    :param reached: statuses from scripts that were cut short.
    :param open_tiles: tiles that this run has to process, by position (V1).
    :param failing_tiles: those of them that will fail.
    :param scripted_fields: payload fields whose content a test chose, besides those of its steps.
    :param past: what it was before each change, for lists that lag behind.
    """

    id: str
    api: BatchApi
    number: int
    created: datetime
    request: dict[str, Any]
    scenario: Scenario
    script: Timeline
    user_action: str = UserAction.NONE
    user_action_updated: datetime | None = None
    scripted: bool = False
    scenario_ahead: bool = False
    reached: frozenset[str] = frozenset()
    open_tiles: tuple[int, ...] = ()
    failing_tiles: frozenset[int] = field(default_factory=frozenset)
    scripted_fields: frozenset[str] = frozenset()
    past: list[tuple[datetime, EmulatedJob]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lay_out_tiles()

    def at(self, now: datetime) -> TimelinePoint:
        """Return where the job is."""
        return self.script.at(now)

    def cost(self, now: datetime) -> float:
        """Return the processing units that it has used."""
        moment = self.at(now)
        return self.scenario.cost * moment.percentage / 100 if moment.step.cost is None else moment.step.cost

    def remember(self, now: datetime) -> None:
        """Keep what it is, before it is changed."""
        before = copy.copy(self)
        before.past = []
        self.past.append((now, before))

    def as_of(self, then: datetime) -> EmulatedJob:
        """Return the job as it was before everything that has been done to it since."""
        for changed, before in self.past:
            if changed > then:
                return before
        return self

    def action_at(self, now: datetime) -> str:
        """Return the user's last action as the service shows it (a step may show another one)."""
        return str(self.at(now).step.fields.get("userAction", self.user_action))

    def analysed(self, now: datetime) -> bool:
        """Return whether it got past its analysis, so that tiles and an estimate exist."""
        return bool((self.reached | self.at(now).passed) - _NOT_YET_ANALYSED)

    def visible(self, now: datetime, hidden_seconds: float, retention: bool) -> bool:
        """
        Return whether the service knows the job.

        :param hidden_seconds: how long after its creation it does not, yet.
        :param retention: whether idle statistical jobs are deleted (sentinelhub-api.md, section 6.3).
        """
        if (now - self.created).total_seconds() < hidden_seconds:
            return False
        expires = retention and self.api is BatchApi.STATISTICAL
        if not expires and not self.script.may_be_gone:
            return True  # a list asks this of thousands of jobs, and to work out where each is takes long
        moment = self.at(now)
        if moment.step.gone:
            return False
        if not expires:
            return True
        touched = max(moment.updated, self.user_action_updated or self.created)
        return now - touched < timedelta(days=_IDLE_DAYS.get(moment.status, _IDLE_DAYS_OTHERWISE))

    def live(self, steps: tuple[TimelineStep, ...], now: datetime) -> None:
        """From now on live through these steps; what was reached stays reached."""
        moment = self.at(now)
        self.reached |= moment.passed
        self.script = Timeline(steps, now, moment.percentage)

    def act(self, action: UserAction, now: datetime) -> None:
        """Record what the user asked for."""
        self.user_action, self.user_action_updated = action, now

    def meet(self, scenario: Scenario, now: datetime) -> None:
        """
        Set another scenario, from where the job is; a job at rest follows it when it is started again.

        :raises ValueError: if it is over, and the scenario does not name its steps.
        """
        moment = self.at(now)
        if not scenario.steps and moment.status in (JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELED):
            raise ValueError(
                f'Job {self.id} is {moment.status}: its scenario is settled, only "steps" can change what it says'
            )
        self.remember(now)
        self.scenario, self.scripted = scenario, bool(scenario.steps)
        if not scenario.steps and moment.status in (JobStatus.STOPPED, JobStatus.PARTIAL):
            self.scenario_ahead = True
            return
        self._lay_out_tiles()
        if scenario.steps:
            self.live(scenario.steps, now)
        else:
            self.live(whole_life(self.api, scenario, self.user_action, moment.status, moment.percentage), now)

    def _lay_out_tiles(self) -> None:
        self.open_tiles = tuple(range(self.scenario.tile_count))
        self.failing_tiles = frozenset(self.open_tiles[: self.scenario.failing_tiles(self.api)])
