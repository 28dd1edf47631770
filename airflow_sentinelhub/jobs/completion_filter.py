"""Filter of job completions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.completion import ENDS
from airflow_sentinelhub.jobs.listed_job import LONGEST_DESCRIPTION, ListedJob
from airflow_sentinelhub.jobs.request_id import parse_request_ids
from airflow_sentinelhub.jobs.statuses import JobStatus


@dataclass(frozen=True, slots=True)
class CompletionFilter:
    """
    Says which ends count. All that is given has to hold.

    :param statuses: the statuses that count.
    :param description: a text that the job's description contains; ``None``: any.
    :param pattern: a regular expression that is found in it; ``None``: any.
    :param request_ids: the jobs, by their ids in lower case; ``None``: all jobs of the account.
    """

    statuses: tuple[JobStatus, ...]
    description: str | None = None
    pattern: re.Pattern[str] | None = None
    request_ids: tuple[str, ...] | None = None

    def wants(self, listed: ListedJob) -> bool:
        """Return whether the end of this job counts, if it is the right one."""
        return self.request_ids is None or listed.key in self.request_ids

    def matches(self, listed: ListedJob) -> bool:
        """Return whether the end that this job has come to counts."""
        text = listed.description[:LONGEST_DESCRIPTION]
        return (
            self.wants(listed)
            and listed.job.status in self.statuses
            and (self.description is None or self.description in text)
            and (self.pattern is None or self.pattern.search(text) is not None)
        )


def read_filter(
    api: BatchApi,
    statuses: Sequence[str] | str | None = None,
    description: str | None = None,
    description_pattern: str | None = None,
    request_ids: object = None,
) -> CompletionFilter:
    """
    Make a filter of what a user wrote.

    :param api: the API of the jobs.
    :param statuses: a status or several; ``None``: every end.
    :param description: a text, case matters.
    :param description_pattern: a regular expression of Python.
    :param request_ids: what :func:`~airflow_sentinelhub.jobs.parse_request_ids` takes.
    :raises ValueError: one of them makes no sense, or nothing can ever match.
    :raises InvalidRequestId: an id is none.
    """
    if api is BatchApi.STATISTICAL and (description is not None or description_pattern is not None):
        raise ValueError(
            "Batch Statistical jobs have no description, so description and description_pattern would never "
            "match: leave them out, or name the jobs with request_ids."
        )
    if description is not None and (not isinstance(description, str) or not description):
        raise ValueError(f"description must be a text that is not empty; it is {description!r}. None takes any.")
    ids = None
    if request_ids is not None:
        parsed, _ = parse_request_ids(request_ids)
        if not parsed:
            raise ValueError("request_ids is empty, so no job would ever match. None takes all jobs.")
        ids = tuple(parsed)
    return CompletionFilter(_statuses(api, statuses), description, _pattern(description_pattern), ids)


def _statuses(api: BatchApi, given: Sequence[str] | str | None) -> tuple[JobStatus, ...]:
    possible = ENDS[api]
    if given is None:
        return possible
    words = [given] if isinstance(given, str) else list(given)
    wanted = {str(word) for word in words}
    strange = sorted(wanted - set(possible))
    if strange or not wanted:
        what = f"has {', '.join(strange)}, in which no {api.display_name} job ends" if strange else "is empty"
        raise ValueError(f"statuses {what}: take of {', '.join(possible)}, or None for every end.")
    return tuple(status for status in possible if status in wanted)


def _pattern(given: str | None) -> re.Pattern[str] | None:
    if given is None:
        return None
    if not isinstance(given, str) or not given:
        raise ValueError(f"description_pattern must be a regular expression; it is {given!r}. None takes any.")
    try:
        return re.compile(given)
    except re.error as error:
        raise ValueError(
            f"description_pattern {given!r} is no regular expression: {error}. For a plain text take description."
        ) from None
