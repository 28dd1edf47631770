"""A batch job as any of the three services describes it, read without ever failing on a detail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeGuard

from airflow_sentinelhub.exceptions import InvalidPayload
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.creation_tag import without_tag
from airflow_sentinelhub.jobs.delivery import delivery_folder
from airflow_sentinelhub.jobs.message import LONGEST_DESCRIPTION, name_of, short_name_of
from airflow_sentinelhub.jobs.plain_text import LONGEST_LINE, one_line
from airflow_sentinelhub.jobs.redaction import REDACT
from airflow_sentinelhub.jobs.statuses import JobStatus, UserAction
from airflow_sentinelhub.jobs.untrusted_json import REQUEST_FIELDS, clean

LONGEST_ID = 100
"""Characters of an id. The service's are UUIDs, of 36."""

LONGEST_WORD = 100
"""Characters of a status, a reason, a time stamp."""

_COST_SPELLINGS = ("costPU", "costPu", "costpu", "cost_pu")
_LONGEST_DESCRIPTION_READ = 10_000

_OVER = frozenset({JobStatus.DONE, JobStatus.PARTIAL, JobStatus.STOPPED, JobStatus.FAILED, JobStatus.CANCELED})

_READ = (
    "id",
    "status",
    "userAction",
    "userActionUpdated",
    "completionPercentage",
    *_COST_SPELLINGS,
    "lastUpdated",
    "stoppedStatusReason",
    "error",
)


@dataclass(frozen=True, slots=True)
class BatchJob:
    """
    A job, as the service describes it at one time.

    :param api: the API that the job belongs to.
    :param id: its id.
    :param raw_status: the status as the service spelled it, in upper case; empty where there was none.
    :param user_action: what its user asked for last; NONE where the service leaves it out, ``None`` where
        this answer cannot tell (see ``status_only``) or uses a word that this version does not know.
    :param user_action_updated: when that was, as the service wrote it.
    :param completion_percentage: progress in percent, or ``None``. V1 has none.
    :param cost_pu: processing units charged so far, or ``None``.
    :param last_updated: the service's time stamp of its latest change, or ``None``.
    :param stopped_reason: why it is STOPPED, as the service spelled it, or ``None``.
    :param error: the service's explanation of a failure, or ``None``.
    :param status_only: whether this is an answer that never carries the user action.
    :param description: what its user calls it, cut to one short line; empty where the answer has none.
    :param delivery: the folder below which it leaves its results, or ``None`` where the answer had no request.
    :param payload: the answer itself, with the cost always under ``costPU``, without the request (it is
        large and may hold the keys of a bucket).
    """

    api: BatchApi
    id: str
    raw_status: str
    user_action: UserAction | None
    user_action_updated: str | None
    completion_percentage: float | None
    cost_pu: float | None
    last_updated: str | None
    stopped_reason: str | None
    error: str | None
    status_only: bool = False
    delivery: str | None = None
    description: str = field(default="", compare=False)
    payload: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_payload(
        cls,
        api: BatchApi,
        payload: object,
        *,
        status_only: bool = False,
        delivery: str | None = None,
        description: str | None = None,
    ) -> BatchJob:
        """
        Read an answer of the service.

        Fields that are missing, null, new or of an unexpected type never make it fail: the service drops,
        adds and renames them. What is kept is cleaned and bounded, see
        :func:`~airflow_sentinelhub.jobs.untrusted_json.clean`.

        :param api: the API that answered.
        :param payload: the decoded JSON.
        :param status_only: the answer came from the statistical ``/status``, which lacks ``userAction``.
        :param delivery: where it delivers, if its request was cut off before.
        :param description: what its user calls it, if its request was cut off before.
        :raises InvalidPayload: it is no object, or has no id that can be one: a printable text of at most
            :data:`LONGEST_ID` characters.
        """
        if not isinstance(payload, Mapping):
            raise InvalidPayload(
                f"{api.display_name} sent {_kind(payload)} where a job was expected; "
                "look whether the connection's base URL is that of a Sentinel Hub deployment",
                api=api.value,
            )
        job_id = payload.get("id")
        if not job_id:
            raise InvalidPayload(f"{api.display_name} sent a job without an id", api=api.value)
        if not is_plausible_id(job_id):
            raise InvalidPayload(f"{api.display_name} sent a job with an id that cannot be one", api=api.value)
        # What is read comes first: where there is too much, the end is left out.
        names = [name for name in dict.fromkeys((*_READ, *payload)) if name not in REQUEST_FIELDS]
        kept = clean({name: payload[name] for name in names if name in payload})
        cost = next((kept[key] for key in _COST_SPELLINGS if _number(kept.get(key)) is not None), None)
        for key in _COST_SPELLINGS:
            kept.pop(key, None)
        if cost is not None:
            kept["costPU"] = cost
        return cls(
            api=api,
            id=job_id,
            raw_status=_status_word(kept.get("status")),
            user_action=_user_action(kept, status_only),
            user_action_updated=_text(kept.get("userActionUpdated"), LONGEST_WORD),
            completion_percentage=_number(kept.get("completionPercentage")),
            cost_pu=_number(cost),
            last_updated=_text(kept.get("lastUpdated"), LONGEST_WORD),
            stopped_reason=_text(kept.get("stoppedStatusReason"), LONGEST_WORD),
            error=_text(kept.get("error"), LONGEST_LINE),
            status_only=status_only,
            delivery=delivery or delivery_folder(api, job_id, payload),
            description=_description(payload if description is None else {"description": description}),
            payload=kept,
        )

    @property
    def status(self) -> JobStatus | None:
        """The status, or ``None`` for a word that this version does not know."""
        try:
            return JobStatus(self.raw_status)
        except ValueError:
            return None

    @property
    def is_over(self) -> bool:
        """True if it has come to rest: it goes on only when it is started again."""
        return self.status in _OVER

    @property
    def label(self) -> str:
        """API and whole id of the job, as the subject of a sentence."""
        return f"{self.api.display_name} job {self.id}"

    @property
    def name(self) -> str:
        """Description, API and whole id of the job, as the end of a line."""
        return name_of(self.api, self.id, self.description)

    @property
    def short_name(self) -> str:
        """Description, or API, and the begin of the id, as the end of a line."""
        return short_name_of(self.api, self.id, self.description)

    def to_json(self) -> dict[str, Any]:
        """Return the job as it goes to XCom: the service's own keys, without the request."""
        return dict(self.payload)


