"""Watching jobs: who asks for which and when, what the looks come to, and what a log tells. No Airflow in here."""

from airflow_sentinelhub.jobs.moments import format_time
from airflow_sentinelhub.watching.ending import Ending, end_job
from airflow_sentinelhub.watching.ends import EndsWatch, EventTerms, MemoryNotebook, Notebook
from airflow_sentinelhub.watching.group import GroupTerms, GroupWait
from airflow_sentinelhub.watching.group_story import group_line
from airflow_sentinelhub.watching.list_cycle import NextSight, Sight
from airflow_sentinelhub.watching.look import (
    JobReader,
    ListReader,
    Look,
    NextLook,
    found_elsewhere,
    look_at,
    look_elsewhere,
    may_be_elsewhere,
)
from airflow_sentinelhub.watching.look_at_many import look_at_many, whose
from airflow_sentinelhub.watching.pollers import Account, follow_list, subscribe
from airflow_sentinelhub.watching.search import Whereabouts
from airflow_sentinelhub.watching.story import Story, verdict_line
from airflow_sentinelhub.watching.subscription import Subscription
from airflow_sentinelhub.watching.wait import Terms, Wait

__all__ = [
    "end_job",
    "follow_list",
    "Sight",
    "Notebook",
    "NextSight",
    "MemoryNotebook",
    "EventTerms",
    "EndsWatch",
    "Ending",
    "look_at_many",
    "group_line",
    "GroupWait",
    "GroupTerms",
    "Account",
    "JobReader",
    "ListReader",
    "Look",
    "NextLook",
    "Story",
    "Subscription",
    "Terms",
    "Wait",
    "Whereabouts",
    "format_time",
    "found_elsewhere",
    "look_at",
    "look_elsewhere",
    "may_be_elsewhere",
    "subscribe",
    "verdict_line",
    "whose",
]
