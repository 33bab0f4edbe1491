"""Build the ASGI app: a route for each path calls the API's method and returns its result."""

from __future__ import annotations

import re
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from agent_core.agent import CallContext
from agent_core.errors import ValidationError
from agent_core.http.ai_sdk_chat import ChatEndpoints
from agent_core.http.ai_sdk_request import WHEN_BUSY
from agent_core.http.body_rest import BodyRest
from agent_core.http.openai.openapi.document import openai_document
from agent_core.http.openapi.document import openapi_document
from agent_core.http.openapi.endpoints import description_routes
from agent_core.http.requests import Context, body_of, caller, expect, fields, query_of
from agent_core.http.responses import answer, guarded, refusal
from agent_core.http.routes import NULLABLE, PATHS, READERS, TYPES, Path
from agent_core.http.sse import thread_events
from agent_core.store.turns.turns import WhenBusy

if TYPE_CHECKING:
    from agent_core.api import AgentApi


def make_app(
    api: AgentApi,
    context: Context | None = None,
    *,
    max_body: int = 32 << 20,
    heartbeat: float = 15.0,
    when_busy: WhenBusy = "end_wait",
    openai_path: str = "",
) -> Starlette:
    """Return the app; see `PublicAgentApi.http_app` for the arguments."""
    if when_busy not in WHEN_BUSY:
        raise ValidationError(f"when_busy is one of: {', '.join(WHEN_BUSY)}.")

    async def found(path: Path, request: Request) -> Response:
        ctx = await caller(context, request)
        if path.is_admin and ctx is None:
            ctx = CallContext()  # no context means the application itself, which does not call over HTTP
        values = await _arguments(path, request, max_body)
        value = await attrgetter(path.method)(api)(**values, ctx=ctx)
        if value is None and path.kind:
            raise HTTPException(404, f"There is no {path.kind} with this id.")
        return answer({path.name: value} if path.name else value, path.status)

    async def events(request: Request) -> Response:
        return await thread_events(api, request, await caller(context, request), heartbeat)

    routes = [Route(path.path, guarded(partial(found, path)), methods=[path.verb]) for path in PATHS]
    routes.append(Route("/threads/{thread_id}/events", guarded(events), methods=["GET"]))
    routes += ChatEndpoints(api, context, max_body, heartbeat, when_busy).routes()
    beside = {openai_path: openai_document} if openai_path else {}
    routes += description_routes(partial(openapi_document, api), beside)
    app = Starlette(
        routes=routes, middleware=[Middleware(BodyRest)], exception_handlers={HTTPException: _refuse}
    )
    app.router.redirect_slashes = False  # such a path is unknown, and 404 is clearer than a redirect
    return app


def mount_app(path: str, app: ASGIApp) -> Mount:
    """Return the route of `PublicAgentApi.mount`."""
    route = Mount(path, app)
    route.path_regex = re.compile(route.path_regex.pattern.removesuffix("$") + r"\Z", re.DOTALL)
    return route


async def _arguments(path: Path, request: Request, most: int) -> dict[str, Any]:
    """Return the arguments of the method from the path, the body and the query."""
    body = await body_of(request, most) if path.verb in ("POST", "PUT", "PATCH") else {}
    given = fields(body, path.required, path.optional)
    expect(given, TYPES, {name for name in path.required if name not in NULLABLE})
    for name in READERS.keys() & given.keys():
        given[name] = READERS[name](given[name])
    return {**path.defaults, **given, **query_of(request, **path.query), **request.path_params}


async def _refuse(request: Request, error: Exception) -> Response:
    """Return the refusal for an error of the router, with a sentence instead of its two words."""
    assert isinstance(error, HTTPException), "the handler is registered for these"
    words = {404: "This path does not exist.", 405: f"This path does not take {request.method}."}
    detail = words.get(error.status_code, error.detail)
    return refusal(request, HTTPException(error.status_code, detail, error.headers))
