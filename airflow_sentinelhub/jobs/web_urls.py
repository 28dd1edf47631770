"""Web pages on which people look at a job, and at what it delivers."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

from airflow_sentinelhub.jobs.plain_text import encodable

JOB_ID = "{id}"
"""What stands for a job's id in the address of its page."""


def job_page(template: str, job_id: str) -> str:
    """
    Return the page of a job.

    :param template: its address, with :data:`JOB_ID`, or that of a page that shows all jobs; empty: there is none.
    :param job_id: the job.
    """
    return template.replace(JOB_ID, quote(job_id, safe=""))


def jobs_page(template: str) -> str:
    """
    Return the page that shows all jobs; empty if there is none, but one for each job.

    :param template: see :func:`job_page`.
    """
    return "" if JOB_ID in template else template


def folder_page(folder: str) -> str:
    """
    Return the page of a folder in the web console of its object storage.

    It is empty for a storage that has none, and for a URL that cannot be read.

    :param folder: its URL, such as ``s3://bucket/folder``.
    """
    try:
        parts = urlsplit(encodable(folder))
    except ValueError:
        return ""
    path = parts.path.strip("/")
    match parts.scheme:
        case "s3":
            query = {"prefix": f"{path}/"} if path else {}
            page = f"https://s3.console.aws.amazon.com/s3/buckets/{quote(parts.netloc)}"
            return f"{page}?{urlencode(query)}" if query else page
        case "gs":
            return (
                f"https://console.cloud.google.com/storage/browser/{quote(f'{parts.netloc}/{path}'.rstrip('/'))}"
            )
        case _:
            return ""
