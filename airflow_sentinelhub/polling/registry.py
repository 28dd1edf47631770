"""Registry of pollers: one per account, API and event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import NamedTuple
from weakref import WeakValueDictionary

from airflow_sentinelhub.jobs import BatchApi
from airflow_sentinelhub.polling.list_cycle import ListCycles
from airflow_sentinelhub.polling.poller import BATCH_WINDOW, Poller
from airflow_sentinelhub.polling.requester import SHARED_THREADS, THREADS, AdmissionQueue, Requester
from airflow_sentinelhub.polling.subscription import Subscription
from airflow_sentinelhub.waits.fetch import ListReader


class PollerAccount(NamedTuple):
    """
    Account and limit of a poller.

    :param service: where, and with which credentials; the same for waits that may share a poller.
    :param limit: whose limit counts; the same for all APIs.
    """

    service: Hashable
    limit: Hashable


class _Key(NamedTuple):
    loop: asyncio.AbstractEventLoop
    service: Hashable
    api: BatchApi
    follows_list: bool = False


_POLLERS: dict[_Key, Poller] = {}
_QUEUES: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, Hashable], AdmissionQueue] = WeakValueDictionary()
_SHARES: WeakValueDictionary[_Key, asyncio.Semaphore] = WeakValueDictionary()


def subscribe(
    account: PollerAccount,
    api: BatchApi,
    make_reader: Callable[[], ListReader],
    job_id: str,
    *,
    batching_delay: float,
) -> Subscription:
    """
    Watch a job, until :meth:`Subscription.leave` is called.

    The first wait of an account and API starts the poller that all of them share, the last one stops it. Nothing
    in here awaits, so no other wait can come in between.

    :param account: account, service and limit.
    :param api: which API.
    :param make_reader: makes the client for ``account`` and ``api``, if none is there.
    :param job_id: the job.
    :param batching_delay: seconds for which the first poll may wait for other newcomers, at most.
    """
    key = _Key(asyncio.get_running_loop(), account.service, api)
    return _poller(key, account, make_reader).subscribe(job_id, batching_delay)


def follow_list(
    account: PollerAccount, api: BatchApi, make_reader: Callable[[], ListReader], name: str
) -> Subscription:
    """
    Follow the list of jobs, until :meth:`Subscription.leave` is called. Those who do share what is read.

    :param account: account, service and limit.
    :param api: which API.
    :param make_reader: makes the client for ``account`` and ``api``, if none is there.
    :param name: tells one who follows from another.
    :return: gives a :class:`~airflow_sentinelhub.waits.observation.ListSnapshot` for each
        :class:`~airflow_sentinelhub.waits.observation.ListRequest`.
    """
    key = _Key(asyncio.get_running_loop(), account.service, api, follows_list=True)
    return _poller(key, account, make_reader).subscribe(name, BATCH_WINDOW)


def _poller(key: _Key, account: PollerAccount, make_reader: Callable[[], ListReader]) -> Poller:
    poller = _POLLERS.get(key)
    if poller is None:
        _drop_pollers_of_closed_loops()
        admission_queue = _QUEUES.setdefault((key.loop, account.limit), AdmissionQueue())
        share = _SHARES.setdefault(key, asyncio.Semaphore(THREADS))
        cycles = ListCycles() if key.follows_list else None
        poller = _POLLERS[key] = Poller(
            Requester(make_reader, admission_queue, share), lambda: _close(key), make_cycle=cycles
        )
    return poller


def _close(key: _Key) -> None:
    poller = _POLLERS.pop(key, None)
    if poller is not None:
        poller.close()
        if not _POLLERS:
            SHARED_THREADS.end()


def _drop_pollers_of_closed_loops() -> None:
    """Forget what ``dag.test()`` and tests leave behind, which run each trigger on a loop of its own."""
    for key in list(_POLLERS):
        if key.loop.is_closed():
            _close(key)
