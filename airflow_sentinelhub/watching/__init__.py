"""Watching jobs: looks, what they come to, and what a log tells of them. No Airflow in here."""

from airflow_sentinelhub.watching.look import JobReader, Look, look_at, look_elsewhere
from airflow_sentinelhub.watching.story import Story, clock, verdict_line
from airflow_sentinelhub.watching.subscription import Subscription, in_thread, subscribe
from airflow_sentinelhub.watching.wait import Terms, Wait

__all__ = [
    "JobReader",
    "Look",
    "Story",
    "Subscription",
    "Terms",
    "Wait",
    "clock",
    "in_thread",
    "look_at",
    "look_elsewhere",
    "subscribe",
    "verdict_line",
]
