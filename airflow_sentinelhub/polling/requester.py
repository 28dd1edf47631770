"""Blocking requests for asynchronous code: in a few threads, in turn, and within the account's limit."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

from airflow_sentinelhub.waits.fetch import ListReader

THREADS = 4
"""Requests of one poller that are under way at the same time, at most."""

PROCESS_THREADS = 64
"""The same of all pollers of a process. Ten that hang leave some for the others."""

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class _SharedThreads:
    """Threads of the process, which start when they are needed."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, after a fork: a child has none of the threads."""
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(PROCESS_THREADS, thread_name_prefix="sentinelhub-poll")

    def run(self, loop: asyncio.AbstractEventLoop, call: Callable[[], Result]) -> asyncio.Future[Result]:
        """Run a call in one of them."""
        with self._lock:
            return loop.run_in_executor(self._pool, call)

    def submit(self, call: Callable[[], object]) -> None:
        """Run a call whose result nothing needs."""
        with self._lock:
            self._pool.submit(call)

    def end(self) -> None:
        """End them, as soon as what is under way is over; the next call gets new ones."""
        with self._lock:
            ended = self._pool
            self._pool = ThreadPoolExecutor(PROCESS_THREADS, thread_name_prefix="sentinelhub-poll")
        ended.shutdown(wait=False)


SHARED_THREADS = _SharedThreads()
"""The threads of all pollers of this process."""

os.register_at_fork(after_in_child=SHARED_THREADS.reset)


class _Call:
    """
    Call in a thread, which keeps its share until the thread has ended, whether its result is awaited or not.

    :param call: what is done.
    :param share: what it has taken one of.
    :param loop: the loop of the share.
    """

    def __init__(self, call: Callable[[], Any], share: asyncio.Semaphore, loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._share = share
        self._loop = loop
        self._begun_or_abandoned = threading.Lock()

    def __call__(self) -> Any:
        """Do it, in the thread."""
        if not self._begun_or_abandoned.acquire(blocking=False):
            return None
        try:
            return self._call()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._share.release)

    def abandon(self, answer: asyncio.Future[Any]) -> None:
        """Release the share if the answer was cancelled before a thread began."""
        if answer.cancelled() and self._begun_or_abandoned.acquire(blocking=False):
            self._share.release()


class AdmissionQueue:
    """
    Queue of an account's requests, so that each is admitted in turn.

    There is one for each account and event loop.
    """

    def __init__(self) -> None:
        self._first = asyncio.Lock()

    async def acquire(self, try_acquire: Callable[[], float]) -> None:
        """
        Wait until one request may be sent.

        :param try_acquire: gives 0 when it may be, which counts it, otherwise the seconds after which to ask
            again.
        """
        async with self._first:
            while (pause := try_acquire()) > 0:  # noqa: ASYNC110 - it is time that is waited for, and no event
                await asyncio.sleep(pause)


class Requester:
    """
    Sends one poller's requests.

    :param make_reader: makes the client. It is called in a thread: importing an HTTP library takes long enough to
        be noticed on the event loop.
    :param admission_queue: that of the account.
    :param share: the poller's of the threads. What hangs keeps its part, also when the next poller comes.
    """

    def __init__(
        self,
        make_reader: Callable[[], ListReader],
        admission_queue: AdmissionQueue,
        share: asyncio.Semaphore | None = None,
    ) -> None:
        self._share = share or asyncio.Semaphore(THREADS)
        self._make_reader = make_reader
        self._reader: ListReader | None = None
        self._admission_queue = admission_queue
        self._closed = False

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
        return await self._in_thread(function, self._opened, *arguments, **keywords)

    def close(self) -> None:
        """Close connections, as soon as what is under way is over."""
        self._closed = True
        if self._reader is not None:
            SHARED_THREADS.submit(self._reader.close)

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
        await self._share.acquire()
        call = _Call(functools.partial(function, *arguments, **keywords), self._share, loop)
        answer: asyncio.Future[Result] = SHARED_THREADS.run(loop, call)
        answer.add_done_callback(call.abandon)
        return await answer
