"""
Shape of a message: the verdict first, the job last, and what follows from it below.

Airflow's page does not wrap the lines of a log, so the first line has to say it all in about 100 characters.
"""

from __future__ import annotations

from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.plain_text import cut

LONGEST_DESCRIPTION = 40
"""Characters that a name shows of the description of a job."""

_SHORT_ID = 8


def about(verdict: str, name: str, *more: str) -> str:
    """
    Return a message.

    :param verdict: what is the matter, without a full stop.
    :param name: of the job, or of the group of jobs.
    :param more: sentences on lines of their own: what it means, and what to do.
    """
    return "\n".join((f"{verdict} ({name})", *more))


def first_line(message: str) -> str:
    """Return what a message says by its first line alone."""
    return message.partition("\n")[0]


def name_of(api: BatchApi, job_id: str, description: str = "") -> str:
    """
    Return the name of a job: its description, its API and its whole id.

    :param api: the API of the job.
    :param job_id: its id.
    :param description: what its user calls it.
    """
    name = f"{api.display_name} {job_id}"
    return f"{cut(description, LONGEST_DESCRIPTION)}, {name}" if description else name


def short_name_of(api: BatchApi, job_id: str, description: str = "") -> str:
    """Return the name of a job for the lines in between: its description, else its API, and how its id begins."""
    begin = job_id[:_SHORT_ID]
    return f"{cut(description, LONGEST_DESCRIPTION)}, {begin}" if description else f"{api.display_name} {begin}"
