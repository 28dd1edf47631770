"""Waiting on a worker: poking in one process, or rescheduled from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import Verdict, WaitState
from airflow_sentinelhub.jobs.error_rules import UNREADABLE_READINGS
from airflow_sentinelhub.polling.fetch_many import whose
from airflow_sentinelhub.tasks.wait_record import WaitRecord
from airflow_sentinelhub.waits.fetch import check_other_apis, fetch_job
from airflow_sentinelhub.waits.observation import PollResult
from airflow_sentinelhub.waits.wait import Wait, WaitSpec

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:  # below Airflow 3.3
    from airflow.exceptions import AirflowRescheduleException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_sentinelhub.client.batch import BatchClient

NextPokeInterval = Callable[[float, Callable[[], float], int], float]
"""Takes the begin of a wait, what tells its duration, and the number of polls; returns seconds."""

_KEY = "sentinelhub_wait"
_REREAD_PAUSE = 10.0


class WorkerWait:
    """
    A wait that polls the job itself.

    In reschedule mode each poll is a process of its own. What has to be remembered lies in Airflow's task state
    store, which came with Airflow 3.3 (XComs are wiped before every reschedule). Below that, nothing is
    remembered: what is seen is taken to last since the first poll, and what may not last is read twice at once.

    Its attribute ``deadlines`` holds those of the attempt.

    :param context: Airflow's context.
    :param terms: what is waited for.
    :param sentinelhub_conn_id: the Airflow connection.
    :param log: the task's log.
    :param reschedule: whether each poll is a process of its own.
    :param next_poke_interval: Airflow's rule for pauses that grow, of a sensor with ``exponential_backoff``.
    """

    def __init__(
        self,
        context: Context,
        terms: WaitSpec,
        sentinelhub_conn_id: str,
        log: Any,
        *,
        reschedule: bool = False,
        next_poke_interval: NextPokeInterval | None = None,
    ) -> None:
        self._hook = SentinelHubHook(sentinelhub_conn_id)
        self._reschedule, self._next_poke_interval = reschedule, next_poke_interval
        self._store: Any = context.get("task_state_store") if reschedule else None
        self._attempt = context["ti"].try_number
        self._forgetful = reschedule and self._store is None
        if self._forgetful:
            if terms.policy.stall_timeout is not None:
                log.warning("stall_timeout has no effect in mode='reschedule' below Airflow 3.3.")
            pause = min(terms.policy.poke_interval, _REREAD_PAUSE)
            terms = replace(
                terms,
                policy=replace(terms.policy, confirm_after=pause, stall_timeout=None, slowest_poke_interval=None),
            )
        record, stored = self._record(terms.job_id), None
        if record is not None:
            terms, stored = replace(terms, deadlines=record.deadlines), record.wait
        elif self._forgetful:
            first = context["ti"].get_first_reschedule_date(context)
            since = first.timestamp() if first else None
            stored = {"state": WaitState(first_answer_at=since, state_since_fallback=since).to_json()}
        self.deadlines = terms.deadlines
        self._wait = Wait(terms, log.log, stored=stored)
        self._pokes = 1

    def verdict(self) -> Verdict:
        """
        Poll the job until the wait is over.

        :return: a final verdict.
        :raises AirflowRescheduleException: in reschedule mode, when the next poll is due later.
        """
        while True:
            verdict = self._poke()
            if verdict.is_final:
                return verdict
            now = clock.now()
            self.pause(self._backed_off(self._wait.next_delay(now), now))

    def pause(self, duration: float) -> None:
        """
        Wait: sleep, or end this process and be rescheduled.

        :param duration: seconds.
        :raises AirflowRescheduleException: in reschedule mode.
        """
        self._pokes += 1
        if not self._reschedule:
            clock.sleep(duration)
            return
        if self._store is not None:
            record = WaitRecord(self._attempt, self._wait.terms.job_id, self.deadlines, self._wait.to_json())
            self._store.set(_KEY, record.to_json())
        when = datetime.fromtimestamp(clock.now() + duration, UTC)
        raise AirflowRescheduleException(when)  # type: ignore[no-untyped-call]

    def _poke(self) -> Verdict:
        try:
            # Read each time, so that a secret that was rotated meanwhile is found.
            client = self._hook.get_conn(self._wait.terms.api)
        except SentinelHubError as error:
            return self._wait.update(error, clock.now())
        with client:
            verdict = self._wait.update(self._poll(client), clock.now())
            for _ in range(UNREADABLE_READINGS - 1):
                if not self._forgetful or verdict.is_final or not self._wait.awaits_confirmation:
                    break
                clock.sleep(self._wait.next_delay(clock.now()))
                verdict = self._wait.update(self._poll(client), clock.now())
        return check_other_apis(verdict, self._hook.get_conn)

    def _poll(self, client: BatchClient) -> PollResult:
        return whose(client, fetch_job(client, self._wait.terms.job_id, status_only=self._wait.status_suffices))

    def _backed_off(self, pause: float, now: float) -> float:
        """Return the pause with the user's ``exponential_backoff`` and ``max_wait``, within the deadline."""
        if self._next_poke_interval is None:
            return pause
        deadlines = self._wait.terms.deadlines
        longer = self._next_poke_interval(
            deadlines.started_at, lambda: now - deadlines.started_at, min(self._pokes, 60)
        )
        return max(pause, min(longer, deadlines.first - now))

    def _record(self, job_id: str) -> WaitRecord | None:
        """Return what an earlier process of this attempt has kept."""
        record = None if self._store is None else WaitRecord.from_json(self._store.get(_KEY))
        # What another attempt has left there does not count.
        return record if record and (record.attempt, record.job_id) == (self._attempt, job_id) else None
