"""
Looks at jobs for asynchronous code: the seam behind which waits get their looks.

Who waits subscribes to a job and asks for the next look; how and when the service is asked for it is decided
here. HTTP is blocking and runs in a few threads of its own, never on the event loop.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from airflow_sentinelhub.watching.look import JobReader, Look, look_at

_THREADS = 8

Result = TypeVar("Result")


class Subscription:
    """
    Looks at one job.

    :param reader: the client.
    :param job_id: the job.
    """

    def __init__(self, reader: JobReader, job_id: str) -> None:
        self._reader = reader
        self._job_id = job_id

    async def next(self, after: float, *, light: bool = False) -> Look:
        """
        Give the next look.

        Cancelling it is safe at any moment; an answer that is under way is then dropped.

        :param after: seconds after which it is due.
        :param light: the user action does not matter.
        """
        await asyncio.sleep(after)
        return await in_thread(look_at, self._reader, self._job_id, light=light)


@asynccontextmanager
async def subscribe(reader: JobReader, job_id: str) -> AsyncIterator[Subscription]:
    """
    Watch a job.

    :param reader: the client.
    :param job_id: the job.
    """
    yield Subscription(reader, job_id)


async def in_thread(function: Callable[..., Result], *arguments: Any, **keywords: Any) -> Result:
    """
    Run blocking HTTP where it blocks nobody.

    The call does not inherit the caller's context: log lines of shared code must not land in the task log of
    whoever came first.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads(), functools.partial(function, *arguments, **keywords))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="sentinelhub")
