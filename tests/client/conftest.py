"""Clients that share one account, a scripted service, and time that passes only when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses
from client_scripted_service import AUTH_URL, BASE_URL, Clock, MakeClient, Service

from airflow_sentinelhub.client.batch import BatchClient
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.rate_limiter import RateLimiter
from airflow_sentinelhub.client.token_cache import TokenCache
from airflow_sentinelhub.jobs.api import BatchApi


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service() -> Iterator[Service]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Service(mock)


@pytest.fixture
def config() -> ClientConfig:
    return ClientConfig(BASE_URL, AUTH_URL, "the-client", "the-$ecret/ü&x")


@pytest.fixture
def tokens() -> TokenCache:
    return TokenCache()


@pytest.fixture
def rate_limiter() -> RateLimiter:
    return RateLimiter()


@pytest.fixture
def make_client(
    config: ClientConfig, clock: Clock, tokens: TokenCache, rate_limiter: RateLimiter
) -> Iterator[Callable[..., BatchClient]]:
    """Clients of one process: they share tokens, gate and clock."""
    made: list[BatchClient] = []

    def make(api: BatchApi = BatchApi.PROCESS, config: ClientConfig = config, **options: Any) -> BatchClient:
        defaults: dict[str, Any] = {
            "tokens": tokens,
            "rate_limiter": rate_limiter,
            "clock": clock,
            "sleep": clock.sleep,
            "random": lambda: 1.0,
        }
        made.append(BatchClient(config, api, **{**defaults, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> BatchClient:
    return make_client()
