"""Routes of the interfaces for programs, each served by the API of this process while its service is open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from weakref import WeakKeyDictionary

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_core import AgentApi, CallContext
from agent_core.http import make_app, make_openai_app, mount_app, refusal
from chat_app.api.callers import CALLERS, key_of, request_caller
from chat_app.api.connect_routes import CONNECT_ROUTES
from chat_app.api.key_routes import KEY_ROUTES
from chat_app.api.mcp import McpEndpoint
from chat_app.api.people_routes import PEOPLE_ROUTES
from chat_app.extensions import OFFERED
from chat_app.model.answer_options import ASSISTANT
from chat_app.session.service import service

MakeApp = Callable[[AgentApi], ASGIApp]


class ServedApi:
    """ASGI app that serves the app which `make` returns for the API of the open service.

    Routes are defined at import, before the server forks its processes; each of them opens a service of its own.

    Args:
        make: function from the service's API to an ASGI app.
    """

    def __init__(self, make: MakeApp) -> None:
        self._make = make
        self._made: WeakKeyDictionary[AgentApi, ASGIApp] = WeakKeyDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer it with 503 while the service is not open."""
        try:
            api = service().api
        except RuntimeError:
            closed = HTTPException(503, "The app is starting or stopping.", {"Retry-After": "1"})
            await refusal(Request(scope), closed)(scope, receive, send)
            return
        if api not in self._made:
            self._made[api] = self._make(api)
        key = key_of(Request(scope))
        if key is None:
            await self._made[api](scope, receive, send)
        else:
            callers: list[CallContext] = []
            response = self._made[api](dict(scope, **{CALLERS: callers}), receive, send)
            await _while_valid(key, callers, response)


async def _while_valid(key: str, callers: Collection[CallContext], response: Awaitable[None]) -> None:
    """Serve a response until it ends, or its key does or means another caller: a stream may be open for days."""
    serving = asyncio.ensure_future(response)
    ending = asyncio.ensure_future(service().keys.wait_for_end(key, callers))
    try:
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (serving, ending):
            task.cancel()
        await asyncio.wait({serving, ending})
    if not serving.cancelled():
        serving.result()


def _threads(api: AgentApi) -> ASGIApp:
    return make_app(api, request_caller, openai_path="/v1")


def _models(api: AgentApi) -> ASGIApp:
    return make_openai_app(api, request_caller, offered=lambda: [ASSISTANT, *OFFERED])


routes = Starlette(
    routes=[
        *KEY_ROUTES,
        *PEOPLE_ROUTES,
        *CONNECT_ROUTES,
        mount_app("/api", ServedApi(_threads)),
        mount_app("/v1", ServedApi(_models)),
        Route("/mcp", ServedApi(McpEndpoint)),
    ]
)
"""Routes for the app's `api_transformer`."""
