"""The words that the service uses for the state of a job, of a tile and of what its user wants."""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """
    Status of a job.

    PARTIAL comes from V1 and, by its schema, from Batch Statistical; CANCELED (one L) from V1 alone; STOPPED
    from Batch Process and Batch Statistical.
    """

    CREATED = "CREATED"
    ANALYSING = "ANALYSING"
    ANALYSIS_DONE = "ANALYSIS_DONE"
    PROCESSING = "PROCESSING"
    DONE = "DONE"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    STOPPED = "STOPPED"


class UserAction(StrEnum):
    """
    Last action of the user.

    The status stays CREATED for minutes after a successful START: only this tells a queued job from one that
    was not started. V1 says CANCEL where the others say STOP.
    """

    NONE = "NONE"
    ANALYSE = "ANALYSE"
    START = "START"
    STOP = "STOP"
    CANCEL = "CANCEL"


class StopReason(StrEnum):
    """Why a job is STOPPED. The prose of Batch Statistical adds UNHEALTHY, which its schema lacks."""

    OUT_OF_PU = "OUT_OF_PU"
    USER_ACTION = "USER_ACTION"
    UNHEALTHY = "UNHEALTHY"


class TileStatus(StrEnum):
    """State of a tile of Batch Process v1. The prose calls success DONE; on the wire it is PROCESSED."""

    PENDING = "PENDING"
    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    PROCESSED = "PROCESSED"
    FAILED = "FAILED"


class FeatureStatus(StrEnum):
    """State of a feature of Batch Process (v2) in the execution database. FATAL is not tried again."""

    DONE = "DONE"
    FATAL = "FATAL"
    PENDING = "PENDING"


class StatisticsStatus(StrEnum):
    """
    Outcome of a feature of Batch Statistical, by its result file.

    DONE: all intervals. PARTIAL: some intervals failed. FAILED: the feature, or all intervals. UNREADABLE: the
    file is not what the documentation describes. Features without a file are not known of.
    """

    DONE = "DONE"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    UNREADABLE = "UNREADABLE"
