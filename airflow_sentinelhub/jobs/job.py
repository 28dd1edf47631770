"""A batch job as any of the three services describes it, read without ever failing on a detail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_sentinelhub.exceptions import InvalidPayload
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.delivery import delivery_folder
from airflow_sentinelhub.jobs.statuses import JobStatus, UserAction

_REQUEST_FIELDS = frozenset({"request", "processRequest"})
SECRET_FIELDS = frozenset({"accesskey", "secretaccesskey", "sessiontoken", "credentials"})
"""Fields, in lower case, under which a request holds the keys of a bucket."""

_COST_SPELLINGS = ("costPU", "costPu", "costpu", "cost_pu")


@dataclass(frozen=True, slots=True)
class BatchJob:
    """
    What the service says of a job at one moment.

    :param api: the API that the job belongs to.
    :param id: its id.
    :param word: the status as the service spelled it, in upper case; empty where there was none.
    :param user_action: what its user asked for last; NONE where the service leaves it out, ``None`` where
        this answer cannot tell (see ``light``) or uses a word that this version does not know.
    :param user_action_updated: when that was, as the service wrote it.
    :param completion_percentage: progress in percent, or ``None``. V1 has none.
    :param cost_pu: processing units charged so far, or ``None``.
    :param last_updated: the service's time stamp of its latest change, or ``None``.
    :param stopped_reason: why it is STOPPED, as the service spelled it, or ``None``.
    :param error: the service's explanation of a failure, or ``None``.
    :param light: whether this is an answer that never carries the user action.
    :param delivery: the folder below which it leaves its results, or ``None`` where the answer had no request.
    :param payload: the answer itself, with the cost always under ``costPU``, without the request (it is
        large and may hold the keys of a bucket).
    """

    api: BatchApi
    id: str
    word: str
    user_action: UserAction | None
    user_action_updated: str | None
    completion_percentage: float | None
    cost_pu: float | None
    last_updated: str | None
    stopped_reason: str | None
    error: str | None
    light: bool = False
    delivery: str | None = None
    payload: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_payload(
        cls, api: BatchApi, payload: object, *, light: bool = False, delivery: str | None = None
    ) -> BatchJob:
        """
        Read an answer of the service.

        Fields that are missing, null, new or of an unexpected type never make it fail: the service drops,
        adds and renames them.

        :param api: the API that answered.
        :param payload: the decoded JSON.
        :param light: the answer came from the statistical ``/status``, which lacks ``userAction``.
        :param delivery: where it delivers, if its request was cut off before.
        :raises InvalidPayload: it is no object, or has no id.
        """
        if not isinstance(payload, Mapping):
            raise InvalidPayload(
                f"{api.display_name} sent {_kind(payload)} where a job was expected; "
                "look whether the connection's base URL is that of a Sentinel Hub deployment",
                api=api.value,
            )
        job_id = payload.get("id")
        if not isinstance(job_id, str) or not job_id:
            raise InvalidPayload(f"{api.display_name} sent a job without an id", api=api.value)
        kept = _scrubbed({key: value for key, value in payload.items() if key not in _REQUEST_FIELDS})
        cost = next((kept[key] for key in _COST_SPELLINGS if _number(kept.get(key)) is not None), None)
        for key in _COST_SPELLINGS:
            kept.pop(key, None)
        if cost is not None:
            kept["costPU"] = cost
        return cls(
            api=api,
            id=job_id,
            word=_status_word(payload.get("status")),
            user_action=_user_action(payload, light),
            user_action_updated=_text(payload.get("userActionUpdated")),
            completion_percentage=_number(payload.get("completionPercentage")),
            cost_pu=_number(cost),
            last_updated=_text(payload.get("lastUpdated")),
            stopped_reason=_text(payload.get("stoppedStatusReason")),
            error=_text(payload.get("error")),
            light=light,
            delivery=delivery or delivery_folder(api, job_id, payload),
            payload=kept,
        )

    @property
    def status(self) -> JobStatus | None:
        """The status, or ``None`` for a word that this version does not know."""
        try:
            return JobStatus(self.word)
        except ValueError:
            return None

    @property
    def label(self) -> str:
        """How messages name the job: API and whole id."""
        return f"{self.api.display_name} job {self.id}"

    def to_json(self) -> dict[str, Any]:
        """Give the job as it goes to XCom: the service's own keys, without the request."""
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
        """How messages name the job: API and whole id."""
        return f"{self.api.display_name} job {self.id}"


def _status_word(value: object) -> str:
    word = (_text(value) or "").strip().upper()
    return JobStatus.CANCELED.value if word == "CANCELLED" else word


def _user_action(payload: Mapping[str, Any], light: bool) -> UserAction | None:
    word = (_text(payload.get("userAction")) or "").strip().upper()
    if not word:
        return None if light else UserAction.NONE
    try:
        return UserAction(word)
    except ValueError:
        return None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, Mapping):
        # An error may come as an object with a message.
        message = value.get("message")
        return message if isinstance(message, str) and message else str(_scrubbed(value))
    return str(value)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    # NaN and infinity are no JSON, and PostgreSQL refuses them in an XCom.
    return number if abs(number) != float("inf") and number == number else None


def _scrubbed(value: Any) -> Any:
    """Copy JSON without the keys of a bucket, wherever the service may put them."""
    if isinstance(value, Mapping):
        return {
            str(key): "***" if str(key).lower() in SECRET_FIELDS and item else _scrubbed(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_scrubbed(item) for item in value]
    if isinstance(value, float) and _number(value) is None:
        return None
    return value


def _kind(payload: object) -> str:
    return {list: "a list", str: "a text", type(None): "nothing"}.get(type(payload), "something else")
