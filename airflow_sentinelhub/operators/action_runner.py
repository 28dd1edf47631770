"""Action runner: acts on a job, from the first poll until the job shows the effect."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import BatchActionIgnored, SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.jobs import (
    Action,
    ActionState,
    BatchApi,
    BatchJob,
    CallService,
    MissingJob,
    NotAllowed,
    NothingToDo,
    Outcome,
    ServiceCall,
    Verdict,
    WaitUntil,
    next_step_with_retry,
    wait_messages,
)
from airflow_sentinelhub.jobs import action_messages as words
from airflow_sentinelhub.operators.job_action_client import CONFIRMATION_PAUSES, JobActionClient
from airflow_sentinelhub.waits.fetch import check_other_apis

if TYPE_CHECKING:
    from airflow_sentinelhub.client.batch import BatchClient


@dataclass(frozen=True, slots=True)
class ActionContext:
    """
    Parts of a task that an action runner needs.

    :param log: the task's log.
    :param connect: gives a client of another API of the same account.
    :param wait: lets time pass until a moment (in seconds since 1970), on the worker or by ending this attempt's
        stay on it; takes what has to be remembered.
    :param sleep: lets so many seconds pass on the worker.
    :param keep: keeps what is known of the job, as an exception follows.
    :param seen: takes each reading of the job.
    :param before_asking: raises if the service must not be asked for this (any more).
    """

    log: Any
    connect: Callable[[BatchApi], BatchClient]
    wait: Callable[[float, ActionState], None]
    sleep: Callable[[float], None]
    keep: Callable[[BatchJob], None]
    seen: Callable[[BatchJob], None] = lambda _: None
    before_asking: Callable[[], None] = lambda: None


class ActionRunner:
    """
    Does one thing to a job, once.

    :param client: asks the service.
    :param action: what is to be done.
    :param job_id: to which job.
    :param action_state: what is remembered of it from before a wait.
    :param action_context: what the task lends.
    """

    def __init__(
        self,
        client: BatchClient,
        action: Action,
        job_id: str,
        action_state: ActionState,
        action_context: ActionContext,
    ) -> None:
        self._action = action
        self._api = client.api
        self._action_state = action_state
        self._context = action_context
        self._action_client = JobActionClient(
            client, job_id, action_context.sleep, action_context.log.warning, self._is_elsewhere
        )

    def job(self) -> BatchJob:
        """
        Do it.

        :return: the job, which shows it.
        :raises BatchError: a subclass of it, when the job's state does not allow it.
        :raises ServiceError: a subclass of it, when the service refuses it or gives no answer.
        """
        log, refusal = self._context.log, None
        while True:
            job = self._found(self._action_client.fetch(seen=self._action_state.seen))
            step, self._action_state = next_step_with_retry(
                self._action, job, clock.now(), self._action_state, refusal
            )
            match step:
                case NothingToDo():
                    log.info("%s", step.message)
                    return job
                case NotAllowed():
                    self._context.keep(job)
                    if isinstance(refusal, ServiceUnavailable):
                        raise refusal  # an outage is no verdict on the job
                    raise step.exception(job) from refusal
                case WaitUntil():
                    log.log(logging.WARNING if step.warn else logging.INFO, "%s", step.message)
                    refusal = None
                    self._context.wait(step.until, self._action_state)
                case CallService():
                    self._context.before_asking()
                    log.info("%s", step.message)
                    refusal = self._action_client.ask(step.call)
                    if refusal is None:
                        return self._confirmed(step.call, job)
                case _:
                    assert_never(step)

    def _found(self, result: BatchJob | MissingJob) -> BatchJob:
        if isinstance(result, BatchJob):
            self._context.seen(result)
            return result
        message = wait_messages.gone(result) if self._action_state.seen else wait_messages.never_found(result)
        verdict = Verdict(Outcome.NOT_FOUND, self._api, result.id, message)
        raise check_other_apis(verdict, self._context.connect).exception()

    def _is_elsewhere(self, result: MissingJob) -> bool:
        verdict = Verdict(Outcome.NOT_FOUND, self._api, result.id)
        return bool(check_other_apis(verdict, self._context.connect).message)

    def _confirmed(self, call: ServiceCall, before: BatchJob) -> BatchJob:
        """Look that the service took what it accepted."""
        shows, result = self._action_client.confirm(self._action, before)
        job = self._found(result)
        if isinstance(shows, NothingToDo):
            self._context.log.info("%s", words.accepted(self._action.value, job))
        elif shows is None and call is ServiceCall.RESTART_PARTIAL:
            self._context.log.warning("%s", words.lingers(job))
        else:
            self._context.keep(job)
            raise self._ignored(job) if shows is None else shows.exception(job)
        return job

    def _ignored(self, job: BatchJob) -> SentinelHubError:
        return BatchActionIgnored(
            words.ignored(job, self._action.value, sum(CONFIRMATION_PAUSES)),
            job_id=job.id,
            api=job.api.value,
            status=job.raw_status or None,
        )
