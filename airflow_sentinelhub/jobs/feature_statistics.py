"""Result file of a feature: Batch Statistical keeps failures nowhere else (section 6.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_sentinelhub.jobs.feature_counts import status_word
from airflow_sentinelhub.jobs.plain_text import cut
from airflow_sentinelhub.jobs.statuses import StatisticsStatus
from airflow_sentinelhub.jobs.untrusted_json import clean

_OK = "OK"

LONGEST_TEXT = 2_000
"""Characters that are kept of an error or an identifier: enough for a message."""

MOST_INTERVALS = 10_000
"""Failed intervals of a feature that are listed (27 years of days); all are counted."""

MOST_ERROR_TEXT = 100_000
"""Characters of the errors of all intervals of a feature, each different one counted once."""

_LONGEST_TIME = 100
_TOO_MUCH = "(not kept: the errors of this feature are too long)"


def read_statistics(
    content: object, *, feature_id: int | None = None, identifier: str | None = None
) -> tuple[str, dict[str, Any]]:
    """
    Return a feature's status, and what failed of it; the statistics themselves are left where they are.

    The record has ``id``, ``identifier``, ``error`` (of the whole feature, or ``None``), ``intervals`` (how many
    the file has) and ``failed_intervals``, a list of ``{"from", "to", "error"}``. It is cleaned and bounded: texts
    at :data:`LONGEST_TEXT`, the list at :data:`MOST_INTERVALS`.

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
    bad = [each for each in intervals if each.get("error") is not None]
    failed = _failed(bad[:MOST_INTERVALS])
    record |= {"intervals": len(intervals), "failed_intervals": failed}
    word = None if response.get("status") is None else status_word(response["status"])
    if word == StatisticsStatus.FAILED:
        record["error"] = _common(failed)
    return _status(word, len(intervals), len(bad), has_data=data is not None), clean(record)


def unreadable(
    reason: str, *, feature_id: int | None = None, identifier: str | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the record of a file that cannot be read."""
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
        "id": _value(feature_id),
        "identifier": _value(identifier),
        "error": None,
        "intervals": 0,
        "failed_intervals": [],
    }


def _failed(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    failed = []
    kept: dict[str, str] = {}  # a text that comes again is not kept again
    length = 0
    for entry in entries:
        error = _words(entry["error"])
        if error not in kept:
            length += len(error)
            error = error if length <= MOST_ERROR_TEXT else _TOO_MUCH
        error = kept.setdefault(error, error)
        interval = entry.get("interval")
        interval = interval if isinstance(interval, Mapping) else {}
        begin, end = (_value(interval.get(name), _LONGEST_TIME) for name in ("from", "to"))
        failed.append({"from": begin, "to": end, "error": error})
    return failed


def _value(value: object, longest: int = LONGEST_TEXT) -> object:
    """Return an id, an identifier or a time: a number or a text, and nothing that is nested."""
    return value if value is None or isinstance(value, bool | int | float) else cut(str(clean(value)), longest)


def _common(failed: list[dict[str, Any]]) -> str | None:
    """Return the error of all intervals, if it is one and the same."""
    errors = {each["error"] for each in failed}
    return errors.pop() if len(errors) == 1 else None


def _words(error: object) -> str:
    error = clean(error)
    if not isinstance(error, Mapping):
        return cut(str(error), LONGEST_TEXT)
    words = [cut(str(error[key]), LONGEST_TEXT) for key in ("type", "message") if error.get(key)]
    return cut(": ".join(words), LONGEST_TEXT) or "an error without a word"
