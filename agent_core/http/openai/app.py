"""Build the ASGI app with the paths of OpenAI's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent_core.http.openai.chat_completions import ChatCompletions
from agent_core.http.openai.errors import guarded, refusal
from agent_core.http.openai.models import Models, Offered
from agent_core.http.openai.options import Options
from agent_core.http.openai.responses import Responses
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
    completions, responses = ChatCompletions(options), Responses(options)

    async def list_models(request: Request) -> Response:
        await options.caller(request)
        return JSONResponse(models.list())

    async def get_model(request: Request) -> Response:
        await options.caller(request)
        return JSONResponse(models.get(request.path_params["model"]))

    response = "/responses/{response_id}"
    routes = [
        Route("/models", guarded(list_models), methods=["GET"]),
        Route("/models/{model:path}", guarded(get_model), methods=["GET"]),
        Route("/chat/completions", guarded(completions.post), methods=["POST"]),
        Route("/responses", guarded(responses.post), methods=["POST"]),
        Route(response, guarded(responses.get), methods=["GET"]),
        Route(response, guarded(responses.delete), methods=["DELETE"]),
        Route(f"{response}/cancel", guarded(responses.cancel), methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refuse})
    app.router.redirect_slashes = False
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    """Return the refusal for an error of the router."""
    assert isinstance(error, HTTPException), "the handler is registered for these"
    words = {404: "This path does not exist.", 405: f"This path does not take {request.method}."}
    return refusal(request, HTTPException(error.status_code, words.get(error.status_code, error.detail)))
