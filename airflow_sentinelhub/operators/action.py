"""Operator base for an action on a job: poll, decide, call the service, and check the effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import SentinelHubError
from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_sentinelhub.jobs import (
    Action,
    ActionState,
    BatchApi,
    BatchJob,
    IdField,
    extract_id,
    parse_request_id,
)
from airflow_sentinelhub.links.batch import link_to, note_resumed
from airflow_sentinelhub.operators.action_runner import ActionContext, ActionRunner
from airflow_sentinelhub.operators.api_operator import SentinelHubBatchOperator
from airflow_sentinelhub.tasks.deferral import Deferral, TaskDeadline
from airflow_sentinelhub.tasks.kill_check import KillCheck
from airflow_sentinelhub.tasks.trigger_failure import trigger_failure

if TYPE_CHECKING:
    from airflow.sdk import Context


@dataclass(frozen=True, slots=True)
class ActionCheckpoint:
    """
    Checkpoint of an action: what is needed to go on after a wait.

    :param job_id: the job.
    :param ends_at: end of the task's ``execution_timeout``, in seconds since 1970; ``None``: none.
    :param action_state: what the rules remember.
    """

    job_id: str
    ends_at: float | None
    action_state: ActionState

    def to_json(self) -> dict[str, Any]:
        """Return the checkpoint as plain JSON."""
        return {"job_id": self.job_id, "ends_at": self.ends_at, "state": self.action_state.to_json()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> ActionCheckpoint:
        """Read what :meth:`to_json` wrote."""
        return cls(str(stored["job_id"]), stored["ends_at"], ActionState.from_json(stored["state"]))


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
    :param kwargs: see :class:`~airflow_sentinelhub.operators.api_operator.SentinelHubBatchOperator`.
        ``execution_timeout`` holds for the whole task, the time in the triggerer included.
    """

    template_fields: Sequence[str] = ("request_id", *SentinelHubBatchOperator.template_fields)

    action: ClassVar[Action]

    request_id = IdField(extract_id)

    def __init__(
        self,
        *,
        request_id: Any,
        api: BatchApi | str = BatchApi.PROCESS,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(api=api, sentinelhub_conn_id=sentinelhub_conn_id, **kwargs)
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
        ends_at = None if limit is None else clock.now() + limit.total_seconds()
        checkpoint = ActionCheckpoint(parse_request_id(self.request_id), ends_at, ActionState())
        return self._run(context, checkpoint)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,  # noqa: ARG002 - it only says that time has passed
        checkpoint: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """
        Go on after a wait in the triggerer.

        :param context: Airflow's context.
        :param event: what the trigger fired.
        :param checkpoint: what was known before the wait; ``dag.test()`` loses it.
        """
        if checkpoint is None:
            return self.execute(context)
        known = ActionCheckpoint.from_json(checkpoint)
        self._limit(known).check(clock.now())
        return self._run(context, known)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Report a wait whose trigger never fired."""
        note_resumed(self)
        failure = trigger_failure(next_method, next_kwargs, self.log)
        if failure is None:
            return super().resume_execution(next_method, next_kwargs, context)
        raise SentinelHubError(
            f"This task waited until it may {self.action.value} the job, and the wait ended without a sign "
            f"from the triggerer ({failure.reason}): is one running, of the same version? The job was left alone: "
            "clear this task to try again.",
            api=self.api.value,
        )

    def _run(self, context: Context, checkpoint: ActionCheckpoint) -> dict[str, Any]:
        limit = self._limit(checkpoint)
        deferral = Deferral(self, deferrable=self.deferrable)
        check = KillCheck(self.api, context["ti"], self.log)
        with self.client() as client:
            action_context = ActionContext(
                log=self.log,
                connect=self.hook.get_conn,
                wait=lambda until, action_state: deferral.wait_until(
                    until, limit, {"checkpoint": replace(checkpoint, action_state=action_state).to_json()}
                ),
                sleep=lambda duration: deferral.sleep(duration, limit),
                keep=lambda job: self._push(context, job),
                seen=lambda job: link_to(self, config=client.config, job_id=job.id, delivery=job.delivery),
                # What a stop is sent for, a kill wants as well.
                before_asking=lambda: (
                    None if self.action is Action.STOP else check.before_start(checkpoint.job_id)
                ),
            )
            return (
                ActionRunner(client, self.action, checkpoint.job_id, checkpoint.action_state, action_context)
                .job()
                .to_json()
            )

    def _push(self, context: Context, job: BatchJob) -> None:
        # A failed task returns nothing; what is known of the job is useful all the same.
        if self.do_xcom_push:
            context["ti"].xcom_push(key="return_value", value=job.to_json())

    def _limit(self, checkpoint: ActionCheckpoint) -> TaskDeadline:
        return TaskDeadline(checkpoint.ends_at, "execution_timeout", self.action, self.api, checkpoint.job_id)
