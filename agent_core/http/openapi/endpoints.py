"""Serve an OpenAPI document at `/openapi.json`, and the page that shows it at `/docs`, to everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from agent_core.http.openapi.page import POLICY, reference_page
from agent_core.http.responses import guarded

Describe = Callable[[str], dict[str, Any]]
"""Returns the document of an app that is served at a URL; it contains nothing that people or models wrote."""


def description_routes(describe: Describe, beside: Mapping[str, Describe] | None = None) -> list[Route]:
    """Return the routes that describe an app.

    Args:
        describe: makes the app's document.
        beside: makes the documents that the page also shows: of apps that are mounted beside this one, by their paths.
    """
    document = lru_cache(maxsize=4)(describe)

    async def as_json(request: Request) -> Response:
        return JSONResponse(document(_served_at(request)))

    async def as_page(request: Request) -> Response:
        own = _served_at(request)
        found = {own: document(own)}
        for path, other in (beside or {}).items():
            url = own.rpartition("/")[0] + path
            found[url] = other(url)
        return HTMLResponse(reference_page(found), headers={"Content-Security-Policy": POLICY})

    return [
        Route("/openapi.json", guarded(as_json), methods=["GET"]),
        Route("/docs", guarded(as_page), methods=["GET"]),
    ]


def _served_at(request: Request) -> str:
    """Return the path below which the app is mounted."""
    return request.scope.get("root_path", "")