@dataclass(frozen=True, slots=True)
class MissingJob:
    """
    The service says 404 for this id: not yet readable, deleted, or never there.

    :param api: the API that was asked.
    :param id: the id that was asked for.
    """

    api: BatchApi
    id: str

    @property
    def label(self) -> str:
        """API and whole id of the job, as the subject of a sentence."""
        return f"{self.api.display_name} job {self.id}"

    @property
    def name(self) -> str:
        """API and whole id of the job, as the end of a line."""
        return name_of(self.api, self.id)


def is_plausible_id(value: object) -> TypeGuard[str]:
    """
    Return whether a value from outside can be the id of a job.

    :param value: what the service says. Its ids are UUIDs; any short printable text is taken that is no secret and
        leads nowhere else as a part of an address.
    """
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_ID
        and value.isprintable()
        and value.strip(".") != ""
        and not {"/", "\\"} & {*value}
        and "\ufffd" not in value
        and REDACT(value) == value
    )


def _status_word(value: object) -> str:
    word = (_text(value, LONGEST_WORD) or "").strip().upper()[:LONGEST_WORD]
    return JobStatus.CANCELED.value if word == "CANCELLED" else word


def _description(payload: Mapping[str, Any]) -> str:
    request = payload.get("request")
    for holder in (request if isinstance(request, Mapping) else {}, payload):
        text = holder.get("description")
        if isinstance(text, str) and (own := without_tag(text[:_LONGEST_DESCRIPTION_READ])):
            return REDACT.line(own, LONGEST_DESCRIPTION)
    return ""


def _user_action(payload: Mapping[str, Any], status_only: bool) -> UserAction | None:
    word = (_text(payload.get("userAction"), LONGEST_WORD) or "").strip().upper()
    if not word:
        return None if status_only else UserAction.NONE
    try:
        return UserAction(word)
    except ValueError:
        return None


def _text(value: object, longest: int) -> str | None:
    """Return what messages show of a clean value: one line."""
    if isinstance(value, Mapping):
        # An error may come as an object with a message.
        message = value.get("message")
        value = message if isinstance(message, str) and message else str(value)
    return None if value is None else one_line(str(value), longest) or None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    # A text may say "NaN", which is no JSON.
    return number if isfinite(number) else None


def _kind(payload: object) -> str:
    return {list: "a list", str: "a text", type(None): "nothing"}.get(type(payload), "something else")
