"""
Exceptions, named by what they mean.

Everything derives from :class:`SentinelHubError`, a plain ``Exception``: Airflow turns any of its own
exceptions into a *skipped* task when a deferrable sensor has ``soft_fail=True``, and a job that failed must
never pass for one that was skipped.

All classes can be named in Airflow's ``retry_policy``. Three branches:

* :class:`BatchError`: the job itself. Asking again will not help; something has to be done about the job.
* :class:`ServiceError`: what the service answered, or that it did not. The job may be perfectly well.
* :class:`ResultsUnavailable`: what the job left in its user's bucket. The job may be perfectly well.
"""

from __future__ import annotations

from typing import Any


class SentinelHubError(Exception):
    """
    Root of all exceptions of this provider.

    :param message: what happened, to which job, what it means and what to do next.
    :param job_id: id of the batch job, where there is one.
    :param api: ``process``, ``statistical`` or ``process_v1``.
    :param status: last known status of the job.
    :param service_message: the service's own words, without secrets.
    """

    def __init__(
        self,
        message: str,
        *,
        job_id: str | None = None,
        api: str | None = None,
        status: str | None = None,
        service_message: str | None = None,
    ) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.api = api
        self.status = status
        self.service_message = service_message

    def __reduce__(self) -> tuple[Any, ...]:
        # Airflow hands exceptions from process to process; the default would lose the attributes.
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(kind: type[SentinelHubError], args: tuple[Any, ...], state: dict[str, Any]) -> SentinelHubError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidConnection(SentinelHubError):
    """The Airflow connection lacks a field, or a field makes no sense. The message names both."""


class InvalidRequestId(SentinelHubError):
    """A sensor was given no batch request id, and nothing that holds one."""


class InvalidRequest(SentinelHubError):
    """The request of a new job is not valid. Nothing was sent."""


class UnsupportedOperation(SentinelHubError):
    """The batch API has no such operation. The message says what to use instead."""


class InvalidPayload(SentinelHubError):
    """
    The service sent something that cannot be read.

    Of a job: no object, one without an id, or broken JSON, while its answers about other jobs can be read. Of a
    list: one without an end. The message says what was wrong.
    """


class ResultsUnavailable(SentinelHubError):
    """
    The outcome of each tile or feature cannot be read from the job's bucket.

    It was never written, is gone, is broken, or the storage connection may not see it. The job may be perfectly
    well; but without this it is not known whether it is complete.
    """


class StorageUnavailable(ResultsUnavailable):
    """The object storage could not be reached, or gave no usable answer. Worth asking again."""


class StorageUnsupported(ResultsUnavailable):
    """A library is missing for that kind of object storage. The message names what to install."""


class BatchError(SentinelHubError):
    """The verdict on a job is not what was waited for."""


class BatchFailed(BatchError):
    """The job is FAILED. It cannot be resumed; a new one is needed."""


class BatchCanceled(BatchFailed):
    """The job was canceled (Batch Process v1). It cannot be resumed; a new one is needed."""


class BatchStopped(BatchError):
    """
    The job is STOPPED, and can be started again.

    :param reason: ``OUT_OF_PU``, ``USER_ACTION``, ``UNHEALTHY`` or a word that this version does not know.
    """

    def __init__(self, message: str, *, reason: str | None = None, **attributes: Any) -> None:
        super().__init__(message, **attributes)
        self.reason = reason


class BatchPartial(BatchError):
    """The job ended, but some of its tiles or features failed."""


class BatchNotStarted(BatchError):
    """The job (or its analysis) was not started, so waiting for it has no end."""


class BatchStalled(BatchError):
    """Neither progress nor cost nor time stamp of the job has changed for ``stall_timeout``."""


class BatchUnknownStatus(BatchError):
    """The job has been in a status that this version does not know, unchanged for an hour."""


class BatchNotFound(BatchError):
    """There is no such job, or the service deleted it after its retention period."""


class BatchGroupFailed(BatchError):
    """
    Too few jobs of a group are done, and no single reason says why.

    Where all jobs that ended badly did so in the same way, the exception of that is raised instead.
    """


class BatchActionImpossible(BatchError):
    """The job is in a state that does not allow what was asked of it, and waiting would not help."""


class BatchNotRestartable(BatchActionImpossible):
    """The job cannot be restarted: it is at an end, was never started, or the service goes on refusing."""


class BatchActionIgnored(BatchError):
    """The service accepted an action, but the job does not show it."""


class BatchCostExceeded(BatchError):
    """
    The job has cost more than was allowed, and was stopped.

    :param spent: processing units charged so far.
    :param limit: what was allowed.
    """

    def __init__(
        self, message: str, *, spent: float | None = None, limit: float | None = None, **attributes: Any
    ) -> None:
        super().__init__(message, **attributes)
        self.spent = spent
        self.limit = limit


class BatchIncomplete(BatchError):
    """
    The job is over, but more of its tiles or features failed than was allowed.

    :param failed: how many did not come out.
    :param total: how many there are.
    """

    def __init__(self, message: str, *, failed: int = 0, total: int = 0, **attributes: Any) -> None:
        super().__init__(message, **attributes)
        self.failed = failed
        self.total = total


class BatchTimeout(BatchError):
    """Time is up before the job was. The message says whether the job was left alone or stopped."""


class ServiceError(SentinelHubError):
    """
    The service did not do what it was asked to.

    :param http_status: status code of the answer; ``None`` when there was none.
    :param code: the service's error code, such as ``COMMON_BAD_PAYLOAD``.
    :param retry_after: seconds after which the service wants to be asked again, where it said so.
    :ivar of_account: whether no token could be had, so that no other request would be answered either.
    """

    of_account = False

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(message, **attributes)
        self.http_status = http_status
        self.code = code
        self.retry_after = retry_after


class ServiceUnavailable(ServiceError):
    """
    No usable answer: 5xx, no connection, timeout, a page of HTML, truncated JSON. Worth asking again.

    :ivar lasting: whether the cause is at this end (a redirect, a certificate), so that it is not worth asking
        again before a person has done something about it.
    :ivar unreadable: whether an answer came that is no HTML page, but cannot be read. If other answers can, the
        cause is what was asked for.
    """

    lasting = False
    unreadable = False


class JobMayExist(ServiceUnavailable):
    """
    The answer to the creation of a job was lost, and with it the job's id.

    Creating it again might make a second job: look first for one with the same description.
    """


class RateLimited(ServiceUnavailable):
    """The account's request limit is used up (429). Worth asking again after :attr:`retry_after` seconds."""


class InvalidCredentials(ServiceError):
    """The token endpoint refuses the client id or the client secret."""


class RequestRefused(ServiceError):
    """The service understood and said no; asking again will not help."""


class BadRequest(RequestRefused):
    """400: the request, or the action at this moment, is not allowed."""


class Unauthorized(RequestRefused):
    """401 on a token that was issued a moment ago: it belongs to another deployment, or was revoked."""


class Forbidden(RequestRefused):
    """403: the account may not do this, most often because its plan has no batch processing."""


class NotFound(RequestRefused):
    """404: no such job, or not yet readable, or deleted."""


class Conflict(RequestRefused):
    """409: the job is in a state that does not allow this."""
