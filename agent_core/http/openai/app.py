"""Build the ASGI app with the paths of OpenAI's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from operator import attrgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent_core.http.body_rest import BodyRest
from agent_core.http.openai.chat_completions import ChatCompletions
from agent_core.http.openai.conversations import Conversations
from agent_core.http.openai.errors import guarded, refusal
from agent_core.http.openai.models import Models, Offered
from agent_core.http.openai.openapi.document import openai_document
from agent_core.http.openai.options import Options
from agent_core.http.openai.paths import PATHS, Path
from agent_core.http.openai.responses import Responses
from agent_core.http.openapi.endpoints import description_routes
from agent_core.http.requests import Context

if TYPE_CHECKING:
    from agent_core.api import AgentApi


def make_openai_app(
    api: AgentApi,
    context: Context | None = None,
    *,
    offered: Offered | None = None,
    max_body: int = 32 << 20,
    heartbeat: float = 15.0,
) -> Starlette:
    """Return the app; see `PublicAgentApi.openai_app` for the arguments."""
    models = Models(api, offered)
    options = Options(api, context, models, max_body, heartbeat)
    groups = {
        "models": _ModelEndpoints(options),
        "completions": ChatCompletions(options),
        "responses": Responses(options),
        "conversations": Conversations(options),
    }
    routes = [_route(path, attrgetter(path.endpoint)(SimpleNamespace(**groups))) for path in PATHS]
    routes += description_routes(openai_document)
    app = Starlette(
        routes=routes, middleware=[Middleware(BodyRest)], exception_handlers={HTTPException: _refuse}
    )
    app.router.redirect_slashes = False
    return app


def _route(path: Path, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """Return the route of a path; the name of an agent may have slashes."""
    return Route(path.path.replace("{model}", "{model:path}"), guarded(endpoint), methods=[path.verb])


class _ModelEndpoints:
    """Endpoints of the models."""

    def __init__(self, options: Options) -> None:
        self._options = options

    async def list(self, request: Request) -> Response:
        """Return the agents."""
        await self._options.caller(request)
        return JSONResponse(self._options.models.list())

    async def get(self, request: Request) -> Response:
        """Return an agent."""
        await self._options.caller(request)
        return JSONResponse(self._options.models.get(request.path_params["model"]))


async def _refuse(request: Request, error: Exception) -> Response:
    """Return the refusal for an error of the router."""
    assert isinstance(error, HTTPException), "the handler is registered for these"
    words = {404: "This path does not exist.", 405: f"This path does not take {request.method}."}
    return refusal(request, HTTPException(error.status_code, words.get(error.status_code, error.detail)))
