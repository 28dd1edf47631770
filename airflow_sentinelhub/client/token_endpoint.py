"""The token endpoint: credentials in, token out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.error_body import ErrorBody, parse_error_body
from airflow_sentinelhub.client.errors import (
    ErrorContext,
    is_spurious,
    is_transient,
    locally_rate_limited,
    rate_limited,
    redirected,
    summary,
    unavailable,
)
from airflow_sentinelhub.client.http_response import HttpResponse, RequestFailure
from airflow_sentinelhub.client.rate_limiter import RateLimiter, RateLimitKey
from airflow_sentinelhub.client.retry import FIRST_PAUSE, retry_after
from airflow_sentinelhub.client.session import SentinelHubSession
from airflow_sentinelhub.client.token_cache import Token
from airflow_sentinelhub.exceptions import InvalidCredentials, RequestRefused, ServiceError
from airflow_sentinelhub.jobs.redaction import Redactor
from airflow_sentinelhub.jobs.secret import Secret
from airflow_sentinelhub.jobs.untrusted_json import InvalidJson, clean, parse_json

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# RFC 6749, 5.2; OAUTH_ERROR is what the service's older endpoint says ("Illegal secret!").
_REFUSED_CREDENTIALS = {"invalid_client", "unauthorized_client", "OAUTH_ERROR"}

# One word of JSON web tokens or opaque ones; anything else could not be sent in a header. 1,500 characters
# are usual.
_SENDABLE = re.compile(r"[\x21-\x7e]{1,4000}")


class TokenEndpoint:
    """
    Asks for tokens, once for each call of :meth:`fetch`; who asks again, and when, is decided elsewhere.

    :param config: the account.
    :param session: sends the request.
    :param rate_limiter: knows how long the endpoint wants to be left alone.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self,
        config: ClientConfig,
        session: SentinelHubSession,
        *,
        rate_limiter: RateLimiter,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._session = session
        self._rate_limiter = rate_limiter
        self._rate_limit_key = RateLimitKey(config.client_id, config.auth_url, token_requests=True)
        self._clock = clock
        self._scrub = Redactor(config.client_secret)
        host = urlsplit(config.auth_url).netloc
        self._subject = ErrorContext("OAuth client", "issue a token", host, "auth_url")

    def fetch(self) -> Token:
        """
        Ask for a token.

        :raises InvalidCredentials: client id or secret are not accepted.
        :raises RateLimited: too many tokens were asked for.
        :raises ServiceUnavailable: no usable answer.
        :raises RequestRefused: anything else; never one of its kinds, which speak of jobs.
        """
        wait = self._rate_limiter.try_acquire(self._rate_limit_key, self._clock())
        if wait:
            raise locally_rate_limited(self._subject, wait)
        asked_at = self._clock()
        answer = self._session.ask("POST", self._config.auth_url, body=self._form(), headers=_FORM)
        if isinstance(answer, RequestFailure):
            raise unavailable(self._subject, answer.reason, lasting=answer.lasting)
        token = self._token(answer, asked_at) if answer.ok else None
        if token is None:
            raise self._error(answer)
        return token

    def _form(self) -> Secret[str]:
        # In the body, not as Basic authentication: so sentinelhub-py does it, too.
        client = BackendApplicationClient(self._config.client_id)
        return Secret(
            client.prepare_request_body(include_client_id=True, client_secret=self._config.client_secret)
        )

    def _token(self, answer: HttpResponse, asked_at: float) -> Token | None:
        try:
            payload = parse_json(answer.body)
        except InvalidJson:
            return None
        if not isinstance(payload, dict):
            return None
        payload = clean(payload, redact=None)
        # oauthlib refuses lifetimes that are no integers, and warns when the scope is not what it expects.
        expires_in = payload.pop("expires_in", None)
        plain = {key: value for key, value in payload.items() if key not in ("expires_at", "scope")}
        try:
            parsed = BackendApplicationClient(self._config.client_id).parse_request_body_response(
                json.dumps(plain)
            )
        except (OAuth2Error, TypeError, ValueError):
            return None
        value = parsed.get("access_token")
        if not isinstance(value, str) or not _SENDABLE.fullmatch(value):
            return None
        return Token.issued(value, expires_in, asked_at)

    def _error(self, answer: HttpResponse) -> ServiceError:
        if 300 <= answer.status < 400:
            return redirected(self._subject, answer)
        if answer.ok and answer.is_html:
            return unavailable(
                self._subject,
                f"a page of HTML ({answer.status}); if that lasts, auth_url is no address of a token endpoint",
                status=answer.status,
            )
        words = ErrorBody() if _may_hold_token(answer) else parse_error_body(answer, self._scrub)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            pause = retry_after(answer.headers, time.time)
            self._rate_limiter.block(self._rate_limit_key, pause or FIRST_PAUSE, self._clock())
            return rate_limited(self._subject, words, pause)
        if is_transient(answer.status):
            return unavailable(
                self._subject,
                f"status {answer.status}",
                status=answer.status,
                words=words,
                retry_after=retry_after(answer.headers, time.time),
            )
        if is_spurious(answer.status, words):
            return unavailable(self._subject, f"status {answer.status}", status=answer.status, words=words)
        if words.code in _REFUSED_CREDENTIALS or answer.status == HTTPStatus.UNAUTHORIZED:
            return InvalidCredentials(
                f"Client id or secret not accepted: {summary(answer.status, words)} ({self._subject.host})\n"
                "Check both in the connection, and that its auth_url belongs to the deployment where the OAuth "
                "client was created; a client may also have expired.",
                http_status=answer.status,
                code=words.code,
                service_message=words.message,
            )
        if answer.ok:
            return unavailable(
                self._subject, f"{answer.status} without a usable token", status=answer.status, words=words
            )
        return RequestRefused(
            f"No token: {summary(answer.status, words)} ({self._subject.host})\n"
            "Check the connection's auth_url: it has to be the whole address of the deployment's token endpoint.",
            http_status=answer.status,
            code=words.code,
            service_message=words.message,
        )


def _may_hold_token(answer: HttpResponse) -> bool:
    if not answer.ok:
        return False
    try:
        payload = parse_json(answer.body)
    except InvalidJson:
        return True
    return not isinstance(payload, dict) or "error" not in payload or "access_token" in payload
