"""A client of the batch APIs."""

from __future__ import annotations

import json
import random as _random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote, urlsplit

from airflow_sentinelhub.client.api_request import ApiRequest, ResponseKind
from airflow_sentinelhub.client.config import ClientConfig
from airflow_sentinelhub.client.errors import ErrorContext, about
from airflow_sentinelhub.client.pagination import (
    JOBS,
    TILES,
    EndlessList,
    FetchedPage,
    ListBounds,
    Page,
    Payload,
    pages,
)
from airflow_sentinelhub.client.rate_limiter import SHARED_RATE_LIMITER, RateLimiter
from airflow_sentinelhub.client.token_cache import SHARED_TOKEN_CACHE, TokenCache
from airflow_sentinelhub.client.transport import Transport
from airflow_sentinelhub.exceptions import BadRequest, InvalidPayload, InvalidRequestId, UnsupportedOperation
from airflow_sentinelhub.jobs.api import BatchApi
from airflow_sentinelhub.jobs.redaction import Redactor, secrets_in
from airflow_sentinelhub.jobs.secret import Secret
from airflow_sentinelhub.jobs.statuses import TileStatus


class BatchClient:
    """
    Asks one batch API for one account.

    It may be shared by threads, and costs next to nothing to make: tokens and the knowledge of the account's
    limit belong to the process. Answers are the service's own JSON, in which the keys of buckets are masked.

    Every method takes ``budget``: the seconds in which it may begin to ask again when the service is busy, away
    or talks nonsense. 0 means one attempt (and one renewal of the token). Every method raises

    * :class:`ServiceUnavailable`, and its kind :class:`RateLimited`, where the budget did not suffice,
    * :class:`RequestRefused`, by its kinds, where the service said no, at once,
    * :class:`InvalidCredentials` where it gave no token.

    :param config: address and account.
    :param api: which API.
    :param budget: default of the methods' ``budget``.
    :param tokens: where tokens are kept; by default the process shares them.
    :param rate_limiter: what knows when the account may ask; by default shared, too.
    :param clock: seconds, monotonic; has to be the one of all that share ``tokens`` and ``rate_limiter``.
    :param sleep: waits between two attempts.
    :param random: a number from 0 to 1, which spreads attempts.
    :param rate_limited_by_caller: the caller asks :meth:`try_acquire` before every request, as asynchronous
        code does that must not wait in a thread. Otherwise the client does so itself, within the budget.
    :param timeout: seconds until a connection stands, and until the next byte of an answer; ``None``: 10 and 30.
        A request and its answer together take 60 s at most, whatever is sent.
    """

    def __init__(
        self,
        config: ClientConfig,
        api: BatchApi,
        *,
        budget: float = 60.0,
        tokens: TokenCache = SHARED_TOKEN_CACHE,
        rate_limiter: RateLimiter = SHARED_RATE_LIMITER,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
        rate_limited_by_caller: bool = False,
        timeout: tuple[float, float] | None = None,
    ) -> None:
        self.config = config
        self.api = api
        self.budget = budget
        self._collection = f"{config.base_url}{api.path(config.url_layout)}"
        self._subject = ErrorContext(api.display_name, "", urlsplit(config.base_url).netloc, "base URL", api)
        self._scrub = Redactor(config.client_secret)
        self._clock = clock
        self._transport = Transport(
            config,
            tokens=tokens,
            rate_limiter=rate_limiter,
            clock=clock,
            sleep=sleep,
            random=random,
            rate_limited_by_caller=rate_limited_by_caller,
            timeout=timeout,
        )

    def __repr__(self) -> str:
        return f"<BatchClient {self.api.display_name} at {self._collection}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def try_acquire(self) -> float:
        """
        Ask whether the account's limit allows one request now, which counts as sent if so.

        :return: 0 to go ahead, otherwise the seconds after which to ask again.
        """
        return self._transport.try_acquire()

    def token_lifetime(self) -> float:
        """
        Fetch a token, unless there is one, with one attempt.

        :return: the seconds until it expires.
        """
        return self._transport.token_lifetime()

    def close(self) -> None:
        """Close the connections. Tokens are kept, for other clients of the account."""
        self._transport.close()

    def get(self, job_id: str, *, budget: float | None = None) -> Payload:
        """Return all that the service says of a job."""
        return self._send(self._read(job_id, "show it"), budget)

    def status(self, job_id: str, *, budget: float | None = None) -> Payload:
        """
        Return a job's state without its request: about 200 bytes.

        It lacks ``userAction``, so it does not tell a job that was not started from one that is queued.

        :raises UnsupportedOperation: only Batch Statistical has it.
        """
        self._require(self.api.spec.light_status, "status", "get() returns a job's status, with all the rest")
        return self._send(self._read(job_id, "tell its status", "status"), budget)

    def list(
        self, *, sort: str = "created:desc", page_size: int | None = None, budget: float | None = None
    ) -> Iterator[Page]:
        """
        Return the account's jobs, page by page; each page is one request, sent when it is wanted.

        Jobs that are created meanwhile shift the pages, so that one may come twice and another not at all.

        :param sort: ``created``, ``created:desc``, ``status`` or ``status:desc``; nothing can be filtered.
        :param page_size: wish for the number of jobs on a page; the service's own maximum holds.
        :param budget: for each page.
        :raises InvalidPayload: the list is longer than that of any real account.
        """
        call = self._call("list jobs", None, expects=ResponseKind.PAGE)
        return self._pages(call, {"sort": sort}, page_size, budget, JOBS)

    def tiles(
        self,
        job_id: str,
        *,
        status: TileStatus | str | None = None,
        page_size: int | None = None,
        budget: float | None = None,
    ) -> Iterator[Payload]:
        """
        Return a job's tiles one by one, without keeping more than a page of them.

        :param status: only tiles in this state.
        :param page_size: wish for the number of tiles on a page; the service's own maximum holds.
        :param budget: for each page.
        :raises UnsupportedOperation: only Batch Process v1 has it.
        :raises InvalidPayload: the list is longer than that of any real job.
        """
        self._require(
            self.api.spec.has_tiles, "tiles", "what became of each feature is written to the job's output bucket"
        )
        call = self._read(job_id, "list its tiles", "tiles", expects=ResponseKind.PAGE)
        query = {} if status is None else {"status": str(status)}
        return (tile for page in self._pages(call, query, page_size, budget, TILES) for tile in page)

    def create(
        self, request: Mapping[str, Any] | Secret[Mapping[str, Any]], *, budget: float | None = None
    ) -> Payload:
        """
        Create a job and return it. Nothing runs, and nothing is charged, before it is started.

        The service has no means to recognise a request that it has seen, so this one is repeated only when it
        surely was not accepted.

        :param request: the body, as the API documents it; hidden, where it may hold keys of a bucket.
        :raises JobMayExist: the answer was lost, and with it the job's id.
        :raises BadRequest: ``request`` is not accepted, or cannot be written as JSON.
        """
        if not isinstance(request, Secret):
            request = Secret(request)  # also the variable of this frame, which error trackers show
        call = self._call(
            "create a job",
            None,
            method="POST",
            body=_as_json(request, self.api),
            scrub=self._scrub.with_secrets(*secrets_in(request.reveal())),
            idempotent=False,
        )
        return self._send(call, budget)

    def analyse(self, job_id: str, *, budget: float | None = None) -> None:
        """Ask for a job's analysis."""
        self._act(job_id, "analyse it", "analyse", budget)

    def start(self, job_id: str, *, budget: float | None = None) -> None:
        """
        Start a job, or a STOPPED one again. A job that was not analysed is analysed first.

        Like all actions it is repeated when its answer is lost; :class:`BadRequest` may then mean that the first
        attempt had succeeded, and says so.
        """
        self._act(job_id, "start it", "start", budget)

    def stop(self, job_id: str, *, budget: float | None = None) -> None:
        """Stop a job: CANCELED for good with Batch Process v1, else STOPPED and locked for half an hour."""
        self._act(job_id, "stop it", self.api.spec.stop_action, budget)

    cancel = stop

    def restart_partial(self, job_id: str, *, budget: float | None = None) -> None:
        """
        Process the failed tiles of a PARTIAL job again.

        :raises UnsupportedOperation: only Batch Process v1 has it.
        """
        self._require(
            self.api.spec.has_tiles,
            "restart_partial",
            "start() continues a STOPPED job; a FAILED one needs a new job",
        )
        self._act(job_id, "restart its failed tiles", "restartpartial", budget)

    def _require(self, has: bool, operation: str, instead: str) -> None:
        if not has:
            raise UnsupportedOperation(
                f"{self.api.display_name} has no {operation}: {instead}.", api=self.api.value
            )

    def _send(self, call: ApiRequest, budget: float | None) -> Payload:
        return self._transport.send(call, self.budget if budget is None else budget)

    def _read(
        self, job_id: str, action: str, part: str | None = None, *, expects: ResponseKind = ResponseKind.OBJECT
    ) -> ApiRequest:
        return self._call(action, job_id, part, expects=expects)

    def _act(self, job_id: str, action: str, part: str, budget: float | None) -> None:
        self._send(self._call(action, job_id, part, method="POST", expects=ResponseKind.NOTHING), budget)

    def _call(
        self,
        action: str,
        job_id: str | None,
        part: str | None = None,
        *,
        method: str = "GET",
        expects: ResponseKind = ResponseKind.OBJECT,
        body: bytes | None = None,
        scrub: Redactor | None = None,
        idempotent: bool = True,
    ) -> ApiRequest:
        url = self._collection
        for segment in (job_id, part):
            if segment is not None:
                url = f"{url}/{_segment(segment)}"
        return ApiRequest(
            about(self._subject, action, job_id),
            method,
            url,
            expects,
            scrub or self._scrub,
            body=body,
            idempotent=idempotent,
        )

    def _pages(
        self,
        call: ApiRequest,
        query: dict[str, str],
        page_size: int | None,
        budget: float | None,
        bounds: ListBounds,
    ) -> Iterator[Page]:
        if page_size is not None:
            if page_size < 1:
                raise ValueError(f"page_size is {page_size}: it has to be 1 or more")
            query["count"] = str(page_size)
        return self._walk(call, query, self.budget if budget is None else budget, bounds)

    def _walk(self, call: ApiRequest, query: dict[str, str], budget: float, bounds: ListBounds) -> Iterator[Page]:
        subject = call.subject

        def fetch(params: Mapping[str, str]) -> FetchedPage:
            return self._transport.fetch(call.asking(params), budget)

        try:
            yield from pages(fetch, query, bounds, self._clock)
        except EndlessList as error:
            reason = str(error)
        else:
            return
        raise InvalidPayload(
            f"A list without an end: it {reason} ({subject.label})\n{subject.host} was asked to {subject.action}. "
            "What was read of it is not used, as it may be anything.",
            **subject.attributes,
        )


def _segment(text: str) -> str:
    # "." and ".." survive quoting, and would ask for something else than a job.
    if text.strip(".") == "":
        raise InvalidRequestId(f"{text!r} is no batch request id: take the 'id' of the job that was created.")
    return quote(text, safe="")


def _as_json(request: Secret[Mapping[str, Any]], api: BatchApi) -> bytes:
    try:
        return json.dumps(dict(request.reveal()), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error)
    raise BadRequest(
        f"{api.display_name}: the request cannot be written as JSON, and was not sent: {reason}.", api=api.value
    )
