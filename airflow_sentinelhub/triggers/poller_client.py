"""A trigger's connection to the poller that all triggers of an account share: for one job, or for the list."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, cast

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import InvalidCredentials, SentinelHubError
from airflow_sentinelhub.jobs.intervals import SHORTEST_INTERVAL
from airflow_sentinelhub.polling.registry import follow_list
from airflow_sentinelhub.waits.completion_watch import CompletionWatch
from airflow_sentinelhub.waits.observation import ListSnapshot

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig


import functools
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_sentinelhub.client.rate_limiter import SHARED_RATE_LIMITER, RateLimitKey
from airflow_sentinelhub.hooks.client_factory import make_client
from airflow_sentinelhub.jobs import BatchApi, Verdict, WaitState, job_error
from airflow_sentinelhub.jobs.plain_text import encodable
from airflow_sentinelhub.jobs.redaction import REDACT
from airflow_sentinelhub.polling.registry import PollerAccount, subscribe
from airflow_sentinelhub.polling.subscription import Subscription
from airflow_sentinelhub.waits.fetch import apis_to_ask, found_in_other_api
from airflow_sentinelhub.waits.observation import PollRequest
from airflow_sentinelhub.waits.wait import Wait

if TYPE_CHECKING:
    from airflow_sentinelhub.client.batch import BatchClient
    from airflow_sentinelhub.client.config import ClientConfig

    ReadConfig = Callable[[], Awaitable[ClientConfig]]

Shared = TypeVar("Shared")

_log = logging.getLogger(__name__)

_LONGEST_REASON = 500
_LONGEST_LOOK_ELSEWHERE = 120.0
_LONGEST_TRACEBACK = 20_000
_PAUSE_BEFORE_NEW_CREDENTIALS = 1.0
_CREDENTIALS_ARE_KNOWN_AFTER = 300.0


def initial_state(started_at: float) -> dict[str, object]:
    """
    Return what a wait knows at its beginning in this triggerer.

    A restarted triggerer cannot know that the credentials worked; a wait that is old would be over if not.

    :param started_at: when the wait began, in seconds since 1970.
    """
    old = clock.now() - started_at > _CREDENTIALS_ARE_KNOWN_AFTER
    return {"state": WaitState(credentials_verified=old).to_json()}


def internal_error_verdict(api: BatchApi, job_id: str, error: Exception) -> Verdict:
    """
    Return the verdict on a job that cannot be watched because of an error of the provider.

    :param api: the job's API.
    :param job_id: its id.
    :param error: what went wrong.
    """
    return job_error(api, job_id, summary(error))


def summary(error: Exception) -> str:
    """Return an error as a part of a sentence."""
    return REDACT.line(f"{type(error).__name__}: {error}", _LONGEST_REASON)


def log_crash(log: Any, what: str, error: Exception) -> None:
    """
    Write an error of the provider into a task log, with its traceback. It never raises.

    :param log: the log.
    :param what: what failed, as a sentence.
    :param error: what went wrong.
    """
    try:
        log.error(
            "%s\n%s",
            what,
            REDACT.excerpt(encodable("".join(traceback.format_exception(error))), _LONGEST_TRACEBACK),
        )
    except Exception:
        _log.debug("A task log cannot be written.", exc_info=True)


async def watch(wait: Wait, read_config: ReadConfig, first_poll_after: float) -> Verdict:
    """
    Watch a job to the end of its wait.

    Cancelling it is safe at any moment, and leaves nothing behind.

    :param wait: what is waited for.
    :param read_config: reads the Airflow connection, anew each time.
    :param first_poll_after: when to poll for the first time, in seconds from now.
    :return: the final verdict.
    """
    first = PollRequest(first_poll_after)
    while True:
        try:
            config: ClientConfig = intern(await read_config())
        except SentinelHubError as error:
            verdict = wait.update(error, clock.now())
            if verdict.is_final:
                return verdict
            await asyncio.sleep(wait.next_delay(clock.now()))
            continue
        final = await _watch_with(config, read_config, wait, first)
        if final is not None:
            return final
        first = PollRequest(_PAUSE_BEFORE_NEW_CREDENTIALS)


async def _watch_with(
    config: ClientConfig, read_config: ReadConfig, wait: Wait, wanted: PollRequest
) -> Verdict | None:
    """Watch until the end; ``None``: until the connection has other credentials than ``config``."""
    subscription = _subscribe(config, wait.terms.api, wait)
    try:
        while True:
            result = await subscription.next(wanted)
            if isinstance(result, InvalidCredentials) and await credentials_changed(read_config, config):
                return None
            verdict = wait.update(result, clock.now())
            for api in apis_to_ask(verdict):
                verdict = await _looked_for_in(api, verdict, config, wait) or verdict
            if verdict.is_final:
                return verdict
            wanted = wait.next_request(clock.now())
    finally:
        _leave(subscription, config)


async def _looked_for_in(api: BatchApi, verdict: Verdict, config: ClientConfig, wait: Wait) -> Verdict | None:
    """Look for a job in another API; no answer from there is no help, and no trouble."""
    subscription = _subscribe(config, api, wait)
    try:
        async with asyncio.timeout(_LONGEST_LOOK_ELSEWHERE):
            return found_in_other_api(verdict, await subscription.next(PollRequest(0.0)))
    except TimeoutError:
        return None
    finally:
        _leave(subscription, config)


def _subscribe(config: ClientConfig, api: BatchApi, wait: Wait) -> Subscription:
    policy = wait.terms.policy
    shortest = min(policy.poke_interval, policy.analysis_poke_interval)
    account, make_client = acquire_account(config, api)
    return subscribe(account, api, make_client, wait.terms.job_id, batching_delay=shortest)


def acquire_account(config: ClientConfig, api: BatchApi) -> tuple[PollerAccount, Callable[[], BatchClient]]:
    """
    Begin to ask for an account, until :func:`release_account`.

    :param config: the connection.
    :param api: which API.
    :return: account of the poller, and what makes its client.
    """
    # Connections that differ only in their limit share a poller, whose client knows the limit of one of them.
    SHARED_RATE_LIMITER.add_limit(_limit_of(config), config.requests_per_minute)
    account = PollerAccount((config.base_url, config.url_layout, *config.account), _limit_of(config))
    return account, functools.partial(_client, config, api)


def release_account(config: ClientConfig) -> None:
    """Undo :func:`acquire_account`."""
    SHARED_RATE_LIMITER.remove_limit(_limit_of(config), config.requests_per_minute)


def _leave(subscription: Subscription, config: ClientConfig) -> None:
    subscription.leave()
    release_account(config)


def _limit_of(config: ClientConfig) -> RateLimitKey:
    return RateLimitKey(config.client_id, config.auth_url)


@functools.lru_cache(maxsize=64)
def intern(value: Shared) -> Shared:
    """
    Return one shared object for equal values, of which many waits have one each.

    :param value: it may be hashed, and does not change.
    """
    return value


async def credentials_changed(read_config: ReadConfig, config: ClientConfig) -> bool:
    """Return whether the connection has other credentials than when it was read."""
    try:
        return await read_config() != config
    except SentinelHubError:
        return False


def _client(config: ClientConfig, api: BatchApi) -> BatchClient:
    return make_client(config, api, rate_limited_by_caller=True)


_PAUSE = 60.0


async def follow(watch: CompletionWatch, read_config: ReadConfig) -> None:
    """
    Have a watch see the list, for ever.

    Cancelling it is safe at any moment, and leaves nothing behind.

    :param watch: what looks for ends.
    :param read_config: reads the Airflow connection, anew each time.
    """
    while True:
        try:
            config = await read_config()
        except SentinelHubError as error:
            watch.in_trouble(error, clock.now())
            await asyncio.sleep(max(watch.poll_interval, _PAUSE))
            continue
        await _follow_with(config, read_config, watch)


async def _follow_with(config: ClientConfig, read_config: ReadConfig, watch: CompletionWatch) -> None:
    """Follow until the connection has other credentials than ``config``."""
    watch.set_interval(max(watch.terms.poll_interval, 0.0 if config.is_local else SHORTEST_INTERVAL))
    account, make_client = acquire_account(config, watch.terms.api)
    subscription = follow_list(account, watch.terms.api, make_client, uuid.uuid4().hex)
    try:
        while True:
            wanted = None if watch.is_over else await watch.next_request(clock.now())
            if wanted is None:
                await asyncio.sleep(max(watch.poll_interval, _PAUSE))
                continue
            # Those who follow the list are given parts of it where others are given jobs.
            result = cast("ListSnapshot | SentinelHubError", await subscription.next(wanted))
            await watch.update(result, clock.now())
            if isinstance(result, InvalidCredentials) and await credentials_changed(read_config, config):
                return
    finally:
        subscription.leave()
        release_account(config)
