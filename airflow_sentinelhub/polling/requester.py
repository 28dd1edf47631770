"""Blocking requests for asynchronous code: in a few threads, in turn, and within the account's limit."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

from airflow_sentinelhub.waits.fetch import ListReader

THREADS = 8
"""Requests of one poller that are under way at the same time, at most."""

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class AdmissionQueue:
    """
    Queue of an account's requests, so that each is admitted in turn.

    There is one for each account and event loop.
    """

    def __init__(self) -> None:
        self._first = asyncio.Lock()

    async def acquire(self, admit: Callable[[], float]) -> None:
        """
        Wait until one request may be sent.

        :param try_acquire: gives 0 when it may be, which counts it, otherwise the seconds after which to ask
            again.
        """
        async with self._first:
            while (pause := admit()) > 0:  # noqa: ASYNC110 - it is time that is waited for, and no event
                await asyncio.sleep(pause)


class Requester:
    """
    Sends one poller's requests.

    :param make_reader: makes the client. It is called in a thread: importing an HTTP library takes long enough to
        be noticed on the event loop.
    :param admission_queue: that of the account.
    """

    def __init__(self, make_reader: Callable[[], ListReader], admission_queue: AdmissionQueue) -> None:
        self._make_reader = make_reader
        self._reader: ListReader | None = None
        self._admission_queue = admission_queue
        self._closed = False
        self._free = asyncio.Semaphore(THREADS)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sentinelhub-poll")

    async def acquire(self) -> None:
        """
        Wait until one request may be sent, which :meth:`ask` can be told then.

        :raises SentinelHubError: there is no client to send it with.
        """
        if self._reader is None:
            await self._in_thread(self._open)
        await self._admission_queue.acquire(self._opened.try_acquire)

    def try_acquire_now(self) -> bool:
        """Return whether one request may be sent at once, which counts it."""
        return not self._opened.try_acquire()

    async def ask(
        self,
        function: Callable[Concatenate[ListReader, Arguments], Result],
        *arguments: Arguments.args,
        **keywords: Arguments.kwargs,
    ) -> Result:
        """
        Send one request that was admitted.

        Cancelling it is safe at any moment; an answer that is under way is then dropped.

        :param function: sends it, with the client as its first argument.
        """
        async with self._free:
            return await self._in_thread(function, self._opened, *arguments, **keywords)

    def close(self) -> None:
        """Close connections and threads, as soon as what is under way is over."""
        self._closed = True
        if self._reader is not None:
            self._threads.submit(self._reader.close)
        self._threads.shutdown(wait=False)

    @property
    def _opened(self) -> ListReader:
        if self._reader is None:
            raise RuntimeError("ask() was called before acquire()")
        return self._reader

    def _open(self) -> None:
        self._reader = self._make_reader()
        if self._closed:  # meanwhile
            self._reader.close()

    async def _in_thread(self, function: Callable[..., Result], *arguments: Any, **keywords: Any) -> Result:
        # Unlike asyncio.to_thread, this does not hand on the context, and with it a task's log.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(function, *arguments, **keywords))
