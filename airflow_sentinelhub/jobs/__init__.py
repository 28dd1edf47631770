"""Rules about batch jobs: pure, without I/O and without a clock."""

from airflow_sentinelhub.jobs import wait_messages
from airflow_sentinelhub.jobs.action_retry_rules import ActionState, next_step_with_retry
from airflow_sentinelhub.jobs.action_rules import (
    Action,
    CallService,
    NotAllowed,
    NothingToDo,
    ServiceCall,
    WaitUntil,
    acceptance,
    next_step,
)
from airflow_sentinelhub.jobs.api import BatchApi, UrlLayout
from airflow_sentinelhub.jobs.completion import Completion, completion_of
from airflow_sentinelhub.jobs.completion_cursor import CompletionCursor, JobReading, NewCompletion
from airflow_sentinelhub.jobs.completion_filter import CompletionFilter, read_filter
from airflow_sentinelhub.jobs.error_rules import error_delay, evaluate_error
from airflow_sentinelhub.jobs.feature_counts import FeatureCounts, known_statuses, tiles_by_status
from airflow_sentinelhub.jobs.group_rules import (
    GroupCounts,
    GroupVerdict,
    Members,
    Quorum,
    Until,
    evaluate_group,
    group_error,
)
from airflow_sentinelhub.jobs.job import BatchJob, MissingJob
from airflow_sentinelhub.jobs.listed_job import ListedJob
from airflow_sentinelhub.jobs.request_id import (
    IdField,
    extract_id,
    extract_ids,
    parse_request_id,
    parse_request_ids,
)
from airflow_sentinelhub.jobs.statuses import (
    FeatureStatus,
    JobStatus,
    StatisticsStatus,
    StopReason,
    TileStatus,
    UserAction,
)
from airflow_sentinelhub.jobs.verdict import Outcome, Verdict, job_error
from airflow_sentinelhub.jobs.wait_policy import Deadlines, WaitGoal, WaitPolicy
from airflow_sentinelhub.jobs.wait_rules import evaluate
from airflow_sentinelhub.jobs.wait_state import WaitState

__all__ = [
    "read_filter",
    "completion_of",
    "JobReading",
    "NewCompletion",
    "ListedJob",
    "CompletionFilter",
    "Completion",
    "CompletionCursor",
    "extract_ids",
    "parse_request_ids",
    "group_error",
    "evaluate_group",
    "Until",
    "GroupCounts",
    "Quorum",
    "Members",
    "GroupVerdict",
    "Action",
    "ActionState",
    "NothingToDo",
    "BatchApi",
    "BatchJob",
    "Deadlines",
    "CallService",
    "FeatureStatus",
    "WaitGoal",
    "NotAllowed",
    "JobStatus",
    "WaitState",
    "MissingJob",
    "Outcome",
    "WaitPolicy",
    "IdField",
    "ServiceCall",
    "StatisticsStatus",
    "StopReason",
    "FeatureCounts",
    "TileStatus",
    "UrlLayout",
    "UserAction",
    "Verdict",
    "WaitUntil",
    "wait_messages",
    "evaluate",
    "evaluate_error",
    "next_step_with_retry",
    "job_error",
    "known_statuses",
    "parse_request_id",
    "error_delay",
    "next_step",
    "extract_id",
    "acceptance",
    "tiles_by_status",
]
