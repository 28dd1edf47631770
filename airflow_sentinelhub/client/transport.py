"""One call from beginning to end: rate limiter, token, sending, renewal, and asking again within a budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from airflow_sentinelhub.client.api_request import ApiRequest, InvalidBody, parse_body
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.error_body import parse_error_body
from airflow_sentinelhub.client.errors import (
    is_spurious,
    is_transient,
    job_may_exist,
    locally_rate_limited,
    rate_limited,
    redirected,
    refusal,
    unavailable,
)
from airflow_sentinelhub.client.http_response import HttpResponse, RequestFailure
from airflow_sentinelhub.client.pagination import FetchedPage
from airflow_sentinelhub.client.rate_limiter import RateLimiter, RateLimitKey
from airflow_sentinelhub.client.retry import FIRST_PAUSE, RetryBudget, retry_after
from airflow_sentinelhub.client.session import BearerAuth, SentinelHubSession
from airflow_sentinelhub.client.token_cache import Token, TokenCache
from airflow_sentinelhub.client.token_endpoint import TokenEndpoint
from airflow_sentinelhub.exceptions import ServiceError, ServiceUnavailable
from airflow_sentinelhub.jobs.redaction import Redactor
from airflow_sentinelhub.jobs.secret import Secret

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _CallState:
    """State of a call over its attempts."""

    scrub: Redactor
    """Knows the secrets that were sent."""
    renewed: bool = False
    size: int = 0
    """Bytes of the answer that was read last."""
    lost: bool = False
    """An attempt may have done what was asked, but its answer is not known."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """
    An attempt that may be repeated.

    :param sent: whether the service may have done what was asked.
    """

    error: ServiceUnavailable
    sent: bool = False


class Transport:
    """
    Sends calls for one account. Threads may share it.

    :param config: the account.
    :param tokens: where tokens are kept.
    :param rate_limiter: knows when the account may ask.
    :param clock: seconds, monotonic.
    :param sleep: waits between two attempts.
    :param random: a number from 0 to 1, which spreads attempts.
    :param rate_limited_by_caller: the caller has called :meth:`try_acquire` for every call that it makes.
    :param timeout: see :class:`~airflow_sentinelhub.client.batch.BatchClient`.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        tokens: TokenCache,
        rate_limiter: RateLimiter,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
        rate_limited_by_caller: bool,
        timeout: tuple[float, float] | None,
    ) -> None:
        self._account = config.account
        self._auth_host = urlsplit(config.auth_url).netloc
        self._session = SentinelHubSession(config, timeout, clock)
        self._endpoint = TokenEndpoint(config, self._session, rate_limiter=rate_limiter, clock=clock)
        self._tokens = tokens
        self._rate_limiter = rate_limiter
        self._rate_limit_key = RateLimitKey(config.client_id, config.auth_url)
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._rate_limited_by_caller = rate_limited_by_caller
        self._limit = config.requests_per_minute
        rate_limiter.add_limit(self._rate_limit_key, self._limit)

    def try_acquire(self) -> float:
        """
        Ask the rate limiter to send one request.

        :return: 0 to go ahead, otherwise the seconds after which to ask again.
        """
        return self._rate_limiter.try_acquire(self._rate_limit_key, self._clock())

    def token_lifetime(self) -> float:
        """
        Fetch the account's token, unless there is one, with one attempt.

        :return: the seconds until it expires.
        :raises ServiceError: there is none to be had.
        """
        token = self._tokens.get(self._account, clock=self._clock, fetch=self._endpoint.fetch)
        return token.expires_at - self._clock()

    def send(self, call: ApiRequest, budget: float) -> dict[str, Any]:
        """
        Make a call, again and again while that makes sense and the budget lasts.

        :param budget: seconds in which a further attempt may begin; 0 for a single attempt, which may still
            renew its token.
        :return: the object that the service answered; an empty one for an action.
        :raises ServiceError: of the last attempt.
        """
        return self.fetch(call, budget).payload

    def fetch(self, call: ApiRequest, budget: float) -> FetchedPage:
        """Make a call as :meth:`send` does, and say how large its answer was."""
        retry_budget = RetryBudget(budget, clock=self._clock, random=self._random)
        call_state = _CallState(call.scrub)
        while True:
            outcome = self._attempt(call, call_state)
            if isinstance(outcome, dict):
                return FetchedPage(outcome, call_state.size)
            call_state.lost = call_state.lost or outcome.sent
            if outcome.sent and not call.idempotent:
                raise job_may_exist(call.subject, outcome.error)
            pause = None if outcome.error.lasting else retry_budget.pause(outcome.error)
            if pause is None:
                raise outcome.error
            log.debug("%s Asking again in %.1f s.", outcome.error, pause)
            self._sleep(pause)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
        self._rate_limiter.remove_limit(self._rate_limit_key, self._limit)
        self._limit = None

    def _attempt(self, call: ApiRequest, call_state: _CallState) -> dict[str, Any] | _Failure:
        # The caller knows nothing of a token that has to be renewed.
        wait = 0.0 if self._rate_limited_by_caller and not call_state.renewed else self.try_acquire()
        if wait:
            return _Failure(locally_rate_limited(call.subject, wait))
        try:
            token = self._tokens.get(self._account, clock=self._clock, fetch=self._endpoint.fetch)
        except ServiceError as trouble:
            trouble.of_account = True
            if isinstance(trouble, ServiceUnavailable):
                return _Failure(trouble)
            raise
        call_state.scrub = call_state.scrub.with_secrets(token.value)
        answer = self._ask(call, token)
        if isinstance(answer, RequestFailure):
            return _Failure(unavailable(call.subject, answer.reason, lasting=answer.lasting), sent=answer.sent)
        if answer.status == HTTPStatus.UNAUTHORIZED and not call_state.renewed:
            # Revoked, or our clock runs slow. Once in a call: a new token that is refused stays refused.
            call_state.renewed = True
            self._tokens.discard(self._account, token)
            return self._attempt(call, call_state)
        return self._read(call, answer, call_state)

    def _ask(self, call: ApiRequest, token: Token) -> HttpResponse | RequestFailure:
        return self._session.ask(
            call.method,
            call.url,
            params=call.params,
            body=None if call.body is None else Secret(call.body),
            headers={"Content-Type": "application/json"} if call.body is not None else None,
            auth=BearerAuth(token),
        )

    def _read(self, call: ApiRequest, answer: HttpResponse, call_state: _CallState) -> dict[str, Any] | _Failure:
        call_state.size = len(answer.body)
        if answer.ok:
            payload = parse_body(answer, call.expects, call_state.scrub)
            if isinstance(payload, InvalidBody):
                error = unavailable(call.subject, payload.reason, status=answer.status)
                error.unreadable = payload.unreadable
                return _Failure(error, sent=True)
            return payload
        if 300 <= answer.status < 400:
            return _Failure(redirected(call.subject, answer))
        words = parse_error_body(answer, call_state.scrub)
        pause = retry_after(answer.headers, time.time)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._rate_limiter.block(self._rate_limit_key, pause or FIRST_PAUSE, self._clock())
            return _Failure(rate_limited(call.subject, words, pause))
        if is_transient(answer.status):
            error = unavailable(
                call.subject, f"status {answer.status}", status=answer.status, words=words, retry_after=pause
            )
            return _Failure(error, sent=True)
        if is_spurious(answer.status, words):
            return _Failure(
                unavailable(call.subject, f"status {answer.status}", status=answer.status, words=words)
            )
        raise refusal(
            call.subject,
            answer.status,
            words,
            auth_host=self._auth_host,
            repeated=call_state.lost and call.method == "POST",
        )
