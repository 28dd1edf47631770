"""
Links from a task to its job and to what that delivers.

An operator has them as its ``operator_extra_links`` and calls :func:`link_to` as soon as it knows its job. Airflow
asks for the links on the worker, whenever that lets go of the task: also when it defers. No request is sent for
them, so a link is there once the worker knows where it leads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCom
from airflow.sdk import BaseOperatorLink

from airflow_sentinelhub.jobs.web_urls import folder_page, job_page, jobs_page

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig

_PAGES = "_sentinelhub_pages"
_RESUMED = "_sentinelhub_resumed"


class _PageLink(BaseOperatorLink):
    """Leads to one of the pages that :func:`link_to` has noted."""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """
        Return the page's address; empty while it is not known.

        :param operator: the task, as its worker knows it.
        :param ti_key: its instance.
        """
        page = getattr(operator, _PAGES, {}).get(type(self))
        if page is not None:
            return str(page)
        if not getattr(operator, _RESUMED, False):
            # Nothing can be there, and Airflow would write an error into the task's log that says so.
            return ""
        try:
            # What is empty here replaces what was there before the task deferred.
            return str(XCom.get_value(ti_key=ti_key, key=self.xcom_key) or "")
        except Exception:
            return ""  # a link is not worth the traceback that Airflow would write into the task's log


class SentinelHubJobLink(_PageLink):
    """Leads to the job in the web application of its deployment, or to the page nearest to it."""

    name = "Sentinel Hub"


class SentinelHubDeliveryLink(_PageLink):
    """Leads to the folder of the job's results, in the web console of its object storage."""

    name = "Delivery folder"


def note_resumed(operator: Any) -> None:
    """
    Record that a task goes on after it was deferred, so that its links may be known from before.

    :param operator: the task, on its worker.
    """
    setattr(operator, _RESUMED, True)


def link_to(
    operator: Any, *, config: ClientConfig | None = None, job_id: str | None = None, delivery: str | None = None
) -> None:
    """
    Record what a task's links lead to. What is left out stays as it is.

    :param operator: the task, on its worker.
    :param config: the account.
    :param job_id: the job; ``None``: there are many.
    :param delivery: URL of the folder of the job's results.
    """
    pages = dict(getattr(operator, _PAGES, {}))
    if config is not None:
        template = config.dashboard_url
        pages[SentinelHubJobLink] = job_page(template, job_id) if job_id else jobs_page(template)
    if delivery is not None:
        pages[SentinelHubDeliveryLink] = folder_page(delivery)
    setattr(operator, _PAGES, pages)
