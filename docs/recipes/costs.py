"""
What the jobs of a month cost.

The list of jobs has the newest first and tells what each has cost, whoever started it. A page of it is one
request. The service keeps jobs for a limited time, so run this soon after the month.
"""

from datetime import datetime
from itertools import chain

from airflow.sdk import dag, task

from airflow_sentinelhub.hooks.sentinelhub import SentinelHubHook


@dag(schedule="@monthly", start_date=datetime(2026, 1, 1), catchup=False)
def costs_of_the_month():
    @task
    def total(data_interval_start=None, data_interval_end=None) -> float:
        spent = 0.0
        with SentinelHubHook("sentinelhub_default").get_conn("process") as client:
            for job in chain.from_iterable(client.list()):  # it comes in pages
                created = datetime.fromisoformat(job["created"])
                if created < data_interval_start:
                    break
                if created < data_interval_end:
                    spent += job.get("costPU") or 0.0
        print(f"Jobs that were created from {data_interval_start:%d %B %Y} on have cost {spent:,.0f} PU.")
        return spent

    total()


costs_of_the_month()
