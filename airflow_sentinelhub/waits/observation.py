"""Requests of a wait to its poller, and their results: one job, or a part of the list."""

from __future__ import annotations

import math
from dataclasses import dataclass

from airflow_sentinelhub.exceptions import InvalidPayload, SentinelHubError
from airflow_sentinelhub.jobs import (
    BatchJob,
    ListedJob,
    MissingJob,
)

PollResult = BatchJob | MissingJob | SentinelHubError
"""The job, a 404, or the reason why neither could be had."""


@dataclass(frozen=True, slots=True)
class PollRequest:
    """
    Next poll that a wait asks for.

    :param delay: seconds from now.
    :param exact: not a moment earlier, otherwise somewhat earlier will do, together with others.
    :param is_final: it is the last one, and is wanted then even if it will only show that the service is away.
    :param bypass_list: by a request for this job alone; otherwise a list will do, which may lag behind.
    :param status_only: the user action does not matter.
    :param latest: seconds from now after which no pause of the poller may delay it: then time is up.
    """

    delay: float
    exact: bool = False
    is_final: bool = False
    bypass_list: bool = False
    status_only: bool = False
    latest: float = math.inf


TOP = float("inf")


BOTTOM = float("-inf")


@dataclass(frozen=True, slots=True)
class ListRequest(PollRequest):
    """
    Next part of the list that is asked for.

    :param created_from: all jobs that were created from then on, in seconds since 1970, and the newest page;
        :data:`BOTTOM`: all there are; :data:`TOP`: none of them.
    :param jobs: these jobs, too, wherever they are.
    """

    created_from: float = TOP
    jobs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UnreadableJob:
    """
    A job of which what the service says cannot be read.

    :param key: its id, in lower case.
    :param created: when it was created, in seconds since 1970; ``None`` where that cannot be read either.
    :param error: what is wrong.
    """

    key: str
    created: float | None
    error: InvalidPayload


@dataclass(frozen=True, slots=True)
class ListSnapshot:
    """
    Result of reading a part of the list.

    :param jobs: the newest first; in the order of the list, then those that were asked for by themselves.
    :param missing: jobs that the service does not know.
    :param cut: the list went on and on, so that older jobs on it were not seen.
    :param unreadable: jobs that cannot be read.
    """

    jobs: tuple[ListedJob, ...]
    missing: frozenset[str] = frozenset()
    cut: bool = False
    unreadable: tuple[UnreadableJob, ...] = ()
