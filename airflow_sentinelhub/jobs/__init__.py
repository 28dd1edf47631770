"""What a batch job is and when it is over: pure rules, without I/O and without a clock."""

from airflow_sentinelhub.jobs.api import BatchApi, UrlLayout
from airflow_sentinelhub.jobs.statuses import JobStatus, StopReason, TileStatus, UserAction

__all__ = ["BatchApi", "JobStatus", "StopReason", "TileStatus", "UrlLayout", "UserAction"]
