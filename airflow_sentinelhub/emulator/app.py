"""The emulator's HTTP: the batch APIs in both URL layouts, and the token endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from airflow_sentinelhub.emulator import limits
from airflow_sentinelhub.emulator.json_response import JsonAnswer
from airflow_sentinelhub.emulator.list_pages import page, sort_of
from airflow_sentinelhub.emulator.oauth import Realm, TokenRefused
from airflow_sentinelhub.emulator.refusals import HttpRefusal, error_object, wrapped
from airflow_sentinelhub.emulator.request_validation import read_json
from airflow_sentinelhub.emulator.response_recorder import SCRIPTED_FIELDS
from airflow_sentinelhub.emulator.routing import layouts, tiling_grid_paths
from airflow_sentinelhub.emulator.serializers import JobPayload
from airflow_sentinelhub.emulator.service import Service
from airflow_sentinelhub.emulator.tiling_grids import TILING_GRIDS
from airflow_sentinelhub.jobs import BatchApi, UrlLayout


@dataclass(frozen=True, slots=True)
class EndpointCall:
    """
    A request with its body, for endpoints that answer at once.

    :param request: everything but the body.
    :param body: the body.
    """

    request: Request
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(self.request.query_params)

    @property
    def job_id(self) -> str:
        """The job in the address."""
        return str(self.request.path_params["job_id"])

    def scripted(self, fields: Iterable[str]) -> None:
        """Record that a test chose these fields of the answer."""
        self.request.scope[SCRIPTED_FIELDS] |= set(fields)

    def answer(self, shown: JobPayload, status: int = 200) -> Response:
        """Answer with (part of) a job."""
        self.scripted(shown.scripted)
        return JsonAnswer(shown, status)

    def json(self) -> dict[str, Any]:
        """Decode the body, or raise :class:`HttpRefusal` if it is no JSON object."""
        return read_json(self.request.headers.get("content-type", ""), self.body)


Handler = Callable[[EndpointCall], Response]
T = TypeVar("T")


def build_api(service: Service) -> ASGIApp:
    """Return the service as an ASGI application, without faults and without the control interface."""
    routes = [_token_route(service, realm) for realm in Realm]
    for api in BatchApi:
        endpoints = JobEndpoints(service, api)
        for _, prefix in layouts(api):
            routes += endpoints.routes(prefix)
    for prefix in tiling_grid_paths():
        routes += _grid_routes(service, prefix)
    handlers = {HttpRefusal: _refuse_service, HTTPException: _refuse_http, Exception: _unforeseen}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


class JobEndpoints:
    """The endpoints of one batch API."""

    def __init__(self, service: Service, api: BatchApi) -> None:
        self.service = service
        self.api = api

    def routes(self, prefix: str) -> list[Route]:
        """Return all endpoints, below the path of the jobs."""
        job, spec = prefix + "/{job_id}", self.api.spec
        routes = [
            self._route(prefix, "POST", self.create),
            self._route(prefix, "GET", self.in_order),
            self._route(job, "GET", self.get),
        ]
        actions = ["analyse", "start", spec.stop_action]
        if self.api is not BatchApi.STATISTICAL:
            routes.append(self._route(job, "PUT", self.update))
        if self.api is BatchApi.PROCESS_V1:
            actions.append("restartpartial")
            routes.append(self._route(job, "DELETE", self.delete))
        if spec.light_status:
            routes.append(self._route(job + "/status", "GET", self.status))
        if spec.has_tiles:
            routes.append(self._route(job + "/tiles", "GET", self.tiles))
            routes.append(self._route(job + "/tiles/{tile_id}", "GET", self.tile))
        return [*routes, *(self._route(f"{job}/{action}", "POST", self._action(action)) for action in actions)]

    def create(self, call: EndpointCall) -> Response:
        """``POST`` on the collection: 201."""
        return call.answer(self.service.create(self.api, call.json()), 201)

    def in_order(self, call: EndpointCall) -> Response:
        """``GET`` on the collection."""
        sort = sort_of(call.query, self.service.settings.default_sort)
        jobs = self.service.in_order(self.api, *sort)
        data, links = self._page(call, jobs, self._collection(call))
        shown = self.service.page(data)
        for each in shown:
            call.scripted(each.scripted)
        self.service.page_sent(self.api)
        return JsonAnswer({"data": shown, "links": links})

    def get(self, call: EndpointCall) -> Response:
        """``GET`` of one job."""
        return call.answer(self.service.get(self.api, call.job_id))

    def status(self, call: EndpointCall) -> Response:
        """``GET .../status``."""
        return call.answer(self.service.status(self.api, call.job_id))

    def update(self, call: EndpointCall) -> Response:
        """``PUT`` of one job."""
        return call.answer(self.service.describe(self.api, call.job_id, call.json()))

    def delete(self, call: EndpointCall) -> Response:
        """``DELETE`` of one job: 204."""
        self.service.delete(self.api, call.job_id)
        return Response(status_code=204)

    def tiles(self, call: EndpointCall) -> Response:
        """``GET .../tiles``."""
        tiles = self.service.tiles(call.job_id)
        for tile in tiles[:1]:
            call.scripted(tile.scripted)
        if wanted := call.query.get("status"):
            tiles = [tile for tile in tiles if tile["status"] == wanted]
        data, links = self._page(call, tiles, f"{self._collection(call)}/{call.job_id}/tiles")
        return JsonAnswer({"data": data, "links": links})

    def tile(self, call: EndpointCall) -> Response:
        """``GET .../tiles/{tileId}``."""
        tile_id = call.request.path_params["tile_id"]
        for tile in self.service.tiles(call.job_id):
            if str(tile["id"]) == tile_id:
                return call.answer(tile)
        raise HttpRefusal(404, f"Tile {tile_id} not found.")

    def _action(self, action: str) -> Handler:
        def act(call: EndpointCall) -> Response:
            self.service.act(self.api, call.job_id, action)
            return Response(status_code=204)

        return act

    def _collection(self, call: EndpointCall) -> str:
        """Absolute address of the jobs, for links: in the new layout whichever was asked."""
        # Copied, not parsed: an odd Host header must not make a list fail.
        host = call.request.headers.get("host", "")
        layout = UrlLayout(self.service.settings.links_layout)
        return f"{call.request.scope['scheme']}://{host}{self.api.path(layout)}"

    def _page(self, call: EndpointCall, items: Sequence[T], url: str) -> tuple[Sequence[T], dict[str, str]]:
        return page(items, call.query, self.service.settings.page_size, url)

    def _route(self, path: str, method: str, handler: Handler) -> Route:
        return _guarded(self.service, path, method, handler)


def _guarded(service: Service, path: str, method: str, handler: Handler) -> Route:
    """Return a route that needs a token, and has the service to itself."""

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        with service.lock:
            if not service.tokens.valid(request.headers.get("authorization", "")):
                raise HttpRefusal(401)
            wait = service.rate_limit.admit(service.settings.requests_per_minute)
            if wait is not None:
                # Not wrapped, and in milliseconds: section 3.2.
                return JsonAnswer(error_object(429), 429, {"Retry-After": str(wait)})
            try:
                return handler(EndpointCall(request, body))
            finally:
                service.clock.advance(service.settings.seconds_per_answer)

    return Route(path, endpoint, methods=[method])


def _grid_routes(service: Service, prefix: str) -> list[Route]:
    def grids(_: EndpointCall) -> Response:
        return JsonAnswer({"data": list(TILING_GRIDS.values()), "links": {}})

    def grid(call: EndpointCall) -> Response:
        number = call.request.path_params["grid_id"]
        known = {str(each): grid for each, grid in TILING_GRIDS.items()}
        if number not in known:
            raise HttpRefusal(400, f"There is no tiling grid {limits.brief(number)}.")
        return JsonAnswer(known[number])

    return [_guarded(service, prefix, "GET", grids), _guarded(service, prefix + "/{grid_id}", "GET", grid)]


def _token_route(service: Service, realm: Realm) -> Route:
    async def token(request: Request) -> Response:
        body = await request.body()
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        try:
            with service.lock:
                content_type = request.headers.get("content-type", "")
                issued = service.tokens.issue(realm, content_type, body, service.settings)
        except TokenRefused as refusal:
            return JsonAnswer(refusal.body, refusal.status, headers)
        return JsonAnswer(issued, headers=headers)

    return Route(realm.path, token, methods=["POST"])


async def _refuse_service(_: Request, error: Exception) -> Response:
    assert isinstance(error, HttpRefusal)  # noqa: S101 - starlette calls this for nothing else
    return JsonAnswer(wrapped(error.status, error.message), error.status)


async def _refuse_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - starlette calls this for nothing else
    return JsonAnswer(wrapped(error.status_code), error.status_code, error.headers)


async def _unforeseen(_: Request, __: Exception) -> Response:
    """Answer for a mistake of the emulator; starlette raises it once more, so that it is logged."""
    return JsonAnswer(wrapped(500, "The emulator failed. Please report what its log says."), 500)
