"""How a trigger follows the list of jobs: through the one reader that all of the account share."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, cast

from airflow_sentinelhub import clock
from airflow_sentinelhub.exceptions import InvalidCredentials, SentinelHubError
from airflow_sentinelhub.jobs.intervals import SHORTEST_INTERVAL
from airflow_sentinelhub.polling.list_cycle import Sight
from airflow_sentinelhub.polling.registry import follow_list
from airflow_sentinelhub.triggers.watch import join_account, leave_account, was_changed
from airflow_sentinelhub.waits.completion_watch import EndsWatch

if TYPE_CHECKING:
    from airflow_sentinelhub.client.config import ClientConfig
    from airflow_sentinelhub.triggers.watch import ReadConfig

_PAUSE = 60.0


async def follow(watch: EndsWatch, read_config: ReadConfig) -> None:
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


async def _follow_with(config: ClientConfig, read_config: ReadConfig, watch: EndsWatch) -> None:
    """Follow until the connection has other credentials than ``config``."""
    watch.look_every(max(watch.terms.poll_interval, 0.0 if config.is_local else SHORTEST_INTERVAL))
    account, make_client = join_account(config, watch.terms.api)
    subscription = follow_list(account, watch.terms.api, make_client, uuid.uuid4().hex)
    try:
        while True:
            wanted = None if watch.is_over else await watch.next_sight(clock.now())
            if wanted is None:
                await asyncio.sleep(max(watch.poll_interval, _PAUSE))
                continue
            # Those who follow the list are given sights of it where others are given looks.
            look = cast("Sight | SentinelHubError", await subscription.next(wanted))
            await watch.see(look, clock.now())
            if isinstance(look, InvalidCredentials) and await was_changed(read_config, config):
                return
    finally:
        subscription.leave()
        leave_account(config)
