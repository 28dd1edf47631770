"""Mapping of answers that are no success to our exceptions, with advice."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from airflow_sentinelhub.client.error_body import ErrorBody
from airflow_sentinelhub.client.http_response import HttpResponse
from airflow_sentinelhub.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    JobMayExist,
    NotFound,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.plain_text import one_line

# Not worth an exception of their own, but an invitation to ask again: request timeout, too early.
_PASSING = {408, 425}
_LONGEST_HOST = 300

# Said now and then of requests that were in order, by token endpoints and APIs alike: public clients of the
# service ask again. The length is bounded, as the text is a stranger's.
_SPURIOUS = re.compile(
    r"missing\b[^.]{0,80}\bgrant_type\b|\bgrant_type\b[^.]{0,80}\b(missing|required|empty)\b"
    r"|\bbody should be non-empty\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """
    API, job and action of a request, as messages and exceptions name them.

    :param label: the job or API.
    :param action: what was asked for, so that "to {action}" is English.
    :param host: who was asked.
    :param field: the field of the connection that says so.
    """

    label: str
    action: str
    host: str
    field: str
    api: BatchApi | None = None
    job_id: str | None = None

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of every exception of this context."""
        return {"api": self.api.value if self.api else None, "job_id": self.job_id}


def is_transient(status: int) -> bool:
    """Return whether a status says nothing about the request, so that it may be repeated (429 is apart)."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING


def is_spurious(status: int, words: ErrorBody) -> bool:
    """
    Return whether a refusal is the service's own passing fault: it says that what was sent did not arrive.

    Nothing was done then, so that even the creation of a job may be repeated.
    """
    return status == HTTPStatus.BAD_REQUEST and _SPURIOUS.search(words.message or "") is not None


def summary(status: int, words: ErrorBody) -> str:
    """Status and words of an answer, for brackets."""
    return f"{status}, {words}" if str(words) else f"{status}, without a word of why"


def unavailable(
    subject: ErrorContext,
    reason: str,
    *,
    status: int | None = None,
    words: ErrorBody | None = None,
    retry_after: float | None = None,
    lasting: bool = False,
) -> ServiceUnavailable:
    """Return the error for no usable answer; ``reason`` completes "no usable answer: …"."""
    words = words or ErrorBody()
    said = f" ({words})" if str(words) else ""
    error = ServiceUnavailable(
        f"No usable answer: {reason}{said} ({subject.label})\n{subject.host} was asked to {subject.action}.",
        http_status=status,
        code=words.code,
        service_message=words.message,
        retry_after=retry_after,
        **subject.attributes,
    )
    error.lasting = lasting
    return error


def redirected(subject: ErrorContext, answer: HttpResponse) -> ServiceUnavailable:
    """Return the error for a redirect: it is not followed, as it would take the credentials along."""
    host = one_line(answer.redirect_host, _LONGEST_HOST)
    return unavailable(
        subject,
        f"it redirects to {host} ({answer.status}), where credentials are not taken. If the "
        f"service has moved, or wants https://, correct the connection's {subject.field}",
        status=answer.status,
        lasting=True,
    )


def rate_limited(subject: ErrorContext, words: ErrorBody, retry_after: float | None) -> RateLimited:
    """Return the error for a 429."""
    when = f", wants to be asked again after {retry_after:g} s" if retry_after else ""
    return RateLimited(
        f"Request limit used up{when}: {summary(429, words)} ({subject.label})\n"
        f"{subject.host} refused to {subject.action} for now.",
        http_status=HTTPStatus.TOO_MANY_REQUESTS,
        code=words.code,
        service_message=words.message,
        retry_after=retry_after,
        **subject.attributes,
    )


def locally_rate_limited(subject: ErrorContext, wait: float) -> RateLimited:
    """Return the error for a request that was not sent, since the account's last 429 is not over."""
    return RateLimited(
        f"Request limit used up, may be asked again in {wait:.1f} s ({subject.label})\n"
        f"{subject.host} was not asked to {subject.action}.",
        retry_after=wait,
        **subject.attributes,
    )


def job_may_exist(subject: ErrorContext, cause: ServiceUnavailable) -> JobMayExist:
    """Return the error for a lost answer to *create*, which must not be sent again blindly."""
    return JobMayExist(
        f"{cause}\nThe job may exist all the same: list the newest jobs and look for it by its description\n"
        "before creating it again, otherwise two run and are charged.",
        http_status=cause.http_status,
        code=cause.code,
        service_message=cause.service_message,
        retry_after=cause.retry_after,
        **subject.attributes,
    )


def refusal(
    subject: ErrorContext, status: int, words: ErrorBody, *, auth_host: str, repeated: bool = False
) -> RequestRefused:
    """
    Turn a 4xx of a batch API into the exception of its kind.

    :param auth_host: where the token came from.
    :param repeated: whether an earlier attempt may already have done what this one was refused.
    """
    kind, advice = _kind(subject, status, auth_host)
    if repeated and kind in (BadRequest, Conflict):
        advice = f"An attempt just before, whose answer was lost, may have done it already. {advice}"
    return kind(
        f"Refused: {summary(status, words)} ({subject.label})\n"
        f"{subject.host} was asked to {subject.action}. {advice}",
        http_status=status,
        code=words.code,
        service_message=words.message,
        **subject.attributes,
    )


def _kind(subject: ErrorContext, status: int, auth_host: str) -> tuple[type[RequestRefused], str]:
    no_job = subject.job_id is None
    match status:
        case HTTPStatus.BAD_REQUEST if no_job:
            return BadRequest, "Correct the request; the same one will be refused again."
        case HTTPStatus.BAD_REQUEST:
            return BadRequest, (
                "The job's state does not allow it now (after a stop, a start is refused for 30 to 60 minutes), "
                "or the id is no job id: look at the job."
            )
        case HTTPStatus.UNAUTHORIZED:
            return Unauthorized, (
                "The token was issued a moment ago, so it belongs to another deployment: check that the "
                f"connection's auth_url ({auth_host}) belongs to its base URL."
            )
        case HTTPStatus.FORBIDDEN if no_job:
            return Forbidden, (
                "The account may not do this: batch processing needs a plan that includes it (on CDSE, a "
                "Copernicus Service account), and a new job at least 1,000 processing units on the account. Check "
                "the connection's client id and base URL."
            )
        case HTTPStatus.FORBIDDEN:
            return Forbidden, (
                "The account may not do this: batch processing needs a plan that includes it, and a job is open "
                "to its own account only. Check the connection's client id and base URL."
            )
        case HTTPStatus.NOT_FOUND if no_job:
            return NotFound, "There is no such API: check the connection's base URL and url_layout."
        case HTTPStatus.NOT_FOUND:
            retention = subject.api.spec.retention if subject.api else None
            kept = f" (jobs are kept {retention})" if retention else ""
            return NotFound, (
                f"The account has no such job there: it was deleted{kept}, belongs to another account, API or "
                "deployment, or was created a moment ago and cannot be read yet. Check the id and the "
                "connection's base URL."
            )
        case HTTPStatus.CONFLICT:
            return Conflict, "The job's state does not allow it now: look at the job."
        case _:
            return RequestRefused, "Asking again will not help."


def about(subject: ErrorContext, action: str, job_id: str | None = None) -> ErrorContext:
    """Return the same context for another action, and for one of its jobs where an id is given."""
    label = f"{subject.label} job {job_id}" if job_id is not None else subject.label
    return replace(subject, label=label, action=action, job_id=job_id)
