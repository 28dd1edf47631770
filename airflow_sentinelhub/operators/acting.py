"""How an operator acts on a job: look, decide, ask the service, and look that it took it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, assert_never

from airflow_sentinelhub.exceptions import BatchActionIgnored, BatchTimeout, SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.jobs import (
    Action,
    ActionMemory,
    Already,
    BatchJob,
    Do,
    Impossible,
    MissingJob,
    Outcome,
    Reduced,
    ServiceCall,
    Verdict,
    WaitUntil,
    advice,
    decide,
    parse_request_id,
    reduce_to_id,
)
from airflow_sentinelhub.jobs import action_words as words
from airflow_sentinelhub.links.batch import link_to
from airflow_sentinelhub.operators.asking import CONFIRMATION_PAUSES, Asker
from airflow_sentinelhub.operators.batch_api import SentinelHubBatchOperator
from airflow_sentinelhub.triggers.pause import SentinelHubPauseTrigger
from airflow_sentinelhub.watching import clock, look_elsewhere

if TYPE_CHECKING:
    from airflow.sdk import Context

DEFERRED_FROM = 30.0
"""Seconds of waiting below which a worker sleeps: handing a task over and back takes about as long."""

# How Airflow says that a trigger did not come to its event, and why.
_TRIGGER_FAILED = "__fail__"
_TRIGGER_TIMEOUT = "Trigger timeout"
_BACKSTOP = 600.0


@dataclass(frozen=True, slots=True)
class _Errand:
    """
    What has to be known to go on after a wait.

    :param job_id: the job.
    :param ends_at: end of the task's ``execution_timeout``, in seconds since 1970; ``None``: none.
    :param memory: what the rules remember.
    """

    job_id: str
    ends_at: float | None
    memory: ActionMemory

    def to_json(self) -> dict[str, Any]:
        return {"job_id": self.job_id, "ends_at": self.ends_at, "memory": self.memory.to_json()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> _Errand:
        return cls(str(stored["job_id"]), stored["ends_at"], ActionMemory.from_json(stored["memory"]))


class SentinelHubBatchActionOperator(SentinelHubBatchOperator):
    """
    Does something to a job that exists; its subclasses say what.

    Returns the job as the service describes it then, without its request. What is so already is not done again,
    and not an error: the task may be retried and cleared at any time. If the worker is killed, nothing more is
    asked of the service.

    :param request_id: id of the job, a job as a dictionary or JSON text with ``id``, an object with
        ``request_id``, or the output of a task that gives one of these (templated).
    :param deferrable: where the job is not ready for the action, wait in the triggerer, without a worker slot;
        a triggerer has to be running then. ``False`` sleeps on the worker.
    :param kwargs: see :class:`~airflow_sentinelhub.operators.batch_api.SentinelHubBatchOperator`.
        ``execution_timeout`` holds for the whole task, the time in the triggerer included.
    """

    template_fields: Sequence[str] = ("request_id", *SentinelHubBatchOperator.template_fields)

    action: ClassVar[Action]

    request_id = Reduced(reduce_to_id)

    def __init__(self, *, request_id: Any, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request_id = request_id
        self.deferrable = deferrable

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Act on the job.

        :return: the job.
        :raises InvalidRequestId: ``request_id`` holds no id.
        :raises InvalidConnection: the Airflow connection lacks a field.
        :raises BatchError: a subclass of it, when the job's state does not allow the action.
        :raises ServiceError: a subclass of it, when the service refuses it or gives no answer.
        """
        limit = self.execution_timeout
        ends_at = None if limit is None else time.time() + limit.total_seconds()
        errand = _Errand(parse_request_id(self.request_id), ends_at, ActionMemory())
        return self._run(context, errand)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,  # noqa: ARG002 - it only says that time has passed
        errand: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """
        Go on after a wait in the triggerer.

        :param context: Airflow's context.
        :param event: what the trigger fired.
        :param errand: what was known before the wait; ``dag.test()`` loses it.
        """
        if errand is None:
            return self.execute(context)
        known = _Errand.from_json(errand)
        self._in_time(time.time(), known)
        return self._run(context, known)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Say what became of a wait whose trigger never fired."""
        if next_method == _TRIGGER_FAILED:
            failure = next_kwargs or {}
            reason = failure.get("error", "unknown")
            if reason != _TRIGGER_TIMEOUT:
                self.log.error("The trigger failed:\n%s", "".join(failure.get("traceback") or ["no traceback"]))
            raise SentinelHubError(
                f"This task waited until it may {self.action.value} the job, and the wait ended without a sign "
                f"from the triggerer ({reason}): is one running, of the same version? The job was left alone: "
                "clear this task to try again.",
                api=self.api.value,
            )
        return super().resume_execution(next_method, next_kwargs, context)

    def _run(self, context: Context, errand: _Errand) -> dict[str, Any]:
        refusal: SentinelHubError | None = None
        with self.client() as client:
            asker = Asker(client, errand.job_id, lambda duration: self._sleep(duration, errand), self.log.warning)
            while True:
                job = self._found(asker.look(seen=errand.memory.seen), errand)
                link_to(self, config=client.config, job_id=job.id, delivery=job.delivery)
                step, memory = decide(self.action, job, time.time(), errand.memory, refusal)
                errand = replace(errand, memory=memory)
                match step:
                    case Already():
                        self.log.info("%s", step.message)
                        return job.to_json()
                    case Impossible():
                        self._push(context, job)
                        if isinstance(refusal, ServiceUnavailable):
                            raise refusal  # an outage is no verdict on the job
                        raise step.exception(job) from refusal
                    case WaitUntil():
                        self.log.log(logging.WARNING if step.warn else logging.INFO, "%s", step.message)
                        refusal = None
                        self._wait(step.until, errand)
                    case Do():
                        self.log.info("%s", step.message)
                        refusal = asker.ask(step.call)
                        if refusal is None:
                            return self._confirmed(context, asker, step.call, job, errand)
                    case _:
                        assert_never(step)

    def _found(self, look: BatchJob | MissingJob, errand: _Errand) -> BatchJob:
        if isinstance(look, BatchJob):
            return look
        message = advice.gone(look) if errand.memory.seen else advice.never_found(look)
        verdict = Verdict(Outcome.NOT_FOUND, self.api, look.id, message)
        raise look_elsewhere(verdict, self.hook.get_conn).exception()

    def _confirmed(
        self, context: Context, asker: Asker, call: ServiceCall, before: BatchJob, errand: _Errand
    ) -> dict[str, Any]:
        """Look that the service took what it accepted."""
        shows, look = asker.confirm(self.action, before)
        job = self._found(look, errand)
        if isinstance(shows, Already):
            self.log.info("%s", words.took_it(job))
        elif shows is None and call is ServiceCall.RESTART_PARTIAL:
            self.log.warning("%s", words.lingers(job))
        else:
            self._push(context, job)
            raise self._ignored(job) if shows is None else shows.exception(job)
        return job.to_json()

    def _ignored(self, job: BatchJob) -> BatchActionIgnored:
        return BatchActionIgnored(
            words.ignored(job, self.action.value, sum(CONFIRMATION_PAUSES)),
            job_id=job.id,
            api=self.api.value,
            status=job.word or None,
        )

    def _push(self, context: Context, job: BatchJob) -> None:
        # A failed task returns nothing; what is known of the job is useful all the same.
        if self.do_xcom_push:
            context["ti"].xcom_push(key="return_value", value=job.to_json())

    def _wait(self, until: float, errand: _Errand) -> None:
        """Let time pass, in the triggerer if it is worth it; Airflow then begins again elsewhere."""
        now = time.time()
        if self.deferrable and until - now >= DEFERRED_FROM:
            self._in_time(until, errand)
            self.log.info(
                "No worker is held until %s. A triggerer must be running, or this task waits for ever.",
                clock(until, now),
            )
            self.defer(
                trigger=SentinelHubPauseTrigger(until=until),
                method_name="execute_complete",
                kwargs={"errand": errand.to_json()},
                timeout=timedelta(seconds=until - now + _BACKSTOP),
            )
        if until - now >= DEFERRED_FROM:
            self.log.info("This task holds its worker until %s (deferrable=False).", clock(until, now))
        self._sleep(until - now, errand)

    def _sleep(self, duration: float, errand: _Errand) -> None:
        self._in_time(time.time() + duration, errand)
        time.sleep(max(0.0, duration))

    def _in_time(self, until: float, errand: _Errand) -> None:
        """
        Make sure that a wait ends before the task's ``execution_timeout``.

        Airflow does not enforce it while a task is deferred, and begins to count anew afterwards.
        """
        if errand.ends_at is not None and until > errand.ends_at:
            now = time.time()
            raise BatchTimeout(
                f"execution_timeout leaves no time to {self.action.value} {self.api.display_name} job "
                f"{errand.job_id}: the next look at it would be due at {clock(until, now)}, and the time of this "
                f"task ends at {clock(errand.ends_at, now)}. What the log says was asked of the service stands, "
                "and no more is asked: raise execution_timeout, or clear this task later.",
                job_id=errand.job_id,
                api=self.api.value,
            )
