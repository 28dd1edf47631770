"""The one way by which requests leave this provider."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NoReturn

import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import AuthBase
from requests_oauthlib import OAuth2Session
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from airflow_sentinelhub import __version__
from airflow_sentinelhub.client.config import ClientConfig, is_loopback
from airflow_sentinelhub.client.exchange import DEADLINE, SLOWEST_UPLOAD, BoundedAdapter, Exchange
from airflow_sentinelhub.client.http_response import HttpResponse, RequestFailure, classify_exception
from airflow_sentinelhub.client.response_body import (
    ACCEPTED_ENCODING,
    LARGEST_ANSWER,
    LARGEST_REFUSAL,
    UnreadableBody,
    read_body,
)
from airflow_sentinelhub.client.token_cache import Token
from airflow_sentinelhub.client.web_address import UnreadableAddress, WebAddress, read_address
from airflow_sentinelhub.exceptions import InvalidConnection
from airflow_sentinelhub.jobs.secret import Secret

USER_AGENT = f"airflow-provider-sentinelhub/{__version__}"
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0

# Heads of chunks and archives: what is sent may be somewhat larger than what is in it.
_WRAPPING = 1.25

# More threads than this may ask at once; their connections are then closed afterwards, which urllib3 reports.
_KEPT_CONNECTIONS = 32


class SentinelHubSession(OAuth2Session):
    """
    A session that keeps credentials where they belong.

    ``OAuth2Session.request`` and ``fetch_token`` log token and secret at DEBUG, and know ``http://`` only by an
    environment variable for the whole process. Neither is used: what is sent goes through
    ``requests.Session.request``, with :class:`BearerAuth` and the rule below.

    * ``http://`` leads to this machine only, unless the connection says ``allow_http``, and then past every
      proxy: a proxy would carry the credentials away in clear.
    * Redirects are answers and are never followed.
    * ``.netrc`` is not read, as there is always an ``auth``. Proxies and CA bundles of the environment are.
    * An exchange as a whole has a deadline, and an answer a size.
    * No cookies: one account's must not meet another's, and threads share the session.
    """

    def __init__(
        self,
        config: ClientConfig,
        timeout: tuple[float, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(client=BackendApplicationClient(config.client_id))
        self._allow_http = config.allow_http
        self._timeout = timeout or (CONNECT_TIMEOUT, READ_TIMEOUT)
        self._clock = clock
        self.headers["User-Agent"] = USER_AGENT
        self.headers["Accept"] = "application/json"
        self.headers["Accept-Encoding"] = ACCEPTED_ENCODING
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, BoundedAdapter(pool_maxsize=_KEPT_CONNECTIONS))

    def ask(
        self,
        method: str,
        url: str,
        *,
        body: Secret[bytes] | Secret[str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: AuthBase | None = None,
    ) -> HttpResponse | RequestFailure:
        """
        Send one request and read the answer, whatever its status, within the time for all of it.

        No exception of ``requests`` gets out: each holds the request, and that the credentials.

        :param body: what is sent.
        :param params: query.
        :param headers: besides those of the session.
        :param auth: signs the request.
        :raises InvalidConnection: the address may not be used, see the class.
        """
        size = len(body.reveal()) if body else 0
        exchange = Exchange(DEADLINE + size / SLOWEST_UPLOAD, int(LARGEST_ANSWER * _WRAPPING), self._clock)
        try:
            with (
                exchange.under_way(),
                closing(
                    requests.Session.request(
                        self,
                        method,
                        str(self._checked(url)),
                        data=body.reveal() if body else None,
                        params=params,
                        headers=headers,
                        auth=auth,
                        timeout=self._timeout,
                        allow_redirects=False,
                        stream=True,
                    )
                ) as response,
            ):
                return _read(response, url)
        except (OSError, ValueError, HTTPError, UnreadableBody) as error:
            return classify_exception(error, connecting=exchange.connecting)

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: the inherited method logs the token, and knows no bounds."""
        raise NotImplementedError("use ask(), which logs no token")

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send what was prepared, if it still leads to where it was checked to lead."""
        address, connected = self._checked(request.url or ""), parse_url(request.url or "")
        if (address.scheme, address.host, address.port) != (connected.scheme, connected.host, connected.port):
            raise InvalidConnection(f"the address of {address.origin} is read in two ways: write it plainly")
        return super().send(request, **kwargs)

    def _checked(self, url: str) -> WebAddress:
        try:
            address = read_address(url)
        except UnreadableAddress as error:
            raise InvalidConnection(
                f"the address that would be asked {error} (allow_http makes no difference)"
            ) from None
        if address.scheme != "https" and not self._allow_http and not address.is_loopback:
            raise InvalidConnection(
                f"{address.host} would be asked by http://, which shows the credentials to everybody "
                "on the way: use https://, or set 'allow_http' to true in the connection's extra"
            )
        return address

    def merge_environment_settings(self, url: Any, *args: Any, **kwargs: Any) -> Any:
        """Take proxies and CA bundle from the environment, but no proxy to this machine."""
        settings = super().merge_environment_settings(url, *args, **kwargs)
        if is_loopback(url):
            settings["proxies"] = {}
        return settings

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Know no redirect: ``requests`` prepares the next request even where it may not send it."""

    def fetch_token(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: the inherited method logs the secret."""
        raise NotImplementedError("use TokenEndpoint, which logs no secret")

    def refresh_token(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: client credentials have no refresh token, and the inherited method logs."""
        raise NotImplementedError("use TokenEndpoint, which logs no secret")


def _read(response: requests.Response, url: str) -> HttpResponse | RequestFailure:
    """Read the body. What is left of it closes the connection, otherwise that is kept."""
    answer = HttpResponse(response.status_code, response.headers, b"", url)
    body, whole = read_body(response.raw, LARGEST_ANSWER if answer.ok else LARGEST_REFUSAL)
    if answer.ok and not whole:
        return RequestFailure(f"its answer is longer than {LARGEST_ANSWER // 2**20} MiB")
    if whole:
        response.raw.release_conn()  # urllib3 does so itself, but not where there is no body
    return replace(answer, body=body)


class BearerAuth(AuthBase):
    """Puts the token into a request's header, where no ``.netrc`` replaces it."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request
