"""An account of the service in virtual time: jobs with a life of their own, pages, lag, limits and breaker."""

from __future__ import annotations

import asyncio
import bisect
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from airflow_sentinelhub.client.rate_limiter import RateLimiter
from airflow_sentinelhub.exceptions import NotFound, RateLimited, SentinelHubError, ServiceUnavailable
from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.polling.requester import Requester

NEVER = float("inf")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Job:
    """
    A job.

    :param life: its status from each moment on, in order.
    :param gone_at: from then on a request for it gets 404.
    """

    id: str
    created: float = 0.0
    life: list[tuple[float, str]] = field(default_factory=lambda: [(-NEVER, "PROCESSING")])
    gone_at: float = NEVER
    fails: SentinelHubError | None = None

    def at(self, now):
        moments = [since for since, _ in self.life]
        status = self.life[max(0, bisect.bisect_right(moments, now) - 1)][1]
        return {
            "id": self.id,
            "status": status,
            "userAction": "START",
            "created": (_EPOCH + timedelta(seconds=self.created)).isoformat(),
            "request": {"evalscript": "//"},
        }


class ScriptedAccount:
    """
    Answers as the service does; everything that is asked is kept in ``asked``: when, what.

    :param limit: requests a minute, in any window; more get a 429.
    :param lag: seconds by which the list is behind.
    :param trouble: gives the error for a request, if any: ``(now, what) -> error``.
    """

    def __init__(self, *, page_size=100, latency=0.2, limit=None, declared=None, lag=0.0, api=BatchApi.PROCESS):
        self.api = api
        self.page_size = page_size
        self.latency = latency
        self.limit = limit
        self.lag = lag
        self.jobs: dict[str, Job] = {}
        self.asked: list[tuple[float, str]] = []
        self.refused = Counter()
        self.trouble = lambda now, what: None
        self.rate_limiter = RateLimiter()
        self.rate_limiter.add_limit("account", declared)
        self.closed = False

    def add(self, *ids, **given):
        for job_id in ids:
            self.jobs[job_id] = Job(job_id, **given)

    @property
    def now(self):
        return asyncio.get_running_loop().time()

    def count(self, what="", since=-NEVER, until=NEVER):
        return sum(asked.startswith(what) and since <= at < until for at, asked in self.asked)

    # What a client does.

    def try_acquire(self):
        return self.rate_limiter.try_acquire("account", self.now)

    def close(self):
        self.closed = True

    def get(self, job_id, *, budget=None):
        return self._get("get", job_id)

    def status(self, job_id, *, budget=None):
        answer = self._get("status", job_id)
        del answer["userAction"], answer["request"]
        return answer

    def list(self, *, budget=None):
        start = 0
        while True:
            now = self._ask("list")
            jobs = [job for job in self.jobs.values() if job.created <= now - self.lag < job.gone_at]
            jobs.sort(key=lambda job: -job.created)
            page = [job.at(now - self.lag) for job in jobs[start : start + self.page_size]]
            start += self.page_size
            if page:
                yield page
            if start >= len(jobs):
                return

    def _get(self, how, job_id):
        now = self._ask(f"{how} {job_id}")
        job = self.jobs.get(job_id.lower())
        if job is not None and job.fails:
            raise job.fails
        if job is None or not job.created <= now < job.gone_at:
            raise NotFound("404", code="COMMON_NOT_FOUND")
        return job.at(now)

    def _ask(self, what):
        now = self.now
        if self.limit is not None and self.count(since=now - 60.0) - self._refused(now) >= self.limit:
            self.asked.append((now, what))
            self.refused[now] += 1
            self.rate_limiter.block("account", 1.0, now)
            raise RateLimited("429", retry_after=1.0)
        self.asked.append((now, what))
        error = self.trouble(now, what)
        if error is not None:
            if isinstance(error, RateLimited):
                self.rate_limiter.block("account", error.retry_after or 1.0, now)
            raise error
        return now

    def _refused(self, now):
        return sum(count for at, count in self.refused.items() if at >= now - 60.0)


class VirtualAsker(Requester):
    """Sends requests in virtual time instead of threads."""

    def __init__(self, make_reader, lane, share=None):
        super().__init__(make_reader, lane, share)
        self.closed_it = False

    def close(self):
        self.closed_it = True
        if self._reader is not None:
            self._reader.close()

    async def _in_thread(self, function, *arguments, **keywords):
        if function == self._open:
            return function()
        latency = self._reader.latency / 2
        await asyncio.sleep(latency)
        try:
            return function(*arguments, **keywords)
        finally:
            await asyncio.sleep(latency)


OUTAGE = ServiceUnavailable("503", http_status=503)
