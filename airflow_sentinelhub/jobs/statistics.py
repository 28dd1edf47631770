"""What the result file of a feature says: Batch Statistical keeps failures nowhere else (section 6.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_sentinelhub.jobs.statuses import StatisticsStatus
from airflow_sentinelhub.jobs.tiles import status_word
from airflow_sentinelhub.jobs.untrusted_json import clean

_OK = "OK"


def read_statistics(
    content: object, *, feature_id: int | None = None, identifier: str | None = None
) -> tuple[str, dict[str, Any]]:
    """
    Give a feature's status, and what failed of it; the statistics themselves are left where they are.

    The record has ``id``, ``identifier``, ``error`` (of the whole feature, or ``None``), ``intervals`` (how many
    the file has) and ``failed_intervals``, a list of ``{"from", "to", "error"}``. It is cleaned and bounded.

    :param content: the decoded JSON of the file.
    :param feature_id: what the file's name says of the id, should the file itself not tell.
    :param identifier: the same of the identifier.
    """
    if not isinstance(content, Mapping):
        return unreadable("it holds no JSON object", feature_id=feature_id, identifier=identifier)
    record = _record(content.get("id", feature_id), content.get("identifier", identifier))
    if (error := content.get("error")) is not None:
        return StatisticsStatus.FAILED.value, clean(record | {"error": _words(error)})
    response = content.get("response")
    if not isinstance(response, Mapping):
        return StatisticsStatus.UNREADABLE.value, clean(
            record | {"error": "it has neither a response nor an error"}
        )
    data = response.get("data")
    intervals = [each for each in data if isinstance(each, Mapping)] if isinstance(data, Sequence) else []
    failed = [_interval(each) for each in intervals if each.get("error") is not None]
    record |= {"intervals": len(intervals), "failed_intervals": failed}
    word = None if response.get("status") is None else status_word(response["status"])
    if word == StatisticsStatus.FAILED:
        record["error"] = _common(failed)
    return _status(word, len(intervals), len(failed), has_data=data is not None), clean(record)


def unreadable(
    reason: str, *, feature_id: int | None = None, identifier: str | None = None
) -> tuple[str, dict[str, Any]]:
    """Give the record of a file that cannot be read."""
    return StatisticsStatus.UNREADABLE.value, clean(_record(feature_id, identifier) | {"error": reason})


def _status(word: str | None, intervals: int, failed: int, *, has_data: bool) -> str:
    """Failures count, whatever the summary says; without any, the summary is believed."""
    if word in (None, _OK, StatisticsStatus.PARTIAL) and failed:
        return (StatisticsStatus.FAILED if failed == intervals else StatisticsStatus.PARTIAL).value
    if word is None:
        return (StatisticsStatus.DONE if has_data else StatisticsStatus.FAILED).value
    return StatisticsStatus.DONE.value if word == _OK else word


def _record(feature_id: object, identifier: object) -> dict[str, Any]:
    return {
        "id": feature_id,
        "identifier": identifier,
        "error": None,
        "intervals": 0,
        "failed_intervals": [],
    }


def _interval(entry: Mapping[str, Any]) -> dict[str, Any]:
    interval = entry.get("interval")
    interval = interval if isinstance(interval, Mapping) else {}
    return {"from": interval.get("from"), "to": interval.get("to"), "error": _words(entry["error"])}


def _common(failed: list[dict[str, Any]]) -> str | None:
    """The error of all intervals, if it is one and the same."""
    errors = {each["error"] for each in failed}
    return errors.pop() if len(errors) == 1 else None


def _words(error: object) -> str:
    error = clean(error)
    if not isinstance(error, Mapping):
        return str(error)
    words = [str(error[key]) for key in ("type", "message") if error.get(key)]
    return ": ".join(words) or "an error without a word"
