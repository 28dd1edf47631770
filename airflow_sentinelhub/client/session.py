"""The one way by which requests leave this provider."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests_oauthlib import OAuth2Session
from urllib3.exceptions import HTTPError

from airflow_sentinelhub import __version__
from airflow_sentinelhub.client.answer import Answer, NoAnswer, explain
from airflow_sentinelhub.client.config import ClientConfig, is_loopback
from airflow_sentinelhub.client.tokens import Token
from airflow_sentinelhub.exceptions import InvalidConnection

USER_AGENT = f"airflow-provider-sentinelhub/{__version__}"
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0

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
    * No cookies: one account's must not meet another's, and threads share the session.
    """

    def __init__(self, config: ClientConfig, timeout: tuple[float, float] | None = None) -> None:
        super().__init__(client=BackendApplicationClient(config.client_id))
        self._allow_http = config.allow_http
        self._timeout = timeout or (CONNECT_TIMEOUT, READ_TIMEOUT)
        self.headers["User-Agent"] = USER_AGENT
        self.headers["Accept"] = "application/json"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter(pool_maxsize=_KEPT_CONNECTIONS))

    def ask(self, method: str, url: str, **kwargs: Any) -> Answer | NoAnswer:
        """
        Send one request and read the whole answer, whatever its status.

        No exception of ``requests`` gets out: each holds the request, and that the credentials.

        :param kwargs: as for ``requests.request``.
        :raises InvalidConnection: the address may not be used, see the class.
        """
        try:
            response = self.request(method, url, **kwargs)
        except (OSError, ValueError, HTTPError) as error:
            return explain(error)
        return Answer(response.status_code, response.headers, response.content, url)

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Send as :class:`requests.Session` does, by the rules of this class."""
        if urlsplit(url).scheme != "https" and not self._allow_http and not is_loopback(url):
            raise InvalidConnection(
                f"{urlsplit(url).hostname} would be asked by http://, which shows the credentials to everybody "
                "on the way: use https://, or set 'allow_http' to true in the connection's extra"
            )
        kwargs["allow_redirects"] = False
        kwargs.setdefault("timeout", self._timeout)
        return requests.Session.request(self, method, url, *args, **kwargs)

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


class BearerAuth(AuthBase):
    """Puts the token into a request's header, where no ``.netrc`` replaces it."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request
