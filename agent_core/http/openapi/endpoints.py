"""Serve the OpenAPI document at `/openapi.json`, and the page that shows it at `/docs`, to everybody."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from agent_core.http.openapi.document import openapi_document
from agent_core.http.openapi.page import POLICY, reference_page
from agent_core.http.responses import guarded

if TYPE_CHECKING:
    from agent_core.api import AgentApi


def description_routes(api: AgentApi) -> list[Route]:
    """Return the routes that describe an API; they contain nothing that people or models wrote."""

    @lru_cache(maxsize=4)
    def document(url: str) -> dict[str, Any]:
        return openapi_document(api, url)

    async def as_json(request: Request) -> Response:
        return JSONResponse(document(_served_at(request)))

    async def as_page(request: Request) -> Response:
        page = reference_page(document(_served_at(request)), f"{_served_at(request)}/openapi.json")
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    return [
        Route("/openapi.json", guarded(as_json), methods=["GET"]),
        Route("/docs", guarded(as_page), methods=["GET"]),
    ]


def _served_at(request: Request) -> str:
    """Return the path below which the app is mounted."""
    return request.scope.get("root_path", "")
