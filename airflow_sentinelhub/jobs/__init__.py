"""What a batch job is and when it is over: pure rules, without I/O and without a clock."""

from airflow_sentinelhub.jobs import wait_messages
from airflow_sentinelhub.jobs.action_retry_rules import ActionState, decide
from airflow_sentinelhub.jobs.action_rules import (
    Action,
    CallService,
    NotAllowed,
    NothingToDo,
    ServiceCall,
    WaitUntil,
    plan,
    taken,
)
from airflow_sentinelhub.jobs.api import BatchApi, UrlLayout
from airflow_sentinelhub.jobs.completion import Completion, end_of
from airflow_sentinelhub.jobs.completion_cursor import CompletionCursor, JobReading, NewCompletion
from airflow_sentinelhub.jobs.completion_filter import CompletionFilter, read_filter
from airflow_sentinelhub.jobs.error_rules import assess_trouble, pause_after
from airflow_sentinelhub.jobs.feature_counts import FeatureCounts, known_statuses, tiles_by_status
from airflow_sentinelhub.jobs.group_rules import (
    GroupCounts,
    GroupVerdict,
    Members,
    Quorum,
    Until,
    assess_group,
    group_error,
)
from airflow_sentinelhub.jobs.job import BatchJob, MissingJob
from airflow_sentinelhub.jobs.listed_job import ListedJob
from airflow_sentinelhub.jobs.request_id import (
    IdField,
    parse_request_id,
    parse_request_ids,
    reduce_to_id,
    reduce_to_ids,
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
from airflow_sentinelhub.jobs.wait_rules import assess
from airflow_sentinelhub.jobs.wait_state import WaitState

__all__ = [
    "read_filter",
    "end_of",
    "JobReading",
    "NewCompletion",
    "ListedJob",
    "CompletionFilter",
    "Completion",
    "CompletionCursor",
    "reduce_to_ids",
    "parse_request_ids",
    "group_error",
    "assess_group",
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
    "assess",
    "assess_trouble",
    "decide",
    "job_error",
    "known_statuses",
    "parse_request_id",
    "pause_after",
    "plan",
    "reduce_to_id",
    "taken",
    "tiles_by_status",
]
