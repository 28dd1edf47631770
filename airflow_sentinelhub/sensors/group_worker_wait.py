"""Waiting for a group of jobs on a worker, in one process."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import GroupVerdict, job_error
from airflow_sentinelhub.polling.fetch_many import fetch_jobs
from airflow_sentinelhub.polling.list_index import ListIndex
from airflow_sentinelhub.waits.fetch import check_other_apis
from airflow_sentinelhub.waits.group_wait import GroupWait, GroupWaitSpec
from airflow_sentinelhub.waits.observation import PollRequest, PollResult

if TYPE_CHECKING:
    from airflow.sdk import BaseSensorOperator

_LEEWAY = 0.2
"""Part of its pause by which a job is looked at too early, so that many are looked at together."""


class WorkerGroupWait:
    """
    A wait that polls the jobs itself, and sleeps in between.

    :param sensor: the sensor that waits.
    :param sentinelhub_conn_id: its Airflow connection.
    :param terms: what is waited for.
    """

    def __init__(self, sensor: BaseSensorOperator, sentinelhub_conn_id: str, terms: GroupWaitSpec) -> None:
        self._hook = SentinelHubHook(sentinelhub_conn_id)
        # One number for all jobs, so that those whose polls failed together are polled together again.
        jitter = random.random()
        self._group = GroupWait(terms, sensor.log.log, jitter=lambda: jitter)
        self._next: dict[str, tuple[float, PollRequest]] = {}
        self._list_index = ListIndex(())
        self._log = sensor.log

    def verdict(self) -> GroupVerdict:
        """Poll the jobs until the wait is over."""
        group = self._group
        while not (verdict := group.verdict()).is_final:
            group.tell(clock.now())
            self._sleep_until_one_is_due()
            self._poll(self._due())
        return group.finish(verdict, clock.now())

    def _sleep_until_one_is_due(self) -> None:
        dues = [self._next[job_id][0] if job_id in self._next else 0.0 for job_id in self._group.pending]
        pause = min(dues) - clock.now()
        if pause > 0:
            clock.sleep(pause)

    def _due(self) -> list[str]:
        """Return the jobs that are due, and those that may be polled with them."""
        now, due = clock.now(), []
        for job_id in self._group.pending:
            at, wanted = self._next.get(job_id, (0.0, PollRequest(0.0)))
            if at - (0.0 if wanted.exact else _LEEWAY * wanted.delay) <= now:
                due.append(job_id)
        return due

    def _poll(self, due: list[str]) -> None:
        group = self._group
        certain = [job_id for job_id in due if job_id in self._next and self._next[job_id][1].bypass_list]
        results, now = self._fetch(due, certain), clock.now()
        for job_id, result in results.items():
            # All at one moment, so that those that were looked at together are due together.
            try:
                self._take_in(job_id, result, now)
            except Exception as error:
                self._log.exception("Waiting for %s job %s failed.", group.terms.api.display_name, job_id)
                group.end(job_error(group.terms.api, job_id, f"{type(error).__name__}: {error}"), now)

    def _take_in(self, job_id: str, result: PollResult, now: float) -> None:
        wait = self._group.waits[job_id]
        verdict = check_other_apis(wait.update(result, now), self._hook.get_conn)
        if verdict.is_final:
            self._group.end(verdict, now)
        else:
            wanted = wait.next_request(now)
            self._next[job_id] = (now + wanted.delay, wanted)

    def _fetch(self, due: list[str], certain: list[str]) -> dict[str, PollResult]:
        try:
            # Read each time, so that a secret that was rotated meanwhile is found.
            with self._hook.get_conn(self._group.terms.api) as client:
                return fetch_jobs(
                    client, due, bypass_list=certain, list_index=self._list_index, now=clock.monotonic()
                )
        except SentinelHubError as error:
            return dict.fromkeys(due, error)
