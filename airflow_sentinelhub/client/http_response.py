"""Result of an HTTP request: a response, or the reason for none."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPException, LineTooLong
from urllib.parse import urljoin

import requests
from urllib3 import exceptions as urllib3

from airflow_sentinelhub.client.exchange import AnswerTooLong
from airflow_sentinelhub.client.response_body import UnreadableBody
from airflow_sentinelhub.client.web_address import read_address

_LATE = "no answer in time"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """
    One whole HTTP answer.

    :param status: status code.
    :param headers: headers; their names are compared without regard to case.
    :param body: what it says, not in the ``repr``: it may be a token or hold keys of a bucket.
    :param url: the address that was asked.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str

    @property
    def ok(self) -> bool:
        """True if the service did what it was asked to."""
        return 200 <= self.status < 300

    @property
    def is_html(self) -> bool:
        """True if it is a page for people: then something between us and the service wrote it."""
        return self.body.lstrip()[:1] == b"<"

    @property
    def redirect_host(self) -> str:
        """The host of a redirect, without path and query, which may hold secrets."""
        try:
            # A relative one, too, is resolved against a host that was checked.
            return read_address(urljoin(self.url, self.headers.get("Location", ""))).origin
        except ValueError:
            return "an address that cannot be read"


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """
    Why there is no answer.

    :param reason: in words, without secrets.
    :param sent: whether the service may have got the request, and done what it says.
    :param lasting: whether the cause is here, so that asking again cannot help.
    """

    reason: str
    sent: bool = True
    lasting: bool = False


def classify_exception(error: Exception, *, connecting: bool = False) -> RequestFailure:
    """
    Return what an exception of ``requests`` means, or of ``urllib3`` while a body is read.

    Its own text is not used: it shows addresses of proxies with their passwords, and headers.

    :param connecting: it came while there was no connection yet, over which anything could have been sent.
    """
    answer = _explained(error)
    if connecting and answer.sent:
        late = answer.reason == _LATE
        return replace(answer, reason="no connection in time" if late else answer.reason, sent=False)
    return answer


def _explained(error: Exception) -> RequestFailure:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return RequestFailure(
            "its certificate cannot be verified (a proxy or authority of your network? name its certificates "
            "with REQUESTS_CA_BUNDLE)",
            sent=False,
            lasting=True,
        )
    if any(isinstance(cause, AnswerTooLong) for cause in causes):
        return RequestFailure("its answer is longer than any real one")
    if any(isinstance(cause, LineTooLong) or type(cause) is HTTPException for cause in causes):
        return RequestFailure("its answer has more or longer headers than any real one")
    match error:
        case requests.exceptions.ConnectTimeout():
            return RequestFailure("no connection in time", sent=False)
        case requests.exceptions.ProxyError():
            return RequestFailure("the proxy of the environment cannot be reached, or refuses", sent=False)
        case requests.exceptions.ReadTimeout() | urllib3.ReadTimeoutError():
            return RequestFailure(_LATE)
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return RequestFailure("the answer broke off")
        case urllib3.ProtocolError():
            return RequestFailure("the answer broke off")
        case UnreadableBody():
            return RequestFailure(f"the answer {error}")
        case requests.exceptions.ConnectionError():
            if any(isinstance(cause, TimeoutError) for cause in causes):
                return RequestFailure(_LATE)  # while the request was sent
            sent = not any(isinstance(cause, urllib3.NewConnectionError) for cause in causes)
            how = "the connection broke" if sent else "no connection"
            return RequestFailure(f"{how}{_system_words(causes)}", sent=sent)
        case requests.exceptions.RequestException() | ValueError():
            return RequestFailure(f"the request cannot be sent ({type(error).__name__})", sent=False, lasting=True)
        case OSError():
            # requests raises it before it connects, for a bundle of certificates that does not exist.
            return RequestFailure(
                "its certificate cannot be verified: REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE of the environment "
                "names no readable file",
                sent=False,
                lasting=True,
            )
        case _:
            return RequestFailure(f"the connection broke ({type(error).__name__})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    # Not __context__: that reaches whatever our caller was handling when it called us.
    inner = [*error.args, getattr(error, "reason", None), error.__cause__]
    yield error
    for cause in inner:
        if isinstance(cause, BaseException):
            yield from _causes(cause)


def _system_words(causes: list[BaseException]) -> str:
    for cause in reversed(causes):
        if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException) and cause.strerror:
            return f" ({cause.strerror})"
    return ""
